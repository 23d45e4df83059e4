//! Makes visible what others wrote: no byte of theirs steers a terminal, hides, or reorders what is read.
//!
//! Everything that this node did not write itself (texts, names, rooms, reasons) passes through here before it is
//! shown. What could steer or deceive is shown as a symbol: C0 controls as their picture (`␛`, `␀`), all else
//! by number (`⟨U+202E⟩`). Letters of all scripts and emoji sequences stay as they are. In JSON the same characters
//! are escaped instead, so that nothing is lost: see [`escape_json`].

use std::fmt::Write as _;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// The widest name or room shown, in columns; what is longer is cut.
const NAME_COLUMNS_MAX: usize = 24;

/// The most marks (accents and the like) shown on one letter. Languages need up to four; stacks of hundreds
/// would paint over the lines above.
const MARKS_MAX: usize = 6;

/// A text on one line, line breaks shown as symbols.
pub fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = None;
    for (start, grapheme) in text.grapheme_indices(true) {
        let after = text[start + grapheme.len()..].chars().next();
        push_grapheme(&mut out, grapheme, before, after);
        before = grapheme.chars().next_back();
    }
    out
}

/// A text as the lines it has, each one safe; tabs are four spaces.
pub fn lines(text: &str) -> Vec<String> {
    text.split('\n')
        .map(|part| line(&part.strip_suffix('\r').unwrap_or(part).replace('\t', "    ")))
        .collect()
}

/// A name or room: on one line, not wider than a name may be, never empty.
pub fn name(text: &str) -> String {
    match text.trim() {
        "" => "?".to_string(),
        trimmed => cut(&line(trimmed), NAME_COLUMNS_MAX),
    }
}

/// How many columns a terminal needs for a safe text, summed over its graphemes.
pub fn width(text: &str) -> usize {
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

/// Cuts a safe text to at most `columns`, at a grapheme, and says so with `…`.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_string();
    }
    let mut out = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        used += grapheme.width();
        if used + 1 > columns {
            break;
        }
        out.push_str(grapheme);
    }
    out.push('…');
    out
}

/// JSON text with all that could steer or deceive a terminal written as `\u` escapes; equal in meaning.
///
/// Outside of strings JSON is plain ASCII, so what is replaced can only stand inside of one.
pub fn escape_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for char in json.chars() {
        if char.is_ascii() && char != '\u{7f}' || !is_trouble(char) {
            out.push(char);
            continue;
        }
        let mut units = [0; 2];
        for unit in char.encode_utf16(&mut units) {
            write!(out, "\\u{unit:04x}").expect("writing to a string succeeds");
        }
    }
    out
}

/// Adds one grapheme, its trouble made visible and its marks limited. `before` and `after` are its neighbours.
fn push_grapheme(out: &mut String, grapheme: &str, before: Option<char>, after: Option<char>) {
    let mut before = before;
    let mut marks = 0;
    let mut hidden = 0;
    let mut chars = grapheme.chars().peekable();
    while let Some(char) = chars.next() {
        let next = chars.peek().copied().or(after);
        if is_trouble(char) && !belongs(grapheme, char, before, next) {
            push_symbol(out, char);
        } else if is_mark(char) && marks == MARKS_MAX {
            hidden += 1;
        } else {
            marks += usize::from(is_mark(char));
            out.push(char);
        }
        before = Some(char);
    }
    if hidden > 0 {
        write!(out, "⟨+{hidden}⟩").expect("writing to a string succeeds");
    }
}

/// Adds the symbol for a character that is not shown itself.
fn push_symbol(out: &mut String, char: char) {
    match char {
        '\0'..='\u{1f}' => out.push(char::from_u32(0x2400 + char as u32).unwrap_or('\u{fffd}')),
        '\u{7f}' => out.push('␡'),
        _ => write!(out, "⟨U+{:04X}⟩", char as u32).expect("writing to a string succeeds"),
    }
}

/// Whether a character steers a terminal, reorders text or is invisible.
fn is_trouble(char: char) -> bool {
    let number = char as u32;
    char.is_control()
        || number & 0xfffe == 0xfffe // noncharacters
        || matches!(number,
            0x00ad | 0x034f | 0x061c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 // soft hyphen, joiners, fillers
            | 0x180b..=0x180f // Mongolian selectors
            | 0x200b..=0x200f // zero-width spaces and joiners, direction marks
            | 0x2028..=0x202e // line separators, embeddings and overrides
            | 0x2060..=0x206f // invisible operators, isolates
            | 0x2800 // the blank of Braille
            | 0x3164 | 0xfeff | 0xffa0 | 0xfdd0..=0xfdef // fillers, byte order mark, noncharacters
            | 0xfff0..=0xfffb // interlinear annotation
            | 0x13430..=0x1345f | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a // format controls
            | 0xe0000..=0xe0fff) // tags and further selectors
}

