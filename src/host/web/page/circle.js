// The ring as a circle: members in ring order, this node and the holder marked by shape, text and colour, the token
// where it was last known to be, and those who are in no ring with this node aside.
//
// Between two facts nothing is claimed: a token that was passed on is drawn hollow, "last seen".

import { byId, element, set, shape, text } from "./dom.js";
import { apart, hopsUntil, ringApart, shortRing } from "./model.js";
import { visibleName } from "./visible.js";
import { count, say, span } from "./words.js";

const CENTER = { x: 220, y: 138 };
const RADIUS = 82;
/** How far inside the circle the token goes. */
const INSIDE = 36;
/** Nodes aside are listed by name up to so many. */
const APART_SHOWN = 6;

const still = matchMedia("(prefers-reduced-motion: reduce)");

/** Draws the circle. `now` is the node's clock as the page guesses it, in microseconds. */
export class Circle {
    constructor() {
        this.svg = byId("circle");
        this.key = null;
        this.hop = null;
    }

    draw(state, now) {
        const members = state.ring?.members ?? (state.me ? [state.me.id] : []);
        const outside = rings(state);
        const names = members.map((id) => state.nodes.get(id)?.name ?? "").join("\n");
        const key = JSON.stringify([members, names, state.me?.id, state.phase, outside, document.documentElement.lang]);
        if (key !== this.key) this.build(state, members, outside);
        this.key = key;
        this.update(state, members, now);
        text(byId("circle-words"), describe(state, members, outside));
    }

    build(state, members, outside) {
        const operational = state.phase === "operational";
        const parts = [shape("circle", { class: operational ? "path" : "path broken", cx: CENTER.x, cy: CENTER.y, r: RADIUS })];
        this.nodes = new Map();
        this.places = new Map();
        members.forEach((id, index) => {
            const place = around(index, members.length);
            this.places.set(id, place);
            if (members.length > 1) parts.push(arrow(index, members.length));
        });
        members.forEach((id) => {
            const group = this.member(state, id, members.length);
            this.nodes.set(id, group);
            parts.push(group);
        });
        this.center = shape("g", { class: "center", "text-anchor": "middle" });
        this.hopText = shape("text", { class: "center-hop", x: CENTER.x, y: CENTER.y - 4 });
        this.epochText = shape("text", { class: "center-epoch", x: CENTER.x, y: CENTER.y + 16 });
        this.center.append(this.hopText, this.epochText);
        this.token = shape("g", { class: "token" }, shape("circle", { r: 9 }), shape("circle", { class: "token-core", r: 3.5 }));
        parts.push(this.center, ...this.aside(outside), this.token);
        this.svg.replaceChildren(...parts);
    }

    member(state, id, many) {
        const { x, y, angle } = this.places.get(id);
        const size = many > 12 ? 13 : many > 7 ? 17 : 21;
        const me = id === state.me?.id;
        // Beside the circle at its sides; over and under it elsewhere, where the two lines grow away from it.
        const aside = many > 1 && Math.abs(Math.cos(angle)) >= 0.35;
        const labelX = aside ? Math.sign(Math.cos(angle)) * (size + 15) : 0;
        const labelY = aside ? 0 : many === 1 || Math.sin(angle) > 0 ? size + 18 : -size - 30;
        const anchor = !aside ? "middle" : Math.cos(angle) > 0 ? "start" : "end";
        const group = shape("g", { class: me ? "node self" : "node", transform: `translate(${x} ${y})`, "data-node": id });
        group.append(
            shape("rect", { class: "holder-mark", x: -size - 2, y: -size - 2, width: 2 * size + 4, height: 2 * size + 4, rx: 6, transform: "rotate(45)" }),
            shape("circle", { class: "body", r: size }),
            me ? shape("circle", { class: "self-mark", r: size - 4 }) : "",
            shape("text", { class: "node-id", "text-anchor": "middle", y: 5 }, String(id)),
        );
        const label = shape("text", { class: "node-label", "text-anchor": anchor, x: labelX, y: labelY + 4 });
        const name = state.nodes.get(id)?.name;
        const shown = name ? visibleName(name, many > 7 ? 8 : 14) : "";
        const first = shape("tspan", { class: "node-name", x: labelX }, shown || say("ring.node", { node: id }));
        if (me) first.append(` (${say("people.you")})`);
        label.append(first);
        const second = shape("tspan", { class: "node-does", x: labelX, dy: 15 });
        label.append(second);
        group.append(label);
        group.does = second;
        return group;
    }

    // Those outside: each ring that is known of, and those of whom only the absence is known.
    aside(outside) {
        return outside.map((other, index) => {
            const group = shape("g", { class: "aside", transform: `translate(${14 + (index % 2) * 300} ${266 - Math.floor(index / 2) * 36})` });
            group.append(
                shape("circle", { class: "aside-ring", cx: 4, cy: -8, r: 11 }),
                shape("text", { class: "aside-nodes", x: 22, y: -10 }, other.nodes.slice(0, APART_SHOWN).join(" ") + (other.nodes.length > APART_SHOWN ? " …" : "")),
                shape("text", { class: "aside-words", x: 22, y: 4 }, other.words),
            );
            return group;
        });
    }

