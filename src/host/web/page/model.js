// What the page knows, from events only: reduce(state, event).
//
// No document, no clock, no network: the same events give the same state, so that a recording, a test and the live page
// show the same. Every time is a node's own (`us`, its monotonic clock) or the event's `at`. The state is altered in
// place, because 200 messages a second leave no room for copies; `state.turn` counts what changed, by part, so that
// the views look only where something did. It is made of plain objects, arrays and maps: structuredClone copies it.
//
// Events of other nodes than one's own (a recording of several) move the token and fill rings, and nothing else.

import { compare, position, sameRing } from "./order.js";
import * as chat from "./messages.js";

/** How many messages are kept in memory; older ones are asked for when somebody scrolls up. */
export const MESSAGES_KEPT = chat.MESSAGES_KEPT;
/** Rotations in the sparkline. */
export const ROTATIONS_KEPT = 60;
/** Lines in the list of ring events. */
export const LINES_KEPT = 200;
/** Earlier rings, checkpoints and repairs that are still shown. */
export const KEPT_FEW = 24;
/** The most events that a page takes in between two pictures, and the most time for it. */
export const EVENTS_A_FRAME = 300;
export const FRAME_MS = 8;
/** An idle ring passes its token six times a second: so long it may rest at each member, in microseconds. */
const IDLE_HOP_US = 166_667;
/** Steps of the token on the space-time diagram. */
export const STEPS_KEPT = 400;

/**
 * The state before any event; with a node, that of this node's page: what others tell (in a recording of several) is
 * theirs.
 */
export function begin(follows = null) {
    return {
        follows,
        turn: { chat: 0, ring: 0, people: 0, lines: 0, self: 0 },
        // The last event of the own node: its counter, its clock, its time.
        last: { n: 0, us: 0, at: null },
        me: null,
        node: { version: null, lab: false, encrypted: false, key: null, left: null },
        story: null,
        status: null,
        phase: "starting",
        gathering: null,
        ring: null,
        ringsOf: new Map(),
        ringsBefore: [],
        merge: null,
        // `at` has it for certain (from its grant to its pass), `to` was passed it, `seen` had it when it was seen last.
        token: { ring: null, hop: null, at: null, to: null, seen: null, from: null, us: 0, resting: false, carried: null, silent: null },
        nodes: new Map(),
        asking: null,
        rotations: [],
        // The sighting from which the next rotation is measured: ring, hop and the node's clock.
        sighting: null,
        high: 0,
        stable: 0,
        lacking: [],
        repairs: [],
        checkpoints: [],
        rollback: null,
        // What is wrong here, as the doctor found; null if nothing is.
        doctor: null,
        disk: { full: null },
        catching: null,
        lines: [],
        steps: [],
        lab: new Map(),
        warnings: [],
        chat: chat.begin(),
    };
}

/** Takes an event in. Unknown types change nothing: they are for newer pages. */
export function reduce(state, event) {
    const own = isOwn(state, event);
    if (own) {
        state.last = { n: event.event ?? state.last.n, us: event.us ?? state.last.us, at: event.at ?? state.last.at };
    }
    const take = TAKE[event.type];
    if (take && (own || concerns(state, event))) take(state, event, own);
    return state;
}

// Whether an event of another node tells something of this node's ring, too: its token there, what it has, its own ring.
function concerns(state, event) {
    if (!OF_ALL.has(event.type)) return false;
    if (!OF_THE_TOKEN.has(event.type)) return true;
    return state.ring !== null && (event.ring ?? state.ringsOf.get(event.node)) === state.ring.ring;
}

function isOwn(state, event) {
    if (state.follows !== null) return event.node === state.follows;
    return !state.me || event.node === undefined || event.node === state.me.id || event.type === "start";
}

// What an event of another node may tell as well.
const OF_THE_TOKEN = new Set(["grant", "pass", "rest", "wake"]);
const OF_ALL = new Set([...OF_THE_TOKEN, "ring", "message", "written"]);

