// Makes visible what others wrote: no character of theirs hides, reorders or steers what is read.
//
// The same rule as the terminal's: C0 controls as their picture (␛), all else that could deceive by number
// (⟨U+202E⟩). Letters of all scripts and emoji sequences stay as they are. Whatever comes out of here is still
// only ever put on the page as text, never as markup.

// Marks (accents and the like) shown on one letter. Languages need up to four; stacks of hundreds would paint over
// the lines above.
const MARKS_AT_MOST = 6;

// Characters that steer, reorder or cannot be seen. Tabs and line breaks are the caller's business.
const TROUBLE = new RegExp(
    "[\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f" +
        "\\u2028-\\u202e\\u2060-\\u206f\\u2800\\u3164\\ufeff\\uffa0\\ufdd0-\\ufdef\\ufff0-\\ufffb\\ufffe\\uffff" +
        "\\u{13430}-\\u{1345f}\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}]|\\p{Cs}",
    "gu",
);
const MARKS = new RegExp(`(\\p{M}{${MARKS_AT_MOST}})(\\p{M}+)`, "gu");
const EMOJI = /\p{Extended_Pictographic}|\p{Emoji_Modifier}|\ufe0f/u;
// Scripts whose letters are joined or kept apart by an invisible character, properly.
const JOINING = /[\u0600-\u06ff\u0750-\u077f\u0900-\u0dff\u1780-\u17ff]/u;

// Nearly all texts have nothing of this: they are looked at once and returned as they are.
const PLAIN = /^[\n\t\u0020-\u007e\u00a0-\u00ac\u00ae-\u02ff]*$/;

function symbol(char) {
    const number = char.codePointAt(0);
    if (number < 0x20) return String.fromCodePoint(0x2400 + number);
    if (number === 0x7f) return "␡";
    return `⟨U+${number.toString(16).toUpperCase().padStart(4, "0")}⟩`;
}

// Whether a joiner has a proper use between its neighbours.
function belongs(char, before, after) {
    if (char === "\u200d") return (EMOJI.test(before) && EMOJI.test(after)) || joins(before, after);
    if (char === "\u200c") return joins(before, after);
    return false;
}

function joins(before, after) {
    return JOINING.test(before) && JOINING.test(after);
}

/** A text that keeps its line breaks; tabs are four spaces. */
export function visible(text) {
    const whole = String(text ?? "");
    if (PLAIN.test(whole)) return whole.replaceAll("\t", "    ");
    return whole
        .replaceAll("\r\n", "\n")
        .replaceAll("\t", "    ")
        .split("\n")
        .map(line)
        .join("\n");
}

function line(text) {
    const shown = text.replace(TROUBLE, (char, at) => {
        const before = [...text.slice(Math.max(0, at - 2), at)].pop() ?? "";
        const after = [...text.slice(at + char.length, at + char.length + 2)][0] ?? "";
        return belongs(char, before, after) ? char : symbol(char);
    });
    return shown.replace(MARKS, (_, kept, more) => `${kept}⟨+${[...more].length}⟩`);
}

/** A name or room: on one line, cut where it is too long to be one, never empty. */
export function visibleName(text, most = 24) {
    const shown = visible(String(text ?? "").trim()).replaceAll("\n", "␊");
    const letters = [...shown];
    if (letters.length === 0) return "?";
    return letters.length > most ? letters.slice(0, most - 1).join("") + "…" : shown;
}
