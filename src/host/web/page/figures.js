// The figures below the ring: numbers dropping into a column for each node, the checkpoints with their flags and jumps
// back, the last rotations, and the token's way through time.

import { byId, element, set, shape, text } from "./dom.js";
import { visibleName } from "./visible.js";
import { count, say, span } from "./words.js";

/** How many numbers a column shows. */
const NUMBERS = 10;
/** More columns than these have no room for their numbers; the table has all of them. */
const COLUMNS_SHOWN = 12;
const CELL = { height: 15, gap: 2, top: 24, axis: 64 };

/** What a node has of a number: absent, gap, received or held; facts from the token and the status only. */
export function cellOf(state, id, seq) {
    const known = state.nodes.get(id) ?? {};
    const discarded = state.rollback && id === state.me?.id && seq > state.rollback.to && seq <= state.rollback.from;
    if (seq <= (known.held ?? 0)) return "held";
    if (id === state.me?.id && discarded && seq > (known.received ?? 0)) return "discarded";
    if (seq <= (known.received ?? 0)) return "received";
    if (seq <= state.high && state.lacking.some((gap) => seq >= gap.from_seq && seq <= gap.to_seq)) return "gap";
    return "absent";
}

/** One column a node, the newest number on top. */
export class Columns {
    constructor() {
        this.svg = byId("columns");
        this.key = null;
        this.legend = byId("legend");
    }

    draw(state) {
        const members = (state.ring?.members ?? (state.me ? [state.me.id] : [])).slice(0, COLUMNS_SHOWN);
        const key = JSON.stringify([members, members.map((id) => state.nodes.get(id)?.name), state.me?.id, document.documentElement.lang]);
        if (key !== this.key) this.build(state, members);
        this.key = key;
        const top = Math.max(state.high, NUMBERS);
        for (let row = 0; row < NUMBERS; row += 1) {
            const seq = top - row;
            const past = seq > state.high;
            text(this.labels[row], past ? "" : `#${seq}`);
            const flag = state.checkpoints.findLast((one) => one.seq === seq);
            text(this.flags[row], flag && !past ? "⚑" : "");
            this.cells[row].forEach(([box, mark], column) => {
                const cell = past ? "absent" : cellOf(state, members[column], seq);
                const fresh = box.getAttribute("class") !== `cell ${cell}`;
                if (fresh) {
                    set(box, { class: `cell ${cell}` });
                    text(mark, { held: "●", received: "◐", gap: "?", discarded: "✕", absent: "" }[cell]);
                }
            });
        }
        set(this.stableLine, { y1: this.y(state, top, state.stable), y2: this.y(state, top, state.stable), visibility: state.stable > top - NUMBERS && state.stable < top ? "visible" : "hidden" });
        text(byId("columns-words"), describe(state, members));
    }

    y(state, top, seq) {
        return CELL.top + (top - seq) * (CELL.height + CELL.gap) - CELL.gap / 2;
    }