const TAKE = {
    start(state, event) {
        const again = state.me && state.me.incarnation !== event.incarnation;
        state.me = {
            id: event.id,
            incarnation: event.incarnation,
            name: event.name,
            room: event.room,
            group: event.group,
            interface: event.interface,
        };
        Object.assign(state.node, {
            version: event.version ?? null,
            lab: event.lab === true,
            encrypted: event.encrypted === true,
            key: event.key ?? null,
            left: null,
        });
        state.chat.life = event.incarnation;
        state.phase = "gathering";
        state.ring = null;
        state.gathering = null;
        state.asking = null;
        state.lacking = [];
        state.token = { ...begin().token };
        node(state, event.id).name = event.name;
        touch(state, "self", "ring", "people");
        if (again) tell(state, event, "line.restarted", { node: event.id });
    },

    story(state, event) {
        state.story = event;
        const last = state.checkpoints.findLast((flag) => flag.number === event.checkpoint);
        if (event.rolled_back > 0) {
            // The jump back: from the highest number that was known to the one that the checkpoint had.
            const to = event.delivered_seq ?? last?.seq ?? Math.max(0, state.high - event.rolled_back);
            state.rollback = {
                at: event.at,
                us: event.us ?? 0,
                from: Math.max(state.high, to + event.rolled_back),
                to,
                checkpoint: event.checkpoint,
                discarded: event.rolled_back,
                own: event.recovered_own,
                peers: 0,
            };
            tell(state, event, "line.rolled_back", {
                checkpoint: event.checkpoint ?? "–",
                n: event.rolled_back,
                own: event.recovered_own,
            });
        } else if (!event.fresh) {
            tell(state, event, "line.began", { n: event.held });
        }
        for (const text of event.warnings ?? []) warn(state, event, text);
        touch(state, "ring", "self");
    },

    reset(state, event) {
        // What came between is lost to the stream: what is held must be asked for again.
        state.chat.asked += 1;
        tell(state, event, "line.reset", {});
        touch(state, "chat", "ring");
    },

    lost(state, event) {
        // The stream has a hole: what is held must be asked for again.
        state.chat.asked += 1;
        tell(state, event, "line.lost", { n: event.count ?? 0 });
        touch(state, "chat");
    },

    doctor(state, event) {
        tell(state, event, "line.doctor", { words: event.words ?? "", remedy: event.remedy ?? "" });
        state.doctor = event.trouble ? event : null;
        touch(state, "self");
    },

    pending(state, event) {
        chat.pending(state.chat, event);
        touch(state, "chat");
    },

    refused(state, event) {
        warn(state, event, event.reason);
    },

    message(state, event, own) {
        if (!own) return has(state, event, "received");
        if (!chat.message(state.chat, event, state.me?.id)) return;
        touch(state, "chat");
        if (event.seq > state.high && sameRing(event.ring, state.ring?.ring)) state.high = event.seq;
        has(state, event, "received");
        if (heard(state, event)) touch(state, "people");
    },

    history(state, event) {
        if (chat.message(state.chat, { ...event, old: true }, state.me?.id)) touch(state, "chat");
        if (heard(state, event)) touch(state, "people");
    },

    held(state, event) {
        chat.held(state.chat, event);
        touch(state, "chat");
    },

    written(state, event, own) {
        has(state, event, "held");
        if (!own) return;
        chat.written(state.chat, event);
        touch(state, "chat");
    },

    moved(state, event) {
        chat.moved(state.chat, event);
        tell(state, event, "line.moved", { from: event.from_seq, to: event.to_seq });
        touch(state, "chat");
    },

    conflict(state, event) {
        tell(state, event, "line.conflict", { seq: event.seq, id: event.id });
    },

    found_ordered(state, event) {
        tell(state, event, "line.found_ordered", { id: event.id });
    },

    offered_again(state, event) {
        tell(state, event, "line.offered_again", { id: event.id });
    },

    request(state, event) {
        state.asking = { us: event.us ?? 0, ring: event.ring ?? null };
        tell(state, event, "line.request", {});
        touch(state, "ring");
    },

    grant(state, event, own) {
        const at = event.node ?? state.me?.id ?? null;
        if (older(state, event)) return;
        const asked = own ? state.asking : null;
        Object.assign(state.token, {
            ring: event.ring ?? state.ring?.ring ?? null,
            hop: event.hop,
            at,
            to: null,
            seen: null,
            us: event.us ?? 0,
            resting: false,
            silent: null,
        });
        if (own) state.asking = null;
        visit(state, event, { node: at, hop: event.hop, waited: asked ? (event.us ?? 0) - asked.us : null });
        touch(state, "ring");
    },

    pass(state, event) {
        const from = event.node ?? state.me?.id ?? null;
        if (older(state, event)) return;
        Object.assign(state.token, {
            ring: event.ring ?? state.ring?.ring ?? null,
            hop: event.hop,
            at: null,
            seen: null,
            from,
            to: event.to,
            us: event.us ?? 0,
            resting: false,
            silent: null,
        });
        step(state, { kind: "pass", node: from, to: event.to, hop: event.hop, us: event.us ?? 0 });
        touch(state, "ring");
    },

    rest(state, event) {
        if (older(state, event)) return;
        const seen = event.node ?? state.me?.id ?? null;
        Object.assign(state.token, { ring: event.ring, hop: event.hop, at: null, to: null, seen, resting: true, us: event.us ?? 0 });
        touch(state, "ring");
    },

    wake(state, event) {
        state.token.resting = false;
        touch(state, "ring");
    },

    token(state, event) {
        sighted(state, event);
        state.token.carried = {
            hop: event.hop,
            us: event.us ?? 0,
            high: event.high,
            stable: event.stable_up_to,
            lacking: event.lacking ?? [],
            waiting: [],
        };
        state.token.silent = null;
        if (event.high > state.high) state.high = event.high;
        settle(state, event);
        state.lacking = event.lacking ?? [];
        for (const member of event.members ?? []) {
            const known = node(state, member.id);
            known.received = member.received_up_to;
            known.held = member.held_up_to;
            known.waiting = member.waiting_since ?? null;
            if (known.waiting !== null) state.token.carried.waiting.push({ node: member.id, since: known.waiting });
        }
        rotated(state, event);
        touch(state, "ring");
    },

    asked(state, event) {
        repair(state, event, "asked", { from: event.from_seq, to: event.to_seq, by: event.by });
    },

    resent(state, event) {
        repair(state, event, "resent", { seq: event.seq, to: event.to ?? null });
    },

    repaired(state, event) {
        repair(state, event, "repaired", { seq: event.seq, from: event.from });
    },

    gathering(state, event) {
        state.phase = "gathering";
        state.gathering = {
            reason: event.reason,
            about: event.about ?? null,
            silent_us: event.silent_us ?? null,
            limit_us: event.limit_us ?? null,
            us: event.us ?? 0,
            at: event.at,
        };
        state.token.silent = null;
        tell(state, event, event.about != null && event.silent_us != null ? "line.silent" : "line.gathering", {
            node: event.about ?? 0,
            silent: event.silent_us ?? 0,
            limit: event.limit_us ?? 0,
            reason: event.reason,
        });
        touch(state, "ring", "people");
    },

    ring(state, event, own) {
        const teller = event.node ?? state.me?.id;
        for (const member of event.members) {
            const known = node(state, member.id);
            if (member.name) known.name = member.name;
            known.incarnation = member.incarnation;
            known.lastRing = event.ring;
        }
        state.ringsOf.set(teller, event.ring);
        touch(state, "ring", "people");
        if (!own) return;
        install(state, event);
    },

    fenced(state, event) {
        tell(state, event, "line.fenced", { node: event.from, ring: event.ring });
        touch(state, "ring");
    },

    woke(state, event) {
        tell(state, event, "line.woke", { away: event.away_us });
    },

    catching_up(state, event) {
        state.catching = { peer: event.peer, done: event.done, total: event.total };
        touch(state, "self");
    },

    caught_up(state, event) {
        state.catching = null;
        if (state.rollback) state.rollback.peers += event.received;
        if (event.received > 0) tell(state, event, "line.caught_up", { node: event.peer, n: event.received });
        touch(state, "self", "ring");
    },

    checkpointed(state, event) {
        const number = event.number ?? (state.checkpoints.at(-1)?.number ?? 0) + 1;
        const seq = event.delivered_seq ?? state.high;
        keep(state.checkpoints, { number, seq, records: event.records ?? null, at: event.at }, KEPT_FEW);
        tell(state, event, "line.checkpointed", { checkpoint: number, seq });
        touch(state, "ring");
    },

    reconciled(state, event) {
        tell(state, event, "line.reconciled", { n: event.records });
    },

    disk_full(state, event) {
        state.disk.full = event.reason;
        tell(state, event, "line.disk_full", { reason: event.reason });
        touch(state, "self");
    },

    disk_room(state, event) {
        state.disk.full = null;
        tell(state, event, "line.disk_room", {});
        touch(state, "self");
    },

    status(state, event) {
        state.status = event;
        if (event.phase === "operational" && state.phase !== "operational" && state.ring?.ring === event.ring) {
            state.phase = "operational";
        }
        if (event.high > state.high) state.high = event.high;
        settle(state, event);
        for (const member of event.members ?? []) {
            const known = node(state, member.id);
            if (member.name) known.name = member.name;
            if (member.incarnation) known.incarnation = member.incarnation;
            known.received = Math.max(known.received ?? 0, member.received_up_to ?? 0);
            known.held = Math.max(known.held ?? 0, member.held_up_to ?? 0);
        }
        // Silence is judged by the node's own clock, so that a slow page does not accuse the ring.
        const silent = (event.us ?? 0) - state.token.us;
        const late = event.phase === "operational" && !event.holding && state.token.us > 0;
        const limit = event.token_timeout_us + (event.members ?? []).length * IDLE_HOP_US * 2;
        state.token.silent = late && silent > limit ? { us: silent, limit } : null;
        touch(state, "ring", "self");
    },

    rekeyed(state, event) {
        tell(state, event, "line.rekeyed", { keys: (event.keys ?? []).join(", ") });
    },

    stranger(state, event) {
        tell(state, event, "line.stranger", { address: event.from_address, foreign: event.foreign });
    },

    warning(state, event) {
        warn(state, event, event.text);
    },

    lab(state, event) {
        const key = `${event.what} ${event.on}`;
        if (event.state === "begins" || event.state === "asked") state.lab.set(key, event);
        else state.lab.delete(key);
        tell(state, event, `lab.${event.state}`, { what: event.what, node: event.on, by: event.by, reason: event.reason ?? "", why: event.why ?? "" });
        touch(state, "ring");
    },

    exit(state, event) {
        state.node.left = { code: event.code, reason: event.reason ?? null };
        state.phase = "left";
        touch(state, "self", "ring", "people");
    },
};

