// The page's two ways to its node: events in, commands out.
//
// Events come over an EventSource. It is opened again by the page itself, with the last event's id, so that the page can
// say what is the matter, how long it waits, and go on exactly where it stopped. Commands are posts with a token; a line
// carries a key of its own, so that saying it twice is saying it once.

/** The longest pause between two tries to reach the node. */
const PAUSE_AT_MOST_MS = 3000;
/** A watched node tells its status every second. When nothing at all comes for so long, the connection is dead. */
const SILENCE_MS = 20_000;

/** The connection to a node. */
export class Stream {
    /** `hear(text, id)` gets each event as it came; `tell(connected)` whether there is a connection. */
    constructor(token, hear, tell) {
        this.token = token;
        this.hear = hear;
        this.tell = tell;
        this.after = null;
        this.source = null;
        this.pause = 250;
        this.heard = 0;
        setInterval(() => this.watch(), 5000);
        addEventListener("online", () => this.again(0));
        document.addEventListener("visibilitychange", () => {
            if (!document.hidden && !this.connected) this.again(0);
        });
    }

    /** Opens the stream. */
    open() {
        this.source?.close();
        const after = this.after === null ? "" : `&after=${encodeURIComponent(this.after)}`;
        const source = new EventSource(`/events?token=${encodeURIComponent(this.token)}${after}`);
        this.source = source;
        source.onopen = () => {
            this.heard = performance.now();
            this.pause = 250;
            this.set(true);
        };
        source.onmessage = (message) => {
            this.heard = performance.now();
            if (message.lastEventId) this.after = message.lastEventId;
            this.hear(message.data);
        };
        source.onerror = () => {
            if (this.source === source) this.again(this.pause);
        };
    }

    /** Closes what there is, and tries again after a pause. */
    again(pause) {
        this.source?.close();
        this.source = null;
        this.set(false);
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.open(), pause);
        this.pause = Math.min(Math.max(pause, 125) * 2, PAUSE_AT_MOST_MS);
    }

    watch() {
        // A laptop that slept has a connection that nobody is at the other end of.
        if (this.connected && performance.now() - this.heard > SILENCE_MS) this.again(0);
    }

    set(connected) {
        if (connected === this.connected) return;
        this.connected = connected;
        this.tell(connected);
    }

    /** Asks for something: an object, or an `Error` whose `status` is the answer's (0: no answer). */
    async ask(path, fields = {}) {
        return this.call("GET", asked(path, fields));
    }

    /** Asks for a text. */
    async text(path, fields = {}) {
        return this.call("GET", asked(path, fields), undefined, (answer) => answer.text());
    }

    /** Has something done. */
    async post(path, body) {
        return this.call("POST", path, JSON.stringify(body));
    }

    async call(method, path, body, read = (answer) => answer.json().catch(() => ({}))) {
        const headers = { Authorization: `Bearer ${this.token}` };
        if (body) headers["Content-Type"] = "application/json";
        let answer;
        try {
            answer = await fetch(path, { method, headers, body, cache: "no-store", signal: AbortSignal.timeout(15_000) });
        } catch (error) {
            throw failure(0, String(error.message ?? error));
        }
        if (answer.ok) return read(answer);
        const { error } = await answer.json().catch(() => ({}));
        throw failure(answer.status, error ?? `${answer.status} ${answer.statusText}`);
    }
}

function asked(path, fields) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(fields)) if (value !== null && value !== undefined) query.set(name, value);
    const text = query.toString();
    return text ? `${path}?${text}` : path;
}

function failure(status, text) {
    const error = new Error(text);
    error.status = status;
    return error;
}