    build(state, members) {
        const width = 440;
        const height = CELL.top + NUMBERS * (CELL.height + CELL.gap) + 2;
        const each = Math.min(130, (width - CELL.axis - 8) / Math.max(1, members.length));
        set(this.svg, { viewBox: `0 0 ${width} ${height}` });
        this.labels = [];
        this.flags = [];
        this.cells = [];
        const parts = [
            shape("defs", {}, shape("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, shape("rect", { class: "hatch-line", width: 2.4, height: 6 }))),
        ];
        members.forEach((id, column) => {
            const name = visibleName(state.nodes.get(id)?.name || "?", Math.max(2, Math.floor(each / 11)));
            // A narrow column has room for the id alone; the table has the names.
            const known = each < 56 ? String(id) : `${name}·${id}`;
            const label = id === state.me?.id ? `${known} ◂` : known;
            parts.push(shape("text", { class: id === state.me?.id ? "column-name self" : "column-name", x: CELL.axis + column * each + each / 2 - 3, y: 14, "text-anchor": "middle" }, label));
        });
        for (let row = 0; row < NUMBERS; row += 1) {
            const y = CELL.top + row * (CELL.height + CELL.gap);
            const label = shape("text", { class: "axis", x: CELL.axis - 8, y: y + 11.5, "text-anchor": "end" });
            const flag = shape("text", { class: "flag", x: 0, y: y + 12 });
            this.labels.push(label);
            this.flags.push(flag);
            parts.push(label, flag);
            this.cells.push(
                members.map((_, column) => {
                    const x = CELL.axis + column * each;
                    const box = shape("rect", { class: "cell absent", x, y, width: each - 6, height: CELL.height, rx: 3 });
                    const mark = shape("text", { class: "cell-mark", x: x + (each - 6) / 2, y: y + 11.5, "text-anchor": "middle" });
                    parts.push(box, mark);
                    return [box, mark];
                }),
            );
        }
        this.stableLine = shape("line", { class: "stable-line", x1: CELL.axis - 4, x2: CELL.axis + each * members.length, y1: 0, y2: 0, visibility: "hidden" });
        parts.push(this.stableLine);
        this.svg.replaceChildren(...parts);
        this.legend.replaceChildren(
            ...["held", "received", "gap", "stable"].map((kind) => element("span", { class: `key key-${kind}` }, element("span", { "aria-hidden": "true" }, { held: "● ", received: "◐ ", gap: "? ", stable: "┄ " }[kind]), say(`legend.${kind}`))),
        );
    }
}

function describe(state, members) {
    const parts = members.map((id) => {
        const known = state.nodes.get(id) ?? {};
        return say("columns.node", { node: id, received: known.received ?? 0, held: known.held ?? 0 });
    });
    return parts.join(" ");
}

/** The checkpoints on a line of numbers, and a rollback as a jump back with the discarded tail greyed. */
export function drawTrack(state) {
    const svg = byId("track");
    const { rollback } = state;
    const flags = state.checkpoints.slice(-8);
    const low = Math.min(rollback?.to ?? Infinity, flags[0]?.seq ?? Infinity, Math.max(0, state.high - 20));
    const high = Math.max(state.high, rollback?.from ?? 0, low + 10);
    const x = (seq) => 16 + ((seq - low) / (high - low)) * 408;
    const parts = [shape("line", { class: "track-line", x1: 16, x2: x(state.high), y1: 56, y2: 56 })];
    let before = -40;
    for (const flag of flags) {
        const at = x(Math.min(Math.max(flag.seq, low), high));
        parts.push(shape("line", { class: "flag-pole", x1: at, x2: at, y1: 34, y2: 56 }), shape("path", { class: "flag-cloth", d: `M${at},34 l12,4 l-12,5 z` }));
        // Flags that stand close share one label.
        if (at - before > 36) {
            parts.push(shape("text", { class: "flag-label", x: at, y: 74, "text-anchor": "middle" }, `#${flag.seq}`));
            before = at;
        }
    }
    if (rollback) {
        const from = x(rollback.from);
        const to = x(rollback.to);
        parts.push(
            shape("line", { class: "tail", x1: to, x2: from, y1: 56, y2: 56 }),
            shape("path", { class: "jump", d: `M${from},50 C${from},6 ${to},6 ${to},46` }),
            shape("path", { class: "jump-head", d: `M${to - 4},42 L${to},50 L${to + 4},42` }),
        );
    }
    svg.replaceChildren(...parts);
    const words = [];
    const last = flags.at(-1);
    if (rollback) {
        words.push(say("track.rollback", { from: count(rollback.from), to: count(rollback.to), checkpoint: rollback.checkpoint ?? "–", n: rollback.discarded }));
        words.push(say("track.recovered", { own: count(rollback.own), peers: count(rollback.peers) }));
    }
    words.push(last ? say("track.last", { checkpoint: last.number, seq: count(last.seq) }) : say("track.none"));
    text(byId("track-words"), words.join(" "));
    set(svg, { "data-rollback": rollback ? `${rollback.from} ${rollback.to}` : "", "data-flags": flags.length });
}

/** The last rotations as a line; its words are beside it. */
export function drawSparkline(state) {
    const row = document.querySelector(".fact-rotation dd");
    if (!row) return;
    let svg = row.querySelector("svg");
    if (!svg) {
        svg = shape("svg", { class: "spark", viewBox: "0 0 120 24", preserveAspectRatio: "none", role: "img" });
        svg.append(shape("polyline", { class: "spark-line" }));
        row.append(svg, element("span", { class: "spark-words" }));
    }
    const times = state.rotations;
    const most = Math.max(...times, 1);
    const points = times.map((time, index) => `${((index + 60 - times.length) / 59) * 120},${22 - (time / most) * 20}`);
    set(svg.firstChild, { points: points.join(" ") });
    const words = times.length > 1 ? say("rotation.range", { n: times.length, least: span(Math.min(...times)), most: span(most) }) : "";
    set(svg, { "aria-label": words || say("rotation.none") });
    text(row.lastChild, words);
}

/** The token's way through the last seconds: time goes down, a lane for each node. */
export function drawSpacetime(state, now) {
    const part = byId("spacetime-part");
    if (!part.open) return;
    const svg = byId("spacetime");
    const members = state.ring?.members ?? [];
    const length = 3_000_000;
    const lane = (id) => 40 + (members.indexOf(id) * 360) / Math.max(1, members.length - 1);
    const y = (us) => 210 - ((now - us) / length) * 180;
    const parts = members.map((id) => shape("g", { class: "lane" }, shape("line", { x1: lane(id), x2: lane(id), y1: 26, y2: 212 }), shape("text", { x: lane(id), y: 16, "text-anchor": "middle" }, String(id))));
    const steps = state.steps.filter((step) => now - step.us < length && members.includes(step.node));
    for (const step of steps.slice(-160)) {
        if (step.kind === "grant") parts.push(shape("circle", { class: "step", cx: lane(step.node), cy: y(step.us), r: 2.5 }));
        // Where and when it arrives elsewhere is not known here: the line ends short of it.
        else if (members.includes(step.to)) parts.push(shape("line", { class: "step-pass", x1: lane(step.node), y1: y(step.us), x2: lane(step.node) + (lane(step.to) - lane(step.node)) * 0.6, y2: y(step.us) + 4 }));
    }
    svg.replaceChildren(...parts);
    text(byId("spacetime-words"), say("spacetime.words", { n: steps.filter((step) => step.kind === "grant").length, seconds: 3 }));
}