// A ring of the own node: what was before goes to the list of earlier rings, and a merge is remembered as an act.
function install(state, event) {
    if (state.ring && state.ring.ring !== event.ring) {
        keep(state.ringsBefore, { ...state.ring, until: event.us ?? 0 }, KEPT_FEW);
    }
    const came = (event.came_from ?? []).filter((part) => part.ring);
    state.merge = came.length > 1 ? { ring: event.ring, parts: came, us: event.us ?? 0, at: event.at } : null;
    state.ring = {
        ring: event.ring,
        epoch: event.epoch,
        leader: event.leader,
        members: event.members.map((member) => member.id),
        first: event.first,
        us: event.us ?? 0,
        at: event.at,
    };
    const how = new Map((event.left_how ?? []).map((left) => [left.node, left.how]));
    const members = new Set(state.ring.members);
    for (const id of event.left ?? []) {
        const known = node(state, id);
        known.left = { how: how.get(id) ?? null, us: event.us ?? 0, at: event.at, ring: state.ringsBefore.at(-1)?.ring ?? null };
    }
    for (const [id, known] of state.nodes) {
        known.waiting = null;
        if (members.has(id)) known.left = null;
    }
    if (members.size > 1) state.doctor = null;
    state.phase = "operational";
    state.gathering = null;
    state.asking = null;
    state.lacking = [];
    state.high = Math.max(state.high, event.first - 1);
    state.token = { ...begin().token, ring: event.ring, us: event.us ?? 0, carried: state.token.carried };
    tell(state, event, members.size === 1 ? "line.alone" : "line.ring", {
        ring: event.ring,
        members: event.members.map((member) => member.id).join(" → "),
    });
    for (const id of event.joined ?? []) if (id !== state.me?.id) tell(state, event, "line.joined", { node: id });
    for (const id of event.left ?? []) {
        tell(state, event, how.get(id) === "goodbye" ? "line.left_goodbye" : "line.left_silent", { node: id });
    }
    if (state.merge) {
        tell(state, event, "line.merged", { rings: came.map((part) => shortRing(part.ring)).join(" + "), ring: event.ring });
    }
}

