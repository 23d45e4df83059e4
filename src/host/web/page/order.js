// Positions: where a message stands. A ring is spelled `epoch.leader.incarnation`; sorting by position is the canonical
// order.

const parsed = new Map();

/** A ring's parts, for comparing. Incarnations can be larger than a number holds exactly: they stay digits. */
export function ringParts(ring) {
    let parts = parsed.get(ring);
    if (!parts) {
        const [epoch, leader, incarnation] = String(ring ?? "0.0.0").split(".");
        parts = { epoch: Number(epoch), leader: Number(leader), incarnation: (incarnation ?? "0").padStart(20, "0") };
        // Rings are few; a peer that makes up thousands must not fill the memory.
        if (parsed.size > 1000) parsed.clear();
        parsed.set(ring, parts);
    }
    return parts;
}

/** An event's position. */
export function position(event) {
    return { ring: event.ring, seq: event.seq };
}

/** Negative if the first position comes before the second. */
export function compare(one, other) {
    if (one.ring !== other.ring) {
        const a = ringParts(one.ring);
        const b = ringParts(other.ring);
        if (a.epoch !== b.epoch) return a.epoch - b.epoch;
        if (a.leader !== b.leader) return a.leader - b.leader;
        if (a.incarnation !== b.incarnation) return a.incarnation < b.incarnation ? -1 : 1;
    }
    return one.seq - other.seq;
}

/** Whether two names of rings are the same ring. */
export function sameRing(one, other) {
    return one !== undefined && one !== null && one === other;
}

/** Where a position belongs in a sorted list: the index of the first entry that is not before it. */
export function place(list, wanted) {
    // Nearly always it is the newest.
    if (list.length === 0 || compare(list[list.length - 1], wanted) < 0) return list.length;
    let low = 0;
    let high = list.length;
    while (low < high) {
        const middle = (low + high) >> 1;
        if (compare(list[middle], wanted) < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}
