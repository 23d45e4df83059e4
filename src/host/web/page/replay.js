// A recording on the page: played as fast as one likes, moved through with a slider, event by event.

import { byId, element, nodeName, text } from "./dom.js";
import { Diagram } from "./diagram.js";
import { EVENTS_A_FRAME, FRAME_MS, shortRing } from "./model.js";
import { CHUNK, Past, Recording } from "./recording.js";
import { visible } from "./visible.js";
import { count, say, span } from "./words.js";

/** How many times as fast as it happened. */
const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 100];
/** A silence that would last longer on the page is cut short, to what is left of it. */
const SILENCE_US = 2_000_000;
const SILENCE_LEFT_US = 500_000;
/** Longer events are shown up to here. */
const TOLD_SHOWN = 4000;
/** How often the words beside the slider change while it plays. */
const WORDS_MS = 100;

/** The player. */
export class Replay {
    constructor(page) {
        this.page = page;
        this.playing = false;
        this.speed = 1;
        this.us = 0;
        // Raised with each wish to be elsewhere: whoever is on the way to an earlier one gives up.
        this.wish = 0;
    }

    /** Shows the beginning. */
    async start() {
        const { page } = this;
        document.body.classList.add("replayed");
        const { replay } = await page.stream.ask("/api/about");
        this.about = replay;
        this.recording = new Recording((path, fields) => page.stream.ask(path, fields), replay.events);
        this.speed = replay.speed ?? 1;
        this.slider = byId("replay-slider");
        this.slider.max = replay.events;
        this.diagram = new Diagram(page);
        this.wire();
        this.words();
        byId("replay").hidden = false;
        page.connected = page.everConnected = true;
        await this.follow(replay.nodes[0]?.id ?? null, replay.from);
    }

    /** All words of the controls, in the language in use. */
    words() {
        const { about } = this;
        if (!about) return;
        const speeds = [...new Set([...SPEEDS, this.speed])].sort((one, other) => one - other);
        fill("replay-speed", speeds.map((speed) => [speed, `${count(speed)} ×`]), this.speed);
        fill("replay-node", about.nodes.map(({ id, name }) => [id, nodeName(id, name)]), this.past?.node);
        const moments = about.moments.map((moment) => [moment.at, this.moment(moment)]);
        fill("replay-moment", [["", say("replay.moments", { n: moments.length })], ...moments], "");
        const notes = [...about.notes];
        if (about.moments_left_out > 0) notes.push(say("replay.moments_left_out", { n: about.moments_left_out }));
        byId("replay-notes").hidden = notes.length === 0;
        byId("replay-notes").replaceChildren(...notes.map((note) => element("li", {}, visible(note))));
        this.drawPlay();
        this.draw();
    }

    moment({ us, type, node, told }) {
        const facts = { node, ring: shortRing(told.ring), members: (told.members ?? []).map((member) => member.id).join(", ") };
        return `${time(us)}  ${say(`moment.${type}`, facts)}`;
    }

    // ---- Where one is ----

    /** Shows what this node's page knew, at this place or where one is. */
    async follow(node, place = this.past?.place ?? 0) {
        this.past = new Past(this.recording, node);
        this.page.room = "";
        await this.seek(place);
    }

    /** Goes to where so many events have happened; whether nobody wanted to be elsewhere meanwhile. */
    async seek(place) {
        this.wish += 1;
        const { wish, past } = this;
        const wanted = Math.max(0, Math.min(Math.round(place), this.recording.count));
        past.near(wanted);
        let began = performance.now();
        while (past.place < wanted) {
            if (!past.step() && !(await this.bring(past.place))) return false;
            if (wish !== this.wish) return false;
            if (performance.now() - began < FRAME_MS) continue;
            text(byId("replay-where"), say("replay.seeking", { done: count(past.place), wanted: count(wanted) }));
            await new Promise((next) => setTimeout(next));
            if (wish !== this.wish) return false;
            began = performance.now();
        }
        if (!(await this.bring(Math.max(0, wanted - 1))) || wish !== this.wish) return false;
        this.us = this.last()?.us ?? 0;
        this.anew();
        return true;
    }

    // Brings the events around a place; whether they came.
    async bring(place) {
        try {
            await this.recording.bring(place);
            return true;
        } catch (error) {
            this.pause();
            this.page.wrong(error.status === 0 ? say("replay.lost") : error.message);
            return false;
        }
    }

    // The state is another one: all is drawn again.
    anew() {
        const { page, past } = this;
        page.wrong("");
        page.state = past.state;
        page.state.chat.whole = true;
        page.room ||= page.state.me?.room ?? "";
        page.lines.again();
        page.log.enter();
        page.peopleKey = null;
        page.redraw = true;
        page.later();
        this.draw();
    }

    /** The event that happened last. */
    last() {
        return this.past.place > 0 ? this.recording.at(this.past.place - 1) : null;
    }

    /** By how many events one goes on, or back. */
    async by(events) {
        this.pause();
        await this.seek(this.past.place + events);
    }

    // ---- Playing ----

    play() {
        if (this.playing) return;
        const begins = () => {
            // Whoever was on the way elsewhere gives up, and what is known so far is shown.
            this.wish += 1;
            this.us = this.last()?.us ?? this.us;
            if (this.page.state !== this.past.state) this.anew();
            this.playing = true;
            this.then = performance.now();
            this.drawPlay();
            requestAnimationFrame(() => this.frame());
        };
        if (this.past.place >= this.recording.count) this.seek(0).then((there) => there && begins());
        else begins();
    }

