// What the page keeps in the browser: drafts, lines not sent yet, how far each room was read, and how it looks. By
// node, because one browser may have pages on several. A browser that keeps nothing only loses the comfort.

const PREFIX = "roda.";
const memory = new Map();

function read(name) {
    try {
        return JSON.parse(localStorage.getItem(PREFIX + name)) ?? memory.get(name) ?? null;
    } catch {
        return memory.get(name) ?? null;
    }
}

function write(name, value) {
    memory.set(name, value);
    try {
        localStorage.setItem(PREFIX + name, JSON.stringify(value));
    } catch {
        // Full or forbidden: it is kept as long as the page lives.
    }
}

/** A choice that holds for all nodes: language, colours, notifications. */
export const choice = { get: (name) => read(name), set: (name, value) => write(name, value) };

/** What belongs to a node. */
export class Keep {
    constructor(node) {
        this.node = node;
        // What waits to be written: reading a fast room must not write for every message.
        this.due = new Map();
    }

    name(part) {
        return `${this.node}.${part}`;
    }

    draft(room) {
        return (read(this.name("drafts")) ?? {})[room] ?? "";
    }

    setDraft(room, text) {
        const drafts = read(this.name("drafts")) ?? {};
        if (text) drafts[room] = text;
        else delete drafts[room];
        write(this.name("drafts"), drafts);
    }

    /** The lines that the node has not taken yet, oldest first. */
    unsent() {
        return read(this.name("unsent")) ?? [];
    }

    addUnsent(line) {
        write(this.name("unsent"), [...this.unsent(), line]);
    }

    dropUnsent(key) {
        write(this.name("unsent"), this.unsent().filter((line) => line.key !== key));
    }

    refuseUnsent(key, error) {
        write(this.name("unsent"), this.unsent().map((line) => (line.key === key ? { ...line, error } : line)));
    }

    /** The position of the last message that was read in a room. */
    lastRead(room) {
        return this.reads()[room] ?? null;
    }

    setRead(room, position) {
        this.reads()[room] = position;
        clearTimeout(this.timer);
        this.timer = setTimeout(() => write(this.name("read"), this.reads()), 300);
    }

    flush() {
        write(this.name("read"), this.reads());
    }

    reads() {
        this.readPositions ??= read(this.name("read")) ?? {};
        return this.readPositions;
    }

    room() {
        return read(this.name("room"));
    }

    setRoom(room) {
        write(this.name("room"), room);
    }
}

/** A key for a line: random, so that no two lines of any page share one. */
export function freshKey() {
    const bytes = crypto.getRandomValues(new Uint8Array(15));
    return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}
