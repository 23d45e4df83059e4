// Finding messages: by words, by their number in the page's address, and older ones than those at hand.

import { byId, element } from "./dom.js";
import { named, older, only } from "./messages.js";
import { visibleName } from "./visible.js";
import { say } from "./words.js";

/** How many messages are asked for at a time. */
const OLDER = 400;
/** A message in the address: `42`, or `42@5.1`. */
const LINK = /^\d+(@\d+\.\d+)?$/;

/** What the page asks its node for, when it does not hold it. */
export class Finding {
    constructor(page) {
        this.page = page;
        this.loading = new Set();
        this.link = null;
    }

    async older(name) {
        if (this.page.replay || this.loading.has(name)) return;
        this.loading.add(name);
        try {
            const first = this.page.state.chat.rooms.get(name)?.list[0];
            const before = first ? `${first.ring},${first.seq}` : null;
            const { messages, more } = await this.page.stream.ask("/api/history", { count: OLDER, before, room: name });
            older(this.page.state.chat, name, messages, more, this.page.state.me?.id);
            if (name === this.page.room) this.page.log.grew();
            this.page.drawChat();
        } catch (error) {
            if (error.status !== 0) this.page.wrong(error.message);
        } finally {
            this.loading.delete(name);
        }
    }

    async newest(name) {
        const { messages, more } = await this.page.stream.ask("/api/history", { count: OLDER, room: name });
        only(this.page.state.chat, name, messages, more, true, this.page.state.me?.id);
        this.page.log.enter();
        this.page.later();
    }

    async find(words) {
        byId("found-title").textContent = say("search.found", { words: visibleName(words, 60) });
        const list = byId("found-list");
        list.replaceChildren(element("li", {}, say("search.looking")));
        const dialog = byId("found");
        if (!dialog.open) dialog.showModal();
        try {
            const { messages } = await this.page.stream.ask("/api/search", { words, count: 50 });
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
        if (event.room && event.room !== this.page.room) this.page.enter(event.room);
        let entry = this.page.state.chat.byId.get(event.id);
        if (!entry) {
            // The part of the room that ends with it, and one more; the way back to its end is a button.
            const { messages, more } = await this.page.stream.ask("/api/history", { count: OLDER, before: `${event.ring},${event.seq + 1}`, room: this.page.room });
            only(this.page.state.chat, this.page.room, messages, more, false, this.page.state.me?.id);
            entry = this.page.state.chat.byId.get(event.id);
        }
        if (entry) this.page.log.show(entry);
        this.page.drawChat();
    }

    /** Goes to the message that a permalink names; opens its life if asked. */
    async jump(name, open = false) {
        const entry = named(this.page.state.chat, name);
        if (entry) {
            if (entry.room !== this.page.room) this.page.enter(entry.room);
            this.page.log.show(entry);
            if (open) this.page.openLife(entry);
            return true;
        }
        const [seq, ring] = name.split("@");
        const { messages } = await this.page.stream.ask("/api/message", { seq, ring }).catch(() => ({ messages: [] }));
        const found = messages[0];
        if (!found) {
            this.page.wrong(say("link.none", { number: `#${name}` }));
            return false;
        }
        await this.showEvent(found);
        const shown = this.page.state.chat.byId.get(found.id);
        if (open && shown) this.page.openLife(shown);
        return true;
    }

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
        this.link = parts.find((part) => LINK.test(part)) ?? null;
        return token ?? "";
    }

    follow() {
        if (!this.link) return;
        const link = this.link;
        this.link = null;
        this.goTo(link);
    }

    addressChanged() {
        const link = location.hash.slice(1).split("&").find((part) => LINK.test(part));
        if (link) this.goTo(link);
        else this.address(null);
    }

    async goTo(link) {
        await this.jump(link);
        this.address(link);
    }

    /** Writes the address: the token, and the message that one came for, as long as one is in its room. */
    address(link) {
        history.replaceState(null, "", `#token=${encodeURIComponent(this.page.token)}${link ? `&${link}` : ""}`);
    }
}
