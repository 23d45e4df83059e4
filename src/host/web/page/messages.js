// The messages that the page holds: by room, in canonical order, bounded; and the lines that have no number yet.
//
// A part of the model: no document, no clock. What is not held in memory is in the replica, and is asked for again.

import { compare, place, position, ringParts } from "./order.js";

/** How many messages are kept in memory, over all rooms. */
export const MESSAGES_KEPT = 5000;
/** How many rooms are told apart; messages of any further one are counted in the last. */
const ROOMS_KEPT = 500;

/** No messages. */
export function begin() {
    return {
        rooms: new Map(),
        byId: new Map(),
        // Positions by number, to tell when one number names two messages.
        bySeq: new Map(),
        pending: new Map(),
        // Own messages that are not known to be held by all.
        open: new Set(),
        count: 0,
        // The node's life in which messages are told now: those of an earlier one may have been discarded since.
        life: null,
        // Raised when what is held must be asked for again; the page compares.
        asked: 0,
        // All there is was or will be told: nothing older is to be asked for.
        whole: false,
        // The ids that were altered since the page looked last; null when all of them may have been.
        altered: new Set(),
    };
}

/** A room, made if it is new. */
export function room(chat, name) {
    let found = chat.rooms.get(name);
    if (!found) {
        if (chat.rooms.size >= ROOMS_KEPT) return [...chat.rooms.values()].pop();
        found = { name, list: [], topic: null, topicAt: null, atEnd: true, more: !chat.whole, fresh: 0, total: 0 };
        chat.rooms.set(name, found);
    }
    return found;
}

/** An own line is in the synced outbox. */
export function pending(chat, event) {
    if (chat.byId.has(event.id)) return;
    chat.pending.set(event.id, {
        id: event.id,
        key: event.key ?? null,
        from: event.from,
        name: event.name,
        room: event.room,
        sent: event.sent,
        text: event.text,
        own: true,
    });
}

/** A message at its position; whether it was new. */
export function message(chat, event, me) {
    chat.pending.delete(event.id);
    const known = chat.byId.get(event.id);
    if (known) {
        // It is told again after a reset or with a history: what is known of it stays.
        known.discarded = false;
        known.life = chat.life;
        chat.altered.add(known.id);
        return false;
    }
    const at = room(chat, event.room ?? "");
    const entry = {
        id: event.id,
        key: event.key ?? null,
        ring: event.ring,
        seq: event.seq,
        from: event.from ?? Number(String(event.id).split("-")[0]),
        name: event.name ?? "",
        room: at.name,
        sent: event.sent ?? null,
        text: event.text ?? "",
        own: event.own === true || (me !== undefined && event.from === me),
        late: event.late === true,
        unreadable: event.unreadable ?? null,
        k: 0,
        n: 0,
        written: event.old === true,
        moved: null,
        discarded: false,
        life: chat.life,
    };
    topic(at, entry);
    if (!event.old) {
        at.total += 1;
        at.fresh += 1;
        // A room that shows an older part of itself takes nothing in at its end: there would be a hole before it.
        if (!at.atEnd) return true;
    }
    insert(chat, at, entry);
    trim(chat, at);
    return true;
}

function topic(at, entry) {
    if (!entry.text.startsWith("/topic ")) return;
    if (at.topicAt && compare(entry, at.topicAt) < 0) return;
    at.topic = entry.text.slice("/topic ".length);
    at.topicAt = position(entry);
}

function insert(chat, at, entry) {
    at.list.splice(place(at.list, entry), 0, entry);
    chat.byId.set(entry.id, entry);
    const twins = chat.bySeq.get(entry.seq);
    if (twins) {
        twins.push(entry);
        twins.forEach((twin) => chat.altered.add(twin.id));
    } else {
        chat.bySeq.set(entry.seq, [entry]);
    }
    if (entry.own && !(entry.n > 0 && entry.k >= entry.n)) chat.open.add(entry);
    chat.count += 1;
}

function forget(chat, entry) {
    chat.byId.delete(entry.id);
    chat.open.delete(entry);
    const twins = chat.bySeq.get(entry.seq) ?? [];
    if (twins.length <= 1) chat.bySeq.delete(entry.seq);
    else twins.splice(twins.indexOf(entry), 1);
    chat.count -= 1;
}

// Too many: the longest room gives up its oldest, or, if it was just filled with older ones, its newest.
function trim(chat, filled) {
    while (chat.count > MESSAGES_KEPT) {
        let longest = filled;
        for (const other of chat.rooms.values()) if (other.list.length > longest.list.length) longest = other;
        const many = Math.min(longest.list.length, 200);
        const dropped = longest.loading ? longest.list.splice(-many) : longest.list.splice(0, many);
        if (longest.loading) longest.atEnd = false;
        else longest.more = true;
        dropped.forEach((entry) => forget(chat, entry));
    }
}