    pause() {
        this.wish += 1;
        if (!this.playing) return;
        this.playing = false;
        this.drawPlay();
        this.draw();
    }

    frame() {
        if (!this.playing) return;
        const { past, recording, page } = this;
        const began = performance.now();
        this.us += (began - this.then) * 1000 * this.speed;
        this.then = began;
        const room = page.state.me?.room;
        let taken = 0;
        while (past.place < recording.count) {
            const next = recording.at(past.place);
            const full = taken >= EVENTS_A_FRAME || (taken > 0 && performance.now() - began > FRAME_MS);
            if (!next || (full && next.us <= this.us)) {
                // What is to be shown has not come, or is too much: the clock waits for it.
                this.us = this.last()?.us ?? 0;
                break;
            }
            if (next.us > this.us) {
                this.skip(next.us);
                break;
            }
            past.step();
            taken += 1;
        }
        if (past.place < recording.count) this.ahead();
        // Behind the last event is no time.
        else this.us = this.last()?.us ?? 0;
        if (page.room === "" || (room === undefined && page.state.me)) {
            page.room ||= page.state.me?.room ?? "";
            page.log.enter();
        }
        page.later();
        if (past.place >= recording.count) this.pause();
        else requestAnimationFrame(() => this.frame());
        if (began - (this.drewAt ?? 0) > WORDS_MS) this.draw();
    }

    // A long silence is cut short.
    skip(next) {
        if ((next - this.us) / this.speed > SILENCE_US) this.us = next - SILENCE_LEFT_US * this.speed;
    }

    // The events to come are brought before they are needed.
    ahead() {
        for (const place of [this.past.place, this.past.place + CHUNK]) {
            if (place < this.recording.count) this.bring(place);
        }
    }

    // ---- What is drawn ----

    drawPlay() {
        text(byId("replay-play"), say(this.playing ? "replay.pause" : "replay.play"));
    }

    draw() {
        this.drewAt = performance.now();
        if (!this.past) return;
        const { place } = this.past;
        const event = this.last();
        const facts = { at: count(place), all: count(this.recording.count), time: time(event?.us ?? 0) };
        const where = event ? say("replay.where", { ...facts, node: event.node, type: visible(event.told.type ?? "") }) : say("replay.before", facts);
        text(byId("replay-where"), where);
        if (this.slider.valueAsNumber !== place) this.slider.value = place;
        this.slider.setAttribute("aria-valuetext", where);
        const told = byId("replay-told");
        if (told.open && event) text(byId("replay-event"), visible(JSON.stringify(event.told, null, 1).replaceAll(/\n */g, " ").slice(0, TOLD_SHOWN)));
    }

    /** What is to be said of the node that is looked at, if it is not alive: a kind and a sentence. */
    standing() {
        const { node, place } = this.past;
        const lives = this.about.nodes.find(({ id }) => id === node)?.lives ?? [];
        const life = lives.findLast(({ first }) => first < place);
        if (!life) return ["gathering", say("replay.not_begun", { node })];
        if (place <= life.last) return null;
        if (life.ended) return ["lost", say("replay.left", { node })];
        return place > life.last + 1 ? ["lost", say("replay.broken_off", { node })] : null;
    }

    // ---- What one does ----

    wire() {
        byId("replay-play").addEventListener("click", () => this.toggle());
        byId("replay-back").addEventListener("click", () => this.by(-1));
        byId("replay-step").addEventListener("click", () => this.by(1));
        this.slider.addEventListener("input", () => {
            this.pause();
            this.seek(this.slider.valueAsNumber);
        });
        byId("replay-speed").addEventListener("change", (event) => (this.speed = Number(event.target.value)));
        byId("replay-node").addEventListener("change", (event) => {
            this.pause();
            this.follow(Number(event.target.value));
        });
        byId("replay-moment").addEventListener("change", (event) => {
            if (event.target.value === "") return;
            this.pause();
            this.seek(Number(event.target.value) + 1);
            event.target.value = "";
        });
        byId("replay-told").addEventListener("toggle", () => this.draw());
        byId("replay-diagram").addEventListener("click", () => this.diagram.open(this.us));
        addEventListener("keydown", (event) => this.key(event));
    }

    toggle() {
        if (this.playing) this.pause();
        else this.play();
    }

    key(event) {
        if (event.altKey || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
        if (event.target.closest("input, select, textarea, button, summary, a")) return;
        const act = { " ": () => this.toggle(), ArrowLeft: () => this.by(-1), ArrowRight: () => this.by(1) }[event.key];
        if (!act) return;
        event.preventDefault();
        act();
    }
}

/** A time since the beginning, as `+12.034 s`. */
function time(us) {
    return us < 1_000_000 ? `+${span(us)}` : `+${count(Math.round(us / 1000) / 1000)} s`;
}

// The choices of a list, and which one holds.
function fill(name, choices, chosen) {
    const list = byId(name);
    list.replaceChildren(...choices.map(([value, words]) => element("option", { value: String(value) }, words)));
    if (chosen !== null && chosen !== undefined) list.value = String(chosen);
}
