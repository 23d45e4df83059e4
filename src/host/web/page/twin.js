// The ring in words: a table with the same data as the figures, and a list of what happened.

import { byId, element, text } from "./dom.js";
import { apart, hopsUntil, ringApart, shortRing } from "./model.js";
import { visible, visibleName } from "./visible.js";
import { clock, has, say, span } from "./words.js";

const COLUMNS = ["node", "place", "token", "waits", "received", "held", "hops"];

/** The table; built only while it is open, and only where a cell differs. */
export function drawTwin(state) {
    const twin = byId("twin");
    if (!twin.open) return;
    const table = byId("twin-table");
    text(table.caption, caption(state));
    const head = table.tHead;
    if (head.dataset.lang !== document.documentElement.lang) {
        head.dataset.lang = document.documentElement.lang;
        head.replaceChildren(element("tr", {}, ...COLUMNS.map((name) => element("th", { scope: "col" }, say(`twin.${name}`)))));
    }
    const members = state.ring?.members ?? [];
    const rows = [...members.map((id) => memberRow(state, id)), ...apart(state).slice(0, 40).map((other) => apartRow(state, other))];
    const body = table.tBodies[0];
    rows.forEach((cells, index) => {
        let row = body.rows[index];
        if (!row) {
            row = element("tr", {}, element("th", { scope: "row" }), ...COLUMNS.slice(1).map(() => element("td")));
            body.append(row);
        }
        cells.forEach((words, column) => text(row.cells[column], words));
    });
    while (body.rows.length > rows.length) body.lastChild.remove();
}

function caption(state) {
    if (!state.ring) return say("twin.no_ring");
    const carried = state.token.carried;
    const sentences = [say("twin.caption", { ring: shortRing(state.ring.ring), stable: state.stable, ordered: state.high })];
    if (carried && carried.lacking.length > 0) sentences.push(say("twin.lacking", { gaps: carried.lacking.map((gap) => `#${gap.from_seq}–${gap.to_seq}`).join(", ") }));
    const last = state.rotations.at(-1);
    if (last) sentences.push(say("twin.rotation", { rotation: span(last) }));
    return sentences.join(" ");
}

function nameOf(state, id) {
    const name = state.nodes.get(id)?.name;
    const shown = name ? `${visibleName(name)}·${id}` : String(id);
    return id === state.me?.id ? `${shown} (${say("people.you")})` : shown;
}

function memberRow(state, id) {
    const known = state.nodes.get(id) ?? {};
    const { token } = state;
    const operational = state.phase === "operational";
    const where = !operational ? "" : token.at === id ? say("ring.holds") : token.at === null && token.to === id ? say("ring.last_seen") : token.at === null && token.seen === id ? say("ring.was_here") : "";
    const hops = hopsUntil(state, id);
    return [
        nameOf(state, id),
        say("twin.member", { place: state.ring.members.indexOf(id) + 1 }),
        where,
        known.waiting != null ? say("twin.since", { hop: known.waiting }) : id === state.me?.id && state.asking ? say("ring.waits") : "",
        known.received != null ? `#${known.received}` : "",
        known.held != null ? `#${known.held}` : "",
        hops === null || !operational ? "" : String(hops),
    ];
}

function apartRow(state, other) {
    const theirs = ringApart(state, other);
    const where = theirs ? say("ring.own_ring", { ring: shortRing(theirs) }) : other.left?.how === "goodbye" ? say("people.left") : other.left?.how === "silent" ? say("people.silent") : say("people.gone");
    return [nameOf(state, other.id), where, "", "", "", "", ""];
}

/** The list of what happened, newest first. Lines are added, not built again. */
export class Lines {
    constructor() {
        this.list = byId("lines");
        this.newest = null;
        this.lang = null;
    }

    /** What is shown is of another time: the list is built again. */
    again() {
        this.lang = null;
    }

    draw(state) {
        const lines = state.lines;
        const lang = document.documentElement.lang;
        if (lang !== this.lang) {
            this.list.replaceChildren();
            this.newest = null;
        }
        this.lang = lang;
        const from = this.newest ? lines.lastIndexOf(this.newest) + 1 : 0;
        // The newest line counts on while the token comes by.
        if (from > 0 && this.list.firstChild) this.fill(this.list.firstChild, lines[from - 1]);
        for (const line of lines.slice(Math.max(from, lines.length - 80))) {
            const item = element("li", { "data-key": line.key }, element("time"), element("span"));
            this.fill(item, line);
            this.list.prepend(item);
        }
        this.newest = lines.at(-1) ?? null;
        while (this.list.children.length > 80) this.list.lastChild.remove();
    }

    fill(item, line) {
        text(item.firstChild, clock(line.at, true));
        text(item.lastChild, sentence(line));
    }
}

/** A line in words. */
export function sentence(line) {
    const facts = { ...line.facts };
    for (const name of ["silent", "limit", "waited", "away"]) if (typeof facts[name] === "number") facts[name] = span(facts[name]);
    for (const [name, value] of Object.entries(facts)) if (typeof value === "string") facts[name] = visible(value);
    if (facts.ring) facts.ring = shortRing(facts.ring);
    if (line.key.startsWith("lab.") && has(`lab.what.${facts.what}`)) facts.what = say(`lab.what.${facts.what}`);
    if (line.key === "lab.refused" && has(`lab.why.${facts.why}`)) facts.reason = say(`lab.why.${facts.why}`);
    return say(line.key, facts);
}