/** A ring's name as people read it: epoch and leader. */
export function shortRing(ring) {
    return String(ring ?? "").split(".").slice(0, 2).join(".");
}

/** How many passes until a node has the token, counted from where it was last known to be; null if that is not known. */
export function hopsUntil(state, id) {
    const members = state.ring?.members ?? [];
    const holder = state.token.at ?? state.token.to ?? state.token.seen;
    const from = members.indexOf(holder);
    const to = members.indexOf(id);
    if (from < 0 || to < 0) return null;
    return (to - from + members.length) % members.length;
}

/** The nodes that were seen and are in no ring with this one, with how they left and where they were last. */
export function apart(state) {
    const members = new Set(state.ring?.members ?? []);
    return [...state.nodes.entries()]
        .filter(([id, known]) => !members.has(id) && (known.lastRing || known.left || known.spoke))
        .map(([id, known]) => ({ id, ...known }))
        .sort((one, other) => one.id - other.id);
}

/** The ring that somebody outside is in, as they told themselves (in a recording of several); null if that is not known. */
export function ringApart(state, other) {
    const theirs = state.ringsOf.get(other.id);
    return theirs && theirs !== state.ring?.ring && theirs !== other.left?.ring ? theirs : null;
}

/** Whether a line is for this node's user: it names them, or their id. */
export { mentions } from "./messages.js";
export { compare, position };

