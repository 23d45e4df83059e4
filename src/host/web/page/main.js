// The page: it hears events and draws what they say.
//
// Events are taken in by frame, and only so many at a time: the page answers a key press between them, however fast they
// come. What is drawn is drawn once a frame, and only where something changed.

import { Circle, drawFacts, evidence } from "./circle.js";
import { byId, nodeName, text } from "./dom.js";
import { Columns, drawSpacetime, drawSparkline, drawTrack } from "./figures.js";
import { Finding } from "./finding.js";
import { choice, Keep } from "./keep.js";
import { Life } from "./life.js";
import { Log } from "./log.js";
import { Looks } from "./looks.js";
import { compareWith } from "./messages.js";
import { begin, EVENTS_A_FRAME, FRAME_MS, reduce, shortRing } from "./model.js";
import { compare } from "./order.js";
import { drawPeople, drawRooms } from "./rooms.js";
import { Sending } from "./sending.js";
import { Stream } from "./stream.js";
import { Lines, drawTwin } from "./twin.js";
import { visibleName } from "./visible.js";
import { count, language, say } from "./words.js";

/** The messages and the ring are drawn no more often than this: faster than one reads, and never in the way of a key press. */
const CHAT_MS = 40;
const RING_MS = 90;
/** After a drawing that took long the page rests so many times as long, that there is time for all else. */
const REST = 4;
/** How many messages are asked for first, over all rooms. */
const HISTORY = 300;
/** Where the page is that of a recording. */
const REPLAYED = "/replay";
/** The pause before they are asked for again. */
const AGAIN_MS = 1000;

class Page {
    constructor() {
        this.state = begin();
        this.keep = null;
        this.room = "";
        this.queue = [];
        this.work = { events: 0, mostEvents: 0, mostMs: 0 };
        this.drawn = { chat: -1, ring: -1, people: -1, lines: -1, self: -1 };
        this.drawnAt = {};
        this.drawCost = {};
        this.drawTimers = {};
        this.connected = false;
        this.everConnected = false;
        this.asked = 0;
        this.offset = null;
        this.sending = new Sending(this);
        this.finding = new Finding(this);
        this.looks = new Looks(this);
    }

    start() {
        this.looks.language();
        this.log = new Log(this);
        this.circle = new Circle();
        this.columns = new Columns();
        this.lines = new Lines();
        this.life = new Life(this);
        this.token = this.finding.readAddress();
        this.wire();
        this.stream = new Stream(
            this.token,
            (data) => this.hear(data),
            (connected) => this.connection(connected),
        );
        if (location.pathname === REPLAYED) this.replayed();
        else this.stream.open();
        this.later();
        setInterval(() => this.tick(), 250);
    }

    // Nothing happens here any more: a recording is shown.
    async replayed() {
        const { Replay } = await import("./replay.js");
        this.replay = new Replay(this);
        try {
            await this.replay.start();
        } catch (error) {
            this.wrong(error.status === 0 ? say("replay.lost") : error.message);
        }
    }

    // ---- What comes in ----

    hear(data) {
        this.queue.push(data);
        this.later();
    }

    // Draws with the next frame; a hidden page has none, but must go on counting.
    later() {
        if (this.due) return;
        this.due = true;
        const go = () => {
            this.due = false;
            this.frame();
        };
        if (document.hidden) setTimeout(go, 200);
        else requestAnimationFrame(go);
    }

    frame() {
        const began = performance.now();
        let taken = 0;
        while (taken < this.queue.length && taken < EVENTS_A_FRAME && (taken % 16 !== 0 || performance.now() - began < FRAME_MS)) {
            this.take(this.queue[taken]);
            taken += 1;
        }
        this.queue.splice(0, taken);
        this.work.events += taken;
        this.work.mostEvents = Math.max(this.work.mostEvents, taken);
        this.draw();
        this.work.mostMs = Math.max(this.work.mostMs, performance.now() - began);
        if (this.queue.length > 0) this.later();
    }

