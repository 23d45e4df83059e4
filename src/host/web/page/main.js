// The page: it hears events, draws what they say, and sends what is typed.
//
// Events are taken in by frame, and only so many at a time: the page answers a key press between them, however fast they
// come. What is drawn is drawn once a frame, and only where something changed.

import { Circle, drawFacts, evidence } from "./circle.js";
import { COMMANDS, read } from "./commands.js";
import { byId, element, nodeName, text } from "./dom.js";
import { Columns, drawSpacetime, drawSparkline, drawTrack } from "./figures.js";
import { choice, freshKey, Keep } from "./keep.js";
import { Life } from "./life.js";
import { Log } from "./log.js";
import { compareWith, mentions, named, older, only } from "./messages.js";
import { begin, reduce, shortRing } from "./model.js";
import { compare } from "./order.js";
import { drawPeople, drawRooms } from "./rooms.js";
import { Stream } from "./stream.js";
import { Lines, drawTwin } from "./twin.js";
import { visibleName } from "./visible.js";
import { choose, count, LANGUAGES, language, say, speak, translate } from "./words.js";

/** The most events that are taken in between two frames, and the most time for it. */
const EVENTS_A_FRAME = 300;
const FRAME_MS = 8;
/** The messages and the ring are drawn no more often than this: faster than one reads, and never in the way of a key press. */
const CHAT_MS = 40;
const RING_MS = 90;
/** How many messages are asked for at a time. */
const HISTORY = 300;
const OLDER = 400;

class Page {
    constructor() {
        this.state = begin();
        this.keep = null;
        this.room = "";
        this.unsent = [];
        this.queue = [];
        this.work = { events: 0, mostEvents: 0, mostMs: 0 };
        this.drawn = { chat: -1, ring: -1, people: -1, lines: -1, self: -1 };
        this.drawnAt = {};
        this.drawTimers = {};
        this.connected = false;
        this.everConnected = false;
        this.asked = 0;
        this.sending = false;
        this.loading = new Set();
        this.pressed = new Map();
        this.offset = null;
        this.notifying = choice.get("notify") === true;
    }

    start() {
        this.language();
        this.log = new Log(this);
        this.circle = new Circle();
        this.columns = new Columns();
        this.lines = new Lines();
        this.life = new Life(this);
        this.token = this.readAddress();
        this.wire();
        this.stream = new Stream(
            this.token,
            (data) => this.hear(data),
            (connected) => this.connection(connected),
        );
        this.stream.open();
        this.later();
        setInterval(() => this.tick(), 250);
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
        if (event.us) this.offset = { us: event.us, at: performance.now() };
        if (event.type === "start") this.begun(event);
        if ((event.type === "message" || event.type === "pending") && event.key) this.settle(event.key);
        if (event.type === "message") this.notice(event);
    }

    // The node is known now: what the browser keeps for it is taken out.
    begun(event) {
        if (!this.keep || this.keep.node !== event.id) {
            this.keep = new Keep(event.id);
            this.unsent = this.keep.unsent();
            this.room = this.keep.room() ?? event.room;
            this.drawDraft();
            this.log.enter();
        }
        this.load();
        this.send();
    }

    settle(key) {
        if (!this.unsent.some((line) => line.key === key)) return;
        this.keep?.dropUnsent(key);
        this.unsent = this.unsent.filter((line) => line.key !== key);
    }

    // The newest messages of all rooms, as the node holds them now.
    async load() {
        const asked = this.state.chat.asked;
        try {
            const { messages, more } = await this.stream.ask("/api/history", { count: HISTORY });
            compareWith(this.state.chat, messages, !more, this.state.me?.id);
            for (const event of messages) if (event.from !== undefined) reduce(this.state, { ...event, type: "history", node: this.state.me?.id });
            this.asked = asked;
            this.state.turn.chat += 1;
            this.later();
            this.follow();
        } catch (error) {
            if (error.status !== 0) this.wrong(error.message);
        }
    }

    async older(name) {
        if (this.loading.has(name)) return;
        this.loading.add(name);
        try {
            const first = this.state.chat.rooms.get(name)?.list[0];
            const before = first ? `${first.ring},${first.seq}` : null;
            const { messages, more } = await this.stream.ask("/api/history", { count: OLDER, before, room: name });
            older(this.state.chat, name, messages, more, this.state.me?.id);
            if (name === this.room) this.log.grew();
            this.state.turn.chat += 1;
            this.later();
        } catch (error) {
            if (error.status !== 0) this.wrong(error.message);
        } finally {
            this.loading.delete(name);
        }
    }

