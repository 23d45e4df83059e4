// A recording that is replayed: its events by their places, and what a node's page knew after any number of them.
//
// No document, no clock: `reduce` of the model makes the state, as it does of what a living node tells. To go back, a
// state that was kept on the way is taken, and what is missing is told to it again.

import { begin, reduce } from "./model.js";

/** How many events are brought at a time. */
export const CHUNK = 500;
/** How many times as many are at hand. */
const CHUNKS_KEPT = 60;
/** A state is kept each time so many events were taken in; less often in long recordings. */
const KEPT_EVERY = 1000;
/** How many states are kept. */
const STATES_KEPT = 16;

/** The events, as far as they are at hand. */
export class Recording {
    /** `ask(path, fields)` asks the server; there are `count` events. */
    constructor(ask, count) {
        this.ask = ask;
        this.count = count;
        this.chunks = new Map();
        this.coming = new Map();
    }

    /** The event at a place, if it is at hand. */
    at(place) {
        return this.chunks.get(Math.floor(place / CHUNK))?.[place % CHUNK] ?? null;
    }

    /** Brings the events around a place. */
    async bring(place) {
        const name = Math.floor(place / CHUNK);
        const known = this.chunks.get(name);
        if (known) {
            // Those used last are the last to be let go.
            this.chunks.delete(name);
            this.chunks.set(name, known);
            return;
        }
        if (!this.coming.has(name)) this.coming.set(name, this.load(name).finally(() => this.coming.delete(name)));
        await this.coming.get(name);
    }

    async load(name) {
        const first = name * CHUNK;
        const wanted = Math.min(CHUNK, this.count - first);
        const events = [];
        while (events.length < wanted) {
            const answer = await this.ask("/api/recording", { from: first + events.length, count: wanted - events.length });
            if (answer.events.length === 0) throw new Error(`there is no event ${first + events.length + 1}`);
            events.push(...answer.events);
        }
        this.chunks.set(name, events);
        if (this.chunks.size > CHUNKS_KEPT) this.chunks.delete(this.chunks.keys().next().value);
    }
}

/** What the page of one node knew, after so many events of all. */
export class Past {
    constructor(recording, node) {
        this.recording = recording;
        this.node = node;
        this.kept = [];
        this.every = KEPT_EVERY;
        this.fresh();
    }

    fresh() {
        this.state = begin(this.node);
        this.place = 0;
    }

    /** Takes in the next event, if it is at hand; whether it was. */
    step() {
        const event = this.recording.at(this.place);
        if (!event) return false;
        // Between nodes there is one clock only: that of the recording.
        reduce(this.state, { ...event.told, us: event.us, node: event.node });
        this.place += 1;
        if (this.place % this.every === 0) this.keep();
        return true;
    }

    keep() {
        if (this.kept.length > 0 && this.kept.at(-1).place >= this.place) return;
        this.kept.push({ place: this.place, state: structuredClone(this.state) });
        if (this.kept.length <= STATES_KEPT) return;
        this.every *= 2;
        this.kept = this.kept.filter(({ place }) => place % this.every === 0);
    }

    /** Goes to the nearest state at or before a place that needs the fewest events told; whether it is another state than before. */
    near(place) {
        const kept = this.kept.findLast((one) => one.place <= place);
        if (this.place <= place && this.place >= (kept?.place ?? 0)) return false;
        if (kept) {
            this.state = structuredClone(kept.state);
            this.place = kept.place;
        } else {
            this.fresh();
        }
        return true;
    }
}