// The token only ever has a higher hop number in the same ring; what is older came late.
function older(state, event) {
    const ring = event.ring ?? state.token.ring;
    return ring === state.token.ring && state.token.hop !== null && event.hop < state.token.hop;
}

function node(state, id) {
    let known = state.nodes.get(id);
    if (!known) {
        known = { name: "", incarnation: null, received: null, held: null, waiting: null, left: null, lastRing: null, spoke: false };
        state.nodes.set(id, known);
    }
    return known;
}

// The node that tells this event has a message: it received or holds all up to its number, as far as is known.
function has(state, event, how) {
    const teller = event.node ?? state.me?.id;
    if (teller === undefined) return;
    const known = node(state, teller);
    if (event.seq > (known[how] ?? 0)) known[how] = event.seq;
    touch(state, "ring");
}

// What a message says of its sender: a name, and whether one is away.
function heard(state, event) {
    if (event.from === undefined) return false;
    const known = node(state, event.from);
    const newer = !known.spokeAt || compare(position(event), known.spokeAt) > 0;
    if (!newer) return false;
    const before = `${known.name} ${known.away}`;
    known.spokeAt = position(event);
    known.spoke = true;
    known.name = event.name ?? known.name;
    known.away = event.text?.startsWith("/away ") ? event.text.slice(6) : null;
    return before !== `${known.name} ${known.away}`;
}