    async newest(name) {
        const { messages, more } = await this.stream.ask("/api/history", { count: OLDER, room: name });
        only(this.state.chat, name, messages, more, true, this.state.me?.id);
        this.log.enter();
        this.later();
    }

    connection(connected) {
        this.connected = connected;
        this.everConnected ||= connected;
        this.state.turn.self += 1;
        if (connected) this.send();
        this.later();
    }

    // ---- What is drawn ----

    draw() {
        const { turn } = this.state;
        const changed = (...parts) => this.redraw || parts.some((part) => turn[part] !== this.drawn[part]);
        const drawn = (...parts) => parts.forEach((part) => (this.drawn[part] = turn[part]));
        const now = performance.now();
        if (changed("chat") && this.mayDraw("chat", CHAT_MS, now)) {
            this.log.draw();
            this.title(drawRooms(this));
            this.topic();
            drawn("chat");
        }
        if (changed("people", "ring", "lines", "self") && this.mayDraw("ring", RING_MS, now)) {
            drawPeopleIfDiffers(this);
            if (changed("ring")) this.drawRing();
            if (changed("lines")) this.lines.draw(this.state);
            this.drawState();
            drawn("people", "ring", "lines", "self");
        }
        this.redraw = false;
        if (this.state.chat.asked !== this.asked && this.connected && !this.reloading) {
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
        const due = (this.drawnAt[part] ?? 0) + pause;
        if (this.redraw || now >= due) {
            this.drawnAt[part] = now;
            return true;
        }
        clearTimeout(this.drawTimers[part]);
        this.drawTimers[part] = setTimeout(() => this.later(), due - now);
        return false;
    }

    // The node's clock now, guessed from its last event.
    now() {
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
        let kind = "well";
        let words;
        if (!this.connected && this.everConnected) {
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
            words = say("state.alone");
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

    // ---- What is typed ----

    async typed(line) {
        const meant = read(line);
        this.wrong("");
        if (meant.say !== undefined) return this.say(meant.say);
        if (meant.unknown !== undefined) {
            this.wrong(meant.nearest ? say("command.nearest", { name: meant.unknown, nearest: meant.nearest }) : say("command.unknown", { name: meant.unknown }));
            return false;
        }
        if (meant.command) return (await this.command(meant.command, meant.rest)) !== false;
        return true;
    }

    async command(name, rest) {
        switch (name) {
            case "help":
                return this.help();
            case "me":
            case "topic":
                return rest ? this.say(`/${name} ${rest}`) : this.usage(name);
            case "away":
                return this.say(rest ? `/away ${rest}` : "/away");
            case "join":
                return rest ? this.enter(rest.split(/\s/)[0]) : this.usage(name);
            case "msg": {
                const [, room, words] = /^(\S+)\s+([\s\S]+)$/.exec(rest) ?? [];
                return room ? this.say(words, room) : this.usage(name);
            }
            case "nick":
                return rest ? this.act({ what: "name", name: rest }) : this.usage(name);
            case "search":
                return rest ? this.find(rest) : byId("search-words").focus();
            case "trace":
                return rest ? this.jump(rest.replace(/^#/, ""), true) : this.usage(name);
            case "why":
                return this.why();
            case "ring":
                return this.openTwin();
            case "token":
            case "checkpoint":
            case "reconcile":
                return this.act({ what: name });
            case "rollback":
                return this.act(rest ? { what: name, number: Number(rest) } : { what: name });
            case "quit":
                // A page does not end its node: that one is another's to end.
                this.wrong(say("command.quit"));
                return true;
        }
        return false;
    }

    usage(name) {
        this.wrong(say(`help.${name}`));
        return false;
    }

    say(words, room = this.room) {
        if (!this.keep) {
            this.wrong(say("state.connecting"));
            return false;
        }
        const key = freshKey();
        const line = { key, room, text: words, at: new Date().toISOString() };
        this.pressed.set(key, { at: line.at, ms: performance.now() });
        // As bounded as everything: the oldest timings of key presses go first.
        if (this.pressed.size > 500) this.pressed.delete(this.pressed.keys().next().value);
        this.keep.addUnsent(line);
        this.unsent = [...this.unsent, line];
        this.log.stuck = this.room === room ? true : this.log.stuck;
        this.state.turn.chat += 1;
        this.later();
        this.send();
        return true;
    }

    // One line after the other, so that they keep their order; the same keys until the node says it has them.
    async send() {
        if (this.sending || !this.keep) return;
        this.sending = true;
        try {
            for (;;) {
                const line = this.unsent.find((one) => !one.taken && !one.error);
                if (!line || !this.connected) return;
                await this.sendOne(line);
            }
        } finally {
            this.sending = false;
        }
    }

    async sendOne(line) {
        try {
            const answer = await this.stream.post("/api/say", { room: line.room, text: line.text, key: line.key });
            line.taken = true;
            const pressed = this.pressed.get(line.key);
            if (pressed) Object.assign(pressed, { id: answer.id, answeredMs: performance.now() - pressed.ms });
            this.keep.dropUnsent(line.key);
            // It stays on the screen until its event comes; if that came already, it goes now.
            const { chat } = this.state;
            if (chat.byId.has(answer.id) || chat.pending.has(answer.id)) this.unsent = this.unsent.filter((one) => one !== line);
        } catch (error) {
            if (error.status === 422 || error.status === 413 || error.status === 400) {
                line.error = error.message;
                this.keep.refuseUnsent(line.key, error.message);
            } else if (error.status === 401 || error.status === 403) {
                this.wrong(say("state.token"));
                this.connected = false;
            } else {
                // No answer says nothing of whether it was taken: it is sent again, under the same key.
                await new Promise((done) => setTimeout(done, 500));
            }
        }
        this.state.turn.chat += 1;
        this.later();
    }

    editRefused(key) {
        const line = this.unsent.find((one) => one.key === key);
        if (!line) return;
        this.keep.dropUnsent(key);
        this.unsent = this.unsent.filter((one) => one !== line);
        const input = byId("input");
        input.value = input.value ? `${line.text}\n${input.value}` : line.text;
        this.typing();
        input.focus();
        this.state.turn.chat += 1;
        this.later();
    }

    async act(body) {
        try {
            await this.stream.post("/api/do", body);
            return true;
        } catch (error) {
            this.wrong(error.message);
            return false;
        }
    }

    // What this node waits for, in one sentence.
    async why() {
        try {
            const status = await this.stream.ask("/api/status");
            const { why } = status;
            const facts = { ...why, nodes: (why.nodes ?? why.missing ?? []).join(", "), node: why.holder, n: why.hops ?? 0 };
            this.wrong(say(`why.${why.for}`, facts));
        } catch (error) {
            this.wrong(error.status === 0 ? say("state.lost") : error.message);
        }
        return true;
    }

    wrong(words) {
        text(byId("wrong"), words);
    }

    // ---- Rooms, reading, finding ----

    enter(name) {
        this.saveDraft();
        this.room = name;
        this.keep?.setRoom(name);
        this.drawDraft();
        this.log.enter();
        this.redraw = true;
        this.later();
        this.tab("chat");
        const held = this.state.chat.rooms.get(name);
        if (!held || (held.list.length < 30 && held.more)) this.older(name);
        byId("input").focus();
        return true;
    }

    readTo(name, entry) {
        const before = this.keep?.lastRead(name);
        if (!this.keep || (before && compare(entry, before) <= 0)) return;
        this.keep.setRead(name, { ring: entry.ring, seq: entry.seq });
        this.roomsDue = true;
    }

    async find(words) {
        byId("found-title").textContent = say("search.found", { words: visibleName(words, 60) });
        const list = byId("found-list");
        list.replaceChildren(element("li", {}, say("search.looking")));
        const dialog = byId("found");
        if (!dialog.open) dialog.showModal();
        try {
            const { messages } = await this.stream.ask("/api/search", { words, count: 50 });
            const items = messages.map((event) => this.foundItem(event)).reverse();
            list.replaceChildren(...(items.length > 0 ? items : [element("li", {}, say("search.none"))]));
            list.querySelector("button")?.focus();
        } catch (error) {
            list.replaceChildren(element("li", {}, error.status === 0 ? say("state.lost") : error.message));
        }
        return true;
    }

    foundItem(event) {
        const button = element("button", { type: "button", class: "found" }, `#${event.seq} `, element("bdi", {}, visibleName(event.name)), `·${event.from} `, element("bdi", {}, visibleName(event.text, 160)));
        button.addEventListener("click", () => {
            byId("found").close();
            this.showEvent(event);
        });
        return element("li", {}, button);
    }

    async showEvent(event) {
        if (event.room && event.room !== this.room) this.enter(event.room);
        let entry = this.state.chat.byId.get(event.id);
        if (!entry) {
            // The part of the room that ends with it, and one more; the way back to its end is a button.
            const { messages, more } = await this.stream.ask("/api/history", { count: OLDER, before: `${event.ring},${event.seq + 1}`, room: this.room });
            only(this.state.chat, this.room, messages, more, false, this.state.me?.id);
            entry = this.state.chat.byId.get(event.id);
        }
        if (entry) this.log.show(entry);
        this.state.turn.chat += 1;
        this.later();
    }

    /** Goes to the message that a permalink names; opens its life if asked. */
    async jump(name, open = false) {
        const entry = named(this.state.chat, name);
        if (entry) {
            if (entry.room !== this.room) this.enter(entry.room);
            this.log.show(entry);
            if (open) this.openLife(entry);
            return true;
        }
        const [seq, ring] = name.split("@");
        const { messages } = await this.stream.ask("/api/message", { seq, ring }).catch(() => ({ messages: [] }));
        const found = messages[0];
        if (!found) {
            this.wrong(say("link.none", { number: `#${name}` }));
            return false;
        }
        await this.showEvent(found);
        const shown = this.state.chat.byId.get(found.id);
        if (open && shown) this.openLife(shown);
        return true;
    }

    openLife(entry) {
        this.life.open(entry);
    }

    openTwin() {
        this.tab("ring");
        const twin = byId("twin");
        twin.open = true;
        drawTwin(this.state);
        twin.querySelector(".twin-frame").focus();
        return true;
    }

    // ---- The address: the token, and a message ----

    readAddress() {
        const parts = location.hash.slice(1).split("&");
        const found = parts.find((part) => part.startsWith("token="))?.slice("token=".length);
        let token = found ? decodeURIComponent(found) : null;
        try {
            // A reload after a permalink was followed keeps the token; the tab's end forgets it.
            token ??= sessionStorage.getItem("roda.token");
            if (token) sessionStorage.setItem("roda.token", token);
        } catch {
            // Then only the address has it.
        }
        this.link = parts.find((part) => /^\d+(@\d+\.\d+)?$/.test(part)) ?? null;
        return token ?? "";
    }

    follow() {
        if (!this.link) return;
        const link = this.link;
        this.link = null;
        this.jump(link);
    }

    addressChanged() {
        const parts = location.hash.slice(1).split("&");
        const link = parts.find((part) => /^\d+(@\d+\.\d+)?$/.test(part));
        if (!parts.some((part) => part.startsWith("token="))) history.replaceState(null, "", `#token=${encodeURIComponent(this.token)}${link ? `&${link}` : ""}`);
        if (link) this.jump(link);
    }

    // ---- Language, colours, tabs, keys ----

    language() {
        speak(choice.get("language") ?? choose(navigator.languages ?? [navigator.language]));
        document.documentElement.lang = language();
        const select = byId("language");
        select.replaceChildren(...Object.entries(LANGUAGES).map(([code, { name }]) => element("option", { value: code, lang: code }, name)));
        select.value = language();
        translate(document);
        this.theme();
    }

    theme() {
        const wanted = choice.get("theme") ?? "auto";
        byId("theme").value = wanted;
        if (wanted === "auto") delete document.documentElement.dataset.theme;
        else document.documentElement.dataset.theme = wanted;
    }

    wire() {
        byId("language").addEventListener("change", (event) => {
            choice.set("language", event.target.value);
            this.language();
            this.peopleKey = null;
            this.log.enter();
            this.redraw = true;
            this.later();
        });
        byId("theme").addEventListener("change", (event) => {
            choice.set("theme", event.target.value);
            this.theme();
        });
        byId("projector").addEventListener("click", () => this.projector());
        byId("notify").addEventListener("click", () => this.allowNotices());
        byId("notify").setAttribute("aria-pressed", String(this.notifying));
        byId("help-open").addEventListener("click", () => this.help());
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
            if (words) this.find(words);
        });
        this.wireInput();
        for (const name of ["rooms", "chat", "ring"]) byId(`tab-${name}`).addEventListener("click", () => this.tab(name));
        document.querySelector(".tabs").addEventListener("keydown", (event) => this.tabKey(event));
        for (const skip of document.querySelectorAll("[data-skip]")) {
            skip.addEventListener("click", (event) => {
                event.preventDefault();
                if (skip.dataset.skip === "ring") this.tab("ring");
                else this.tab("chat");
                byId(skip.dataset.skip).focus();
            });
        }
        byId("twin").addEventListener("toggle", () => drawTwin(this.state));
        addEventListener("hashchange", () => this.addressChanged());
        addEventListener("keydown", (event) => this.key(event));
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
        // What was typed is gone from the input only once it is kept elsewhere; what was refused comes back.
        const done = this.typed(line);
        input.value = "";
        this.typing();
        if ((await done) === false && input.value === "") {
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

    tab(name) {
        document.body.dataset.tab = name;
        for (const other of ["rooms", "chat", "ring"]) {
            const tab = byId(`tab-${other}`);
            tab.setAttribute("aria-selected", String(other === name));
            tab.tabIndex = other === name ? 0 : -1;
        }
        if (name === "chat" && this.log.stuck) this.log.bottom();
    }

    tabKey(event) {
        const names = ["rooms", "chat", "ring"];
        const at = names.indexOf(document.body.dataset.tab);
        const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: 2 }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        const name = names[(to + 3) % 3];
        this.tab(name);
        byId(`tab-${name}`).focus();
    }

    projector() {
        const on = document.body.classList.toggle("projector");
        byId("projector").setAttribute("aria-pressed", String(on));
        if (on) this.tab("ring");
        if (this.log.stuck) this.log.bottom();
    }

    help() {
        const keys = ["enter", "shift_enter", "slash", "arrows", "alt_arrows", "alt_r", "alt_p", "question", "escape"];
        const rows = (names, prefix) => names.map((name) => [element("dt", {}, element("kbd", {}, say(`${prefix}.${name}.name`))), element("dd", {}, say(`${prefix}.${name}.does`))]).flat();
        byId("help-body").replaceChildren(
            element("p", {}, say("help.words")),
            element("h3", {}, say("help.keys")),
            element("dl", { class: "keys" }, ...rows(keys, "key")),
            element("h3", {}, say("help.commands")),
            element("ul", { class: "commands" }, ...COMMANDS.map((name) => element("li", {}, say(`help.${name}`)))),
        );
        if (!byId("help").open) byId("help").showModal();
        return true;
    }

    key(event) {
        const typing = event.target.closest("input, textarea, select");
        if (event.altKey && !event.ctrlKey && !event.metaKey) {
            const act = {
                ArrowUp: () => this.nextRoom(-1),
                ArrowDown: () => this.nextRoom(1),
                KeyR: () => this.openTwin(),
                KeyP: () => this.projector(),
                KeyI: () => byId("input").focus(),
            }[event.code];
            if (act) {
                event.preventDefault();
                act();
            }
            return;
        }
        if (typing || event.ctrlKey || event.metaKey) return;
        if (event.key === "?") {
            event.preventDefault();
            this.help();
        } else if (event.key === "/" && !document.querySelector("dialog[open]")) {
            event.preventDefault();
            byId("search-words").focus();
        } else if (event.key === "Escape" && !document.querySelector("dialog[open]")) {
            if (document.body.classList.contains("projector")) this.projector();
            this.tab("chat");
            byId("input").focus();
        }
    }

    nextRoom(by) {
        const names = [...byId("room-list").querySelectorAll("button.room")].map((button) => button.dataset.room);
        if (names.length === 0) return;
        const at = names.indexOf(this.room);
        this.enter(names[(at + by + names.length) % names.length]);
    }

    // ---- Notices: off until somebody wants them ----

    async allowNotices() {
        if (!this.notifying && "Notification" in window) {
            this.notifying = (await Notification.requestPermission()) === "granted";
            if (!this.notifying) this.wrong(say("notify.refused"));
        } else {
            this.notifying = false;
        }
        choice.set("notify", this.notifying);
        byId("notify").setAttribute("aria-pressed", String(this.notifying));
    }

    notice(event) {
        const { me } = this.state;
        // What is told again after a reload is no news.
        if (Date.now() - Date.parse(event.at) > 15_000) return;
        if (event.own || !event.text || !mentions(event.text, me?.name)) return;
        text(byId("tell"), say("notify.mention", { name: visibleName(event.name), room: visibleName(event.room) }));
        if (this.notifying && document.hidden) {
            new Notification(`${visibleName(event.name)}·${event.from}`, { body: visibleName(event.text, 200), tag: event.id });
        }
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