    take(data) {
        let event;
        try {
            event = JSON.parse(data);
        } catch {
            // A line that is no object is not one of ours.
            return;
        }
        reduce(this.state, event);
        this.labPanel?.hear(event);
        if (event.us) this.offset = { us: event.us, at: performance.now() };
        if (event.type === "start") this.begun(event);
        if ((event.type === "message" || event.type === "pending") && event.key) this.sending.settle(event.key);
        if (event.type === "message") this.looks.notice(event);
    }

    // The node is known now: what the browser keeps for it is taken out.
    begun(event) {
        if (!this.keep || this.keep.node !== event.id) {
            this.keep = new Keep(event.id);
            this.sending.unsent = this.keep.unsent();
            this.room = this.keep.room() ?? event.room;
            this.drawDraft();
            this.log.enter();
        }
        this.load();
        this.sending.send();
    }

    // The newest messages of all rooms, as the node holds them now.
    async load() {
        const asked = this.state.chat.asked;
        try {
            const { messages, more } = await this.stream.ask("/api/history", { count: HISTORY });
            compareWith(this.state.chat, messages, !more, this.state.me?.id);
            for (const event of messages) if (event.from !== undefined) reduce(this.state, { ...event, type: "history", node: this.state.me?.id });
            this.asked = asked;
            this.drawChat();
            this.finding.follow();
        } catch (error) {
            if (error.status !== 0) this.wrong(error.message);
            await new Promise((again) => setTimeout(again, AGAIN_MS));
        }
    }

    connection(connected) {
        this.connected = connected;
        this.everConnected ||= connected;
        this.state.turn.self += 1;
        if (connected) this.sending.send();
        this.later();
    }

    // ---- What is drawn ----

    draw() {
        const { turn } = this.state;
        const changed = (...parts) => this.redraw || parts.some((part) => turn[part] !== this.drawn[part]);
        const drawn = (...parts) => parts.forEach((part) => (this.drawn[part] = turn[part]));
        const began = performance.now();
        if (changed("chat") && this.mayDraw("chat", CHAT_MS, began)) {
            this.log.draw();
            this.title(drawRooms(this));
            this.topic();
            drawn("chat");
            this.drew("chat", began);
        }
        const between = performance.now();
        // One of the two is enough for a frame where it was much work.
        const isBusy = !this.redraw && between - began > FRAME_MS;
        if (isBusy) this.later();
        else if (changed("people", "ring", "lines", "self") && this.mayDraw("ring", RING_MS, between)) {
            drawPeopleIfDiffers(this);
            if (changed("ring")) this.drawRing();
            if (changed("lines")) this.lines.draw(this.state);
            this.drawState();
            drawn("people", "ring", "lines", "self");
            this.drew("ring", between);
        }
        this.redraw = false;
        if (this.state.chat.asked !== this.asked && this.connected && !this.replay && !this.reloading) {
            this.reloading = true;
            this.load().finally(() => (this.reloading = false));
        }
    }

    /** The messages are drawn again: another part of them is to be seen. */
    drawChat() {
        this.state.turn.chat += 1;
        this.later();
    }

    // Whether a part's time has come again; if not, it is drawn when it has.
    mayDraw(part, pause, now) {
        const due = (this.drawnAt[part] ?? 0) + Math.max(pause, REST * (this.drawCost[part] ?? 0));
        if (this.redraw || now >= due) return true;
        clearTimeout(this.drawTimers[part]);
        this.drawTimers[part] = setTimeout(() => this.later(), due - now);
        return false;
    }

    drew(part, began) {
        this.drawnAt[part] = performance.now();
        this.drawCost[part] = this.drawnAt[part] - began;
    }

    // The node's clock now, guessed from its last event; or how far a recording has been played.
    now() {
        if (this.replay) return this.replay.us;
        return this.offset ? this.offset.us + (performance.now() - this.offset.at) * 1000 : 0;
    }

    drawRing() {
        const now = this.now();
        this.circle.draw(this.state, now);
        drawFacts(this.state, now);
        drawSparkline(this.state);
        this.columns.draw(this.state);
        drawTrack(this.state);
        drawTwin(this.state);
        drawSpacetime(this.state, now);
        const { ring, phase } = this.state;
        const name = ring ? say(phase === "operational" ? "ring.name" : "ring.over", { ring: shortRing(ring.ring), epoch: ring.epoch, leader: ring.leader, n: ring.members.length }) : say("ring.none");
        text(byId("ring-name"), name);
        const why = evidence(this.state);
        byId("evidence").hidden = !why;
        text(byId("evidence"), why ?? "");
    }