    update(state, members, now) {
        const { token } = state;
        const operational = state.phase === "operational";
        const known = operational ? (token.at ?? token.to ?? token.seen) : null;
        for (const [id, group] of this.nodes) {
            const holds = operational && token.at === id;
            const seen = operational && token.at === null && known === id;
            const waits = state.nodes.get(id)?.waiting != null || (id === state.me?.id && state.asking);
            group.classList.toggle("holds", holds);
            group.classList.toggle("seen", Boolean(seen));
            group.classList.toggle("waits", Boolean(waits) && !holds);
            text(group.does, holds ? say("ring.holds") : seen ? say(token.to === id ? "ring.last_seen" : token.resting ? "ring.rested" : "ring.was_here") : waits ? say("ring.waits") : "");
        }
        text(this.hopText, operational && token.hop !== null ? say("ring.hop", { hop: count(token.hop) }) : operational ? "" : say("ring.none"));
        text(this.epochText, state.ring ? say("ring.epoch", { epoch: state.ring.epoch }) : "");
        this.center.classList.toggle("over", !operational);
        this.moveToken(state, known);
        set(this.svg, { "data-holder": token.at ?? "", "data-seen": known ?? "", "data-hop": token.hop ?? "", "data-members": members.join(" "), "data-phase": state.phase });
        this.age = now - token.us;
    }

    moveToken(state, known) {
        const place = known === null ? null : this.places.get(known);
        this.token.classList.toggle("gone", !place);
        this.token.classList.toggle("hollow", state.token.at === null);
        if (!place) return;
        this.token.style.transform = within(place.angle);
        const moved = state.token.hop !== this.hop;
        this.hop = state.token.hop;
        const from = this.places.get(state.token.to === null ? state.token.seen : state.token.from);
        if (!moved || !from || still.matches || document.hidden || this.places.size < 2) return;
        // Its way since the last picture is shown once: to whom it was passed, or all the way round and here again.
        const far = (place.angle - from.angle + 2 * Math.PI) % (2 * Math.PI) || 2 * Math.PI;
        const way = Array.from({ length: 13 }, (_, step) => ({ transform: within(from.angle + (far * step) / 12) }));
        this.token.animate(way, { duration: 100 + 40 * far, easing: "ease-out" });
    }
}

// Rings that this node is not in, from what was told of them, and nodes that left.
function rings(state) {
    const groups = new Map();
    for (const other of apart(state)) {
        if (other.id === state.me?.id) continue;
        const theirs = ringApart(state, other);
        const key = theirs ?? other.left?.how ?? "gone";
        const words = theirs
            ? say("ring.own_ring", { ring: shortRing(theirs) })
            : other.left?.how === "goodbye"
              ? say("people.left")
              : other.left?.ring
                ? say("ring.silent_last", { ring: shortRing(other.left.ring) })
                : say("people.gone");
        const group = groups.get(key) ?? { nodes: [], words };
        group.nodes.push(other.id);
        groups.set(key, group);
    }
    return [...groups.values()].slice(0, 4);
}

function describe(state, members, outside) {
    const order = members.map((id) => `${visibleName(state.nodes.get(id)?.name || String(id))} ${id}`).join(" → ");
    const sentences = [say(members.length === 1 ? "circle.alone" : "circle.members", { n: members.length, order })];
    if (state.me) sentences.push(say("circle.you", { node: state.me.id }));
    if (state.phase === "operational" && state.token.at !== null) sentences.push(say("circle.holder", { node: state.token.at }));
    else if (state.phase === "operational" && state.token.to !== null) sentences.push(say("circle.passed", { node: state.token.to }));
    else if (state.phase === "operational" && state.token.seen !== null) sentences.push(say("circle.seen", { node: state.token.seen }));
    for (const other of outside) sentences.push(`${other.nodes.join(", ")}: ${other.words}.`);
    return sentences.join(" ");
}

function around(index, many) {
    const angle = -Math.PI / 2 + (2 * Math.PI * index) / many;
    return { x: CENTER.x + RADIUS * Math.cos(angle), y: CENTER.y + RADIUS * Math.sin(angle), angle };
}

// The token's place inside the circle, as a style.
function within(angle) {
    const radius = RADIUS - INSIDE;
    return `translate(${CENTER.x + radius * Math.cos(angle)}px, ${CENTER.y + radius * Math.sin(angle)}px)`;
}

// A small arrow half way between two members: the way that the token goes.
function arrow(index, many) {
    const { x, y, angle } = around(index + 0.5, many);
    return shape("path", { class: "way", d: "M-4,-4 L4,0 L-4,4", transform: `translate(${x} ${y}) rotate(${(angle * 180) / Math.PI + 90})` });
}