/// Whether a character that can be trouble has a proper use here: a joiner between emoji or within a script that
/// needs it, and the tags of a flag.
fn belongs(grapheme: &str, char: char, before: Option<char>, after: Option<char>) -> bool {
    let both = |test: fn(char) -> bool| before.is_some_and(test) && after.is_some_and(test);
    match char {
        '\u{200d}' => both(is_emoji) || both(is_joining_script),
        '\u{200c}' => both(is_joining_script),
        '\u{e0020}'..='\u{e007f}' => grapheme.starts_with('\u{1f3f4}'),
        _ => false,
    }
}

/// Whether a character can stand beside a joiner in an emoji sequence.
fn is_emoji(char: char) -> bool {
    matches!(char as u32, 0x2190..=0x2bff | 0xfe0f | 0x1f000..=0x1faff)
}

/// Whether a character is of a script that writes joiners: Arabic, the scripts of India, Khmer.
fn is_joining_script(char: char) -> bool {
    matches!(char as u32, 0x0600..=0x08ff | 0x0900..=0x0dff | 0x1780..=0x17ff)
}

/// Whether a character is drawn onto the one before it and takes no column.
fn is_mark(char: char) -> bool {
    use unicode_width::UnicodeWidthChar;
    char.width() == Some(0)
        && !matches!(char, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
        && !('\u{e0020}'..='\u{e007f}').contains(&char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_become_pictures() {
        assert_eq!(line("\u{1b}[31mred\u{7}\0\r\n\u{7f}"), "␛[31mred␇␀␍␊␡");
        assert_eq!(line("\u{9b}2J\u{85}"), "⟨U+009B⟩2J⟨U+0085⟩");
    }

    #[test]
    fn what_reorders_or_hides_becomes_a_number() {
        assert_eq!(line("exe\u{202e}txt.\u{202c}"), "exe⟨U+202E⟩txt.⟨U+202C⟩");
        assert_eq!(line("a\u{2066}b\u{2069}"), "a⟨U+2066⟩b⟨U+2069⟩");
        assert_eq!(line("an\u{200b}a"), "an⟨U+200B⟩a");
        assert_eq!(line("an\u{200d}a"), "an⟨U+200D⟩a");
        assert_eq!(line("\u{feff}ana\u{3164}"), "⟨U+FEFF⟩ana⟨U+3164⟩");
        assert_eq!(line("a\u{e0041}"), "a⟨U+E0041⟩");
        assert_eq!(line("a\u{2028}b"), "a⟨U+2028⟩b");
    }

    #[test]
    fn honest_text_stays_as_it_is() {
        let texts = [
            "oi, tudo bem? ção ñ ü",
            "日本語 العربية עברית हिन्दी",
            "👩‍🚀 👨‍👩‍👧‍👦 ❤️ 👋🏿 🏳️‍🌈",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "می\u{200c}خواهم",
            "क्\u{200d}ष",
            "e\u{301}\u{323}",
        ];
        for text in texts {
            assert_eq!(line(text), text);
        }
    }

    #[test]
    fn a_tower_of_marks_is_cut() {
        let tower = format!("a{}b", "\u{301}".repeat(100));
        assert_eq!(line(&tower), format!("a{}⟨+94⟩b", "\u{301}".repeat(6)));
    }

    #[test]
    fn no_character_at_all_leaves_a_control_behind() {
        for number in 0..=0x10_ffff {
            let Some(char) = char::from_u32(number) else {
                continue;
            };
            let shown = line(&format!("a{char}b"));
            assert!(
                !shown.chars().any(is_trouble),
                "U+{number:04X} is shown as {shown:?}"
            );
        }
    }

    #[test]
    fn names_are_short_and_never_empty() {
        assert_eq!(name("ana"), "ana");
        assert_eq!(name("  \t "), "?");
        assert_eq!(name("ana\nroot"), "ana␊root");
        assert_eq!(width(&name(&"日".repeat(60))), 23);
        assert!(name(&"日".repeat(60)).ends_with('…'));
    }

    #[test]
    fn widths_count_columns_of_graphemes() {
        assert_eq!(width("abc"), 3);
        assert_eq!(width("日本"), 4);
        assert_eq!(width("👨‍👩‍👧‍👦"), 2);
        assert_eq!(width("e\u{301}"), 1);
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("abcd", 4), "abcd");
    }

    #[test]
    fn several_lines_stay_several_lines() {
        assert_eq!(lines("a\r\n\tb\u{1b}\nc"), ["a", "    b␛", "c"]);
    }

    #[test]
    fn json_keeps_its_meaning_without_its_trouble() {
        let value = "x\u{1b}\u{9b}\u{202e}\u{7f}\u{e0041}ação \"q\" 👩‍🚀";
        let json = escape_json(&serde_json::to_string(value).unwrap());
        assert!(!json.chars().any(is_trouble), "{json}");
        assert!(json.contains("ação"));
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), value);
    }
}