    // What grows older without an event: "40 ms ago".
    tick() {
        if (document.hidden) return;
        if (this.state.ring) drawFacts(this.state, this.now());
        drawSparkline(this.state);
        drawSpacetime(this.state, this.now());
    }

    // The three breaks, each in its own words; or what this node waits for.
    drawState() {
        const { state } = this;
        let [kind, words] = this.replay?.standing() ?? ["well", null];
        if (words !== null) {
            // What is recorded of this node says how it stands.
        } else if (!this.connected && this.everConnected) {
            kind = "lost";
            words = state.node.left ? say("state.left") : say("state.lost");
        } else if (!this.connected) {
            kind = "gathering";
            words = say("state.connecting");
        } else if (state.disk.full) {
            kind = "lost";
            words = say("state.disk_full", { reason: visibleName(state.disk.full, 120) });
        } else if (state.phase !== "operational") {
            kind = "gathering";
            words = say("state.gathering");
        } else if (state.token.silent) {
            kind = "gathering";
            words = evidence(state);
        } else if (state.catching) {
            words = say("state.catching", { node: state.catching.peer, done: count(state.catching.done), total: count(state.catching.total) });
        } else if (state.ring.members.length === 1) {
            kind = "alone";
            words = state.doctor ? `${say("state.alone")} – ${visibleName(state.doctor.words, 200)}` : say("state.alone");
        } else {
            words = say("state.well", { n: state.ring.members.length });
        }
        const line = byId("state");
        line.className = `state ${kind}`;
        document.body.dataset.state = kind;
        text(line, words);
        if (state.me) {
            const me = byId("me");
            const name = state.nodes.get(state.me.id)?.name || state.me.name;
            text(me, nodeName(state.me.id, name));
            me.title = `${state.me.group} · ${state.me.interface}`;
        }
        this.lab();
    }

    title(mine) {
        const room = visibleName(this.room || "roda");
        document.title = mine > 0 ? `(${mine}) ${room} · roda` : `${room} · roda`;
        text(byId("room-title"), room);
    }

    topic() {
        const topic = this.state.chat.rooms.get(this.room)?.topic ?? "";
        text(byId("topic"), topic ? visibleName(topic, 200) : "");
    }

    // A lesson's panel, where the node allows one.
    async lab() {
        if (!this.state.node.lab || this.labLoaded) return;
        this.labLoaded = true;
        try {
            const { Lab } = await import("./lab.js");
            byId("lab").hidden = false;
            this.labPanel = new Lab(byId("lab"), this);
        } catch {
            // This node has no such panel.
        }
    }

    wrong(words) {
        text(byId(this.replay ? "replay-wrong" : "wrong"), words);
    }

    // ---- Rooms and reading ----

    enter(name) {
        this.saveDraft();
        this.room = name;
        this.finding.address(null);
        this.keep?.setRoom(name);
        this.drawDraft();
        this.log.enter();
        this.redraw = true;
        this.later();
        this.looks.tab("chat");
        const held = this.state.chat.rooms.get(name);
        if (!held || (held.list.length < 30 && held.more)) this.finding.older(name);
        byId("input").focus();
        return true;
    }

    readTo(name, entry) {
        const before = this.keep?.lastRead(name);
        if (!this.keep || (before && compare(entry, before) <= 0)) return;
        this.keep.setRead(name, { ring: entry.ring, seq: entry.seq });
        this.roomsDue = true;
    }

    openLife(entry) {
        this.life.open(entry);
    }

    openTwin() {
        this.looks.tab("ring");
        const twin = byId("twin");
        twin.open = true;
        drawTwin(this.state);
        twin.querySelector(".twin-frame").focus();
        return true;
    }

    // ---- What the parts of the page do ----