/** The facts beside the circle, as terms and sentences. */
export function drawFacts(state, now) {
    const rows = facts(state, now);
    const list = byId("facts");
    rows.forEach(([key, sentence], index) => {
        let row = list.children[index];
        if (!row || row.dataset.key !== key) {
            const fresh = element("div", { class: `fact fact-${key}`, "data-key": key }, element("dt"), element("dd", {}, element("span")));
            if (row) row.replaceWith(fresh);
            else list.append(fresh);
            row = fresh;
        }
        text(row.firstChild, say(`fact.${key}`));
        text(row.lastChild.firstChild, sentence);
    });
    while (list.children.length > rows.length) list.lastChild.remove();
}

function facts(state, now) {
    const { token } = state;
    const rows = [["token", tokenSentence(state, now)]];
    if (token.carried) rows.push(["carries", carriedSentence(token.carried)]);
    rows.push(["waits", waitingSentence(state, now)], ["mine", mineSentence(state)]);
    const last = state.rotations.at(-1);
    rows.push(["rotation", last ? span(last) : say("rotation.none")]);
    rows.push(["order", say("order.both", { stable: count(state.stable), ordered: count(state.high) })]);
    const repair = repairSentence(state);
    if (repair) rows.push(["repairs", repair]);
    if (state.merge) {
        const parts = state.merge.parts.map((part) => `${shortRing(part.ring)} {${part.members.join(", ")}}`).join(" + ");
        rows.push(["merge", say("merge.sentence", { parts, ring: shortRing(state.merge.ring) })]);
    } else if (state.ringsBefore.length > 0) {
        const before = state.ringsBefore.slice(-3).reverse();
        rows.push(["before", before.map((ring) => `${shortRing(ring.ring)} {${ring.members.join(", ")}}`).join(" · ")]);
    }
    return rows;
}

function tokenSentence(state, now) {
    const { token } = state;
    if (state.phase !== "operational") return say("token.none");
    const facts = { hop: count(token.hop ?? 0), ago: span(now - token.us), node: token.at ?? token.to ?? token.seen };
    if (token.at !== null) {
        return token.at === state.me?.id ? say("token.here", facts) : say("token.at", facts);
    }
    if (token.to !== null) return say("token.passed", facts);
    if (token.seen !== null) return say(token.resting ? "token.rested" : "token.seen", facts);
    return say("token.not_seen");
}

function carriedSentence(carried) {
    const gaps = carried.lacking.map((gap) => (gap.from_seq === gap.to_seq ? `#${gap.from_seq}` : `#${gap.from_seq}–${gap.to_seq}`));
    const facts = { high: count(carried.high), stable: count(carried.stable) };
    return gaps.length > 0 ? say("carries.gaps", { ...facts, gaps: gaps.slice(0, 6).join(", ") }) : say("carries.none", facts);
}

function waitingSentence(state, now) {
    const waiting = state.token.carried?.waiting ?? [];
    const parts = waiting.map(({ node, since }) => say("waits.since", { node, hop: count(since), n: Math.max(0, (state.token.hop ?? since) - since) }));
    if (state.asking) parts.unshift(say("waits.here", { ago: span(now - state.asking.us) }));
    return parts.length > 0 ? parts.join("; ") : say("waits.nobody");
}

function mineSentence(state) {
    const hops = state.me && state.phase === "operational" ? hopsUntil(state, state.me.id) : null;
    if (hops === null) return say("mine.unknown");
    return state.token.at === state.me.id ? say("mine.now") : hops === 0 ? say("mine.was_here") : say("mine.hops", { n: hops });
}

function repairSentence(state) {
    const last = state.repairs.slice(-2).reverse();
    return last
        .map((repair) => {
            if (repair.kind === "asked") return say(repair.from === repair.to ? "repair.asked_one" : "repair.asked", { from: repair.from, to: repair.to, node: repair.by });
            if (repair.kind === "resent") return repair.to === null ? say("repair.resent_all", { seq: repair.seq }) : say("repair.resent", { seq: repair.seq, node: repair.to });
            return say("repair.repaired", { seq: repair.seq, node: repair.from });
        })
        .join("; ");
}

/** Why the ring is over, or what is odd about it, with the evidence. */
export function evidence(state) {
    const { gathering, token } = state;
    if (state.phase === "gathering" && gathering) {
        if (gathering.about !== null && gathering.silent_us !== null) {
            return say("evidence.silent", { node: gathering.about, silent: span(gathering.silent_us), limit: span(gathering.limit_us ?? 0) });
        }
        return say("evidence.reason", { reason: gathering.reason });
    }
    if (token.silent) return say("evidence.token", { silent: span(token.silent.us), limit: span(token.silent.limit) });
    return null;
}