function repair(state, event, kind, facts) {
    keep(state.repairs, { kind, us: event.us ?? 0, at: event.at, ...facts }, KEPT_FEW);
    const form = kind === "resent" && facts.to === null ? "_all" : kind === "asked" && facts.from === facts.to ? "_one" : "";
    tell(state, event, `line.${kind}${form}`, {
        ...facts,
        node: facts.by ?? facts.to ?? facts.from ?? 0,
    });
    touch(state, "ring");
}

// What is stable is held by all members of its ring, and stays so when the ring is over.
function settle(state, event) {
    if (event.stable_up_to > state.stable) state.stable = event.stable_up_to;
    const open = state.chat.open.size;
    if (open === 0 || event.ring !== state.ring?.ring) return;
    chat.stable(state.chat, event.ring, event.stable_up_to, state.ring.members.length);
    if (state.chat.open.size !== open) touch(state, "chat");
}

// How long the token took round the ring since it was seen here before; the mean, where it went round more than once
// unseen.
function rotated(state, event) {
    const before = state.sighting;
    const now = { ring: event.ring, hop: event.hop, us: event.us ?? 0 };
    const rounds = before?.ring === now.ring ? (now.hop - before.hop) / Math.max(1, event.members?.length ?? 1) : 0;
    if (rounds >= 1) keep(state.rotations, Math.round((now.us - before.us) / rounds), ROTATIONS_KEPT);
    state.sighting = now;
}

// The token came by. Without a grant it was not kept: it was here, and that is all that is known.
function sighted(state, event) {
    if (older(state, event) || (state.token.ring === event.ring && state.token.hop === event.hop)) return;
    const seen = event.node ?? state.me?.id ?? null;
    const us = event.us ?? 0;
    Object.assign(state.token, { ring: event.ring, hop: event.hop, at: null, to: null, seen, us, resting: false });
    visit(state, event, { node: seen, hop: event.hop, waited: null });
}

function step(state, entry) {
    keep(state.steps, entry, STEPS_KEPT);
}

// The token's visits are many: one line counts those that follow each other.
function visit(state, event, facts) {
    // Told by the token first, and then by its grant: one visit.
    const again = state.steps.at(-1);
    const isTold = again?.kind === "grant" && again.node === facts.node && again.hop === facts.hop;
    if (!isTold) step(state, { kind: "grant", node: facts.node, hop: facts.hop, us: event.us ?? 0 });
    if (facts.waited !== null) {
        tell(state, event, "line.granted", { hop: facts.hop, waited: facts.waited });
        return;
    }
    if (isTold || !isOwn(state, event)) return;
    const last = state.lines.at(-1);
    if (last?.key === "line.visits") {
        last.facts.hop = facts.hop;
        last.facts.n += 1;
        last.us = event.us ?? 0;
        last.at = event.at;
        state.turn.lines += 1;
        return;
    }
    tell(state, event, "line.visits", { first: facts.hop, hop: facts.hop, n: 1 });
}

function tell(state, event, key, facts) {
    keep(state.lines, { n: event.event ?? 0, us: event.us ?? 0, at: event.at, key, facts, node: event.node }, LINES_KEPT);
    state.turn.lines += 1;
}

function warn(state, event, text) {
    tell(state, event, "line.warning", { text });
    keep(state.warnings, { at: event.at, text }, KEPT_FEW);
    touch(state, "self");
}

function keep(list, entry, most) {
    list.push(entry);
    if (list.length > most) list.splice(0, list.length - most);
}

function touch(state, ...parts) {
    for (const part of parts) state.turn[part] += 1;
}