    wire() {
        byId("language").addEventListener("change", (event) => {
            choice.set("language", event.target.value);
            this.looks.language();
            this.replay?.words();
            this.lines.again();
            this.peopleKey = null;
            this.log.enter();
            this.redraw = true;
            this.later();
        });
        byId("theme").addEventListener("change", (event) => {
            choice.set("theme", event.target.value);
            this.looks.theme();
        });
        byId("projector").addEventListener("click", () => this.looks.projector());
        byId("notify").addEventListener("click", () => this.looks.allowNotices());
        byId("notify").setAttribute("aria-pressed", String(this.looks.notifying));
        byId("help-open").addEventListener("click", () => this.looks.help());
        byId("room-list").addEventListener("click", (event) => {
            const button = event.target.closest("button.room");
            if (button) this.enter(button.dataset.room);
        });
        byId("room-new").addEventListener("submit", (event) => {
            event.preventDefault();
            const name = byId("room-name").value.trim();
            byId("room-name").value = "";
            if (name) this.enter(name);
        });
        byId("search").addEventListener("submit", (event) => {
            event.preventDefault();
            const words = byId("search-words").value.trim();
            if (words) this.finding.find(words);
        });
        this.wireInput();
        for (const name of ["rooms", "chat", "ring"]) byId(`tab-${name}`).addEventListener("click", () => this.looks.tab(name));
        document.querySelector(".tabs").addEventListener("keydown", (event) => this.looks.tabKey(event));
        for (const skip of document.querySelectorAll("[data-skip]")) {
            skip.addEventListener("click", (event) => {
                event.preventDefault();
                this.looks.tab(skip.dataset.skip === "ring" ? "ring" : "chat");
                byId(skip.dataset.skip).focus();
            });
        }
        byId("twin").addEventListener("toggle", () => drawTwin(this.state));
        addEventListener("hashchange", () => this.finding.addressChanged());
        addEventListener("keydown", (event) => this.looks.key(event));
        // Whoever looks away comes back to the first message that was not read.
        addEventListener("blur", () => (this.log.unreadFrom = this.keep?.lastRead(this.room) ?? null));
        addEventListener("focus", () => this.log.stuck && this.log.draw());
        addEventListener("pagehide", () => {
            this.saveDraft();
            this.keep?.flush();
        });
        setInterval(() => this.roomsDue && this.drawRoomsNow(), 500);
    }

    drawRoomsNow() {
        this.roomsDue = false;
        this.title(drawRooms(this));
    }

    wireInput() {
        const input = byId("input");
        input.addEventListener("input", () => this.typing());
        input.addEventListener("keydown", (event) => {
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            this.submit();
        });
        byId("say").addEventListener("submit", (event) => {
            event.preventDefault();
            this.submit();
        });
    }

    async submit() {
        const input = byId("input");
        const line = input.value;
        if (line.trim() === "") return;
        // It is no draft any more: a command may lead to another room. What was refused comes back.
        input.value = "";
        this.typing();
        if ((await this.sending.typed(line)) === false && input.value === "") {
            input.value = line;
            this.typing();
        }
    }

    typing() {
        const input = byId("input");
        input.style.height = "auto";
        input.style.height = `${Math.min(input.scrollHeight + 2, 180)}px`;
        this.saveDraft();
    }

    saveDraft() {
        this.keep?.setDraft(this.room, byId("input").value);
    }

    drawDraft() {
        const input = byId("input");
        const draft = this.keep?.draft(this.room) ?? "";
        if (draft || this.draftRoom !== undefined) input.value = draft;
        this.draftRoom = this.room;
        this.typing();
    }
}

// The list of people is built again only where what it shows differs: the ring's turn changes with every token.
function drawPeopleIfDiffers(page) {
    const { state } = page;
    const shown = [...state.nodes].map(([id, node]) => [id, node.name, node.away, node.left?.how, node.spoke]);
    const key = JSON.stringify([shown, state.ring?.members, state.phase, language()]);
    if (key === page.peopleKey) return;
    page.peopleKey = key;
    drawPeople(page);
}

const page = new Page();
page.start();
// For whoever looks under the hood, and for tests: what the page knows and how much work it was.
globalThis.roda = page;