/** Held by k of the n members of its ring. */
export function held(chat, event) {
    const known = chat.byId.get(event.id);
    if (!known || event.k <= known.k) return;
    known.k = event.k;
    known.n = event.n;
    if (known.k >= known.n) chat.open.delete(known);
    chat.altered.add(event.id);
}

/** All `n` members of a ring hold all up to a number, as its token proves. */
export function stable(chat, ring, seq, n) {
    for (const entry of chat.open) {
        if (entry.ring !== ring || entry.seq > seq) continue;
        entry.k = n;
        entry.n = n;
        chat.open.delete(entry);
        chat.altered.add(entry.id);
    }
}

/** In this node's replica, synced. */
export function written(chat, event) {
    const known = chat.byId.get(event.id);
    if (!known || known.written) return;
    known.written = true;
    chat.altered.add(event.id);
}

/** One message was found at two positions: it stands at the lower one now. */
export function moved(chat, event) {
    const known = chat.byId.get(event.id);
    if (!known) return;
    const at = room(chat, known.room);
    at.list.splice(at.list.indexOf(known), 1);
    forget(chat, known);
    known.moved = { ring: event.from_ring, seq: event.from_seq };
    known.ring = event.to_ring;
    known.seq = event.to_seq;
    insert(chat, at, known);
    chat.altered.add(known.id);
}

/** Older messages came, because they were asked for. */
export function older(chat, name, messages, more, me) {
    const at = room(chat, name);
    at.loading = true;
    for (const event of messages) message(chat, { ...event, old: true }, me);
    at.loading = false;
    at.more = more;
}

/** A part of a room that does not reach its end is shown: all that was held of the room is let go. */
export function only(chat, name, messages, more, atEnd, me) {
    const at = room(chat, name);
    at.list.forEach((entry) => forget(chat, entry));
    at.list = [];
    at.atEnd = true;
    for (const event of messages) message(chat, { ...event, old: true }, me);
    at.more = more;
    at.atEnd = atEnd;
}

/**
 * What the node holds now, after it began again: `messages` are its newest, over all rooms. What the page was told in an
 * earlier life, in this span, and the node has not, was discarded by a rollback and is not recovered (yet). How many those
 * are. What was told in this life is not judged: it may be on its way to the disk that the answer was read from.
 */
export function compareWith(chat, messages, all, me) {
    const held = new Set(messages.map((event) => event.id));
    const first = messages[0];
    let discarded = 0;
    for (const entry of chat.byId.values()) {
        if (entry.life === chat.life) continue;
        const inSpan = all || (first && compare(entry, first) >= 0);
        const gone = Boolean(inSpan) && !held.has(entry.id);
        if (gone !== entry.discarded) chat.altered.add(entry.id);
        entry.discarded = gone;
        discarded += gone ? 1 : 0;
    }
    for (const event of messages) message(chat, { ...event, old: true }, me);
    return discarded;
}

/** How a message is named: `#42`, and with its ring where the number alone names two. */
export function numberOf(chat, entry) {
    const twins = chat.bySeq.get(entry.seq);
    if (!twins || twins.every((twin) => twin.ring === entry.ring)) return `#${entry.seq}`;
    const ring = ringParts(entry.ring);
    return `#${entry.seq}@${ring.epoch}.${ring.leader}`;
}

/** The message that `42` or `42@5.1` names, if the page holds it. */
export function named(chat, name) {
    const [seq, ring] = String(name).replace(/^#/, "").split("@");
    const twins = chat.bySeq.get(Number(seq)) ?? [];
    if (!ring) return twins[0];
    return twins.find((twin) => `${ringParts(twin.ring).epoch}.${ringParts(twin.ring).leader}` === ring);
}

/** What a text means: it is said, or it is an action, a topic, or an absence. The same marks as the terminal's. */
export function meaning(text) {
    if (text.startsWith("/me ")) return { kind: "action", text: text.slice(4) };
    if (text.startsWith("/topic ")) return { kind: "topic", text: text.slice(7) };
    if (text.startsWith("/away ")) return { kind: "away", text: text.slice(6) };
    if (text === "/away") return { kind: "back", text: "" };
    return { kind: "said", text };
}

/** Whether a text names somebody: the name as a whole word, whatever its case. */
export function mentions(text, name) {
    if (!name) return false;
    const wanted = name.toLocaleLowerCase();
    const whole = text.toLocaleLowerCase();
    for (let at = whole.indexOf(wanted); at >= 0; at = whole.indexOf(wanted, at + 1)) {
        const before = [...whole.slice(0, at)].pop() ?? " ";
        const after = [...whole.slice(at + wanted.length, at + wanted.length + 2)][0] ?? " ";
        if (!/[\p{L}\p{N}_]/u.test(before) && !/[\p{L}\p{N}_]/u.test(after)) return true;
    }
    return false;
}
