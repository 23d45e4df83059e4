// The page's words in three languages. A text is found by its key; `{name}` in it is replaced; one with a number may
// have forms, chosen by `n` as the language counts.

import en from "./lang/en.js";
import es from "./lang/es.js";
import pt from "./lang/pt.js";

/** The languages by their code, each with its own name. */
export const LANGUAGES = { en: { name: "English", words: en }, pt: { name: "Português", words: pt }, es: { name: "Español", words: es } };

let current = "en";
let plural = new Intl.PluralRules("en");
let numbers = new Intl.NumberFormat("en");

/** The first of these that the page speaks; English if it speaks none. */
export function choose(wanted) {
    for (const tag of wanted) {
        const base = String(tag).toLowerCase().split("-")[0];
        if (LANGUAGES[base]) return base;
    }
    return "en";
}

/** Speaks this language from now on. */
export function speak(language) {
    current = LANGUAGES[language] ? language : "en";
    plural = new Intl.PluralRules(current);
    numbers = new Intl.NumberFormat(current);
}

/** The code of the language in use. */
export function language() {
    return current;
}

/** A text in the language in use. */
export function say(key, facts = {}) {
    const found = LANGUAGES[current].words[key] ?? en[key];
    // A key that is missing is shown: better than nothing, and a test finds it.
    if (found === undefined) return key;
    const text = typeof found === "string" ? found : (found[plural.select(facts.n ?? 0)] ?? found.other);
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in facts ? String(facts[name]) : whole));
}

/** Whether there is such a text. */
export function has(key) {
    return en[key] !== undefined;
}

/** A number as the language writes it. */
export function count(number) {
    return numbers.format(number);
}

/** A span of time, from microseconds, short. */
export function span(us) {
    if (us < 0) return span(0);
    if (us < 1_000) return `${Math.round(us)} µs`;
    if (us < 10_000) return `${decimal(us / 1_000, 1)} ms`;
    if (us < 1_000_000) return `${Math.round(us / 1_000)} ms`;
    if (us < 10_000_000) return `${decimal(us / 1_000_000, 1)} s`;
    if (us < 120_000_000) return `${Math.round(us / 1_000_000)} s`;
    if (us < 7_200_000_000) return `${Math.round(us / 60_000_000)} min`;
    return `${Math.round(us / 3_600_000_000)} h`;
}

function decimal(number, places) {
    return number.toLocaleString(current, { minimumFractionDigits: places, maximumFractionDigits: places });
}

/** A time of day, as `14:03`. */
export function clock(at, withSeconds = false) {
    const date = new Date(at);
    if (Number.isNaN(date.getTime())) return "--:--";
    const two = (number) => String(number).padStart(2, "0");
    const short = `${two(date.getHours())}:${two(date.getMinutes())}`;
    return withSeconds ? `${short}:${two(date.getSeconds())}` : short;
}

/** A day, as a heading over its messages. */
export function day(at) {
    const date = new Date(at);
    if (Number.isNaN(date.getTime())) return "";
    return date.toLocaleDateString(current, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
}

/** Puts the words of the language into all elements that name one. */
export function translate(root) {
    for (const element of root.querySelectorAll("[data-t]")) element.textContent = say(element.dataset.t);
    for (const element of root.querySelectorAll("[data-t-label]")) element.setAttribute("aria-label", say(element.dataset.tLabel));
    for (const element of root.querySelectorAll("[data-t-placeholder]")) element.placeholder = say(element.dataset.tPlaceholder);
}
