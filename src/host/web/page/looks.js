// How the page looks and is moved about in: language, colours, tabs, projector, keys, help, notices.

import { COMMANDS } from "./commands.js";
import { byId, element, text } from "./dom.js";
import { choice } from "./keep.js";
import { mentions } from "./messages.js";
import { visibleName } from "./visible.js";
import { choose, LANGUAGES, language, say, speak, translate } from "./words.js";

/** The parts that are tabs on a phone. */
const TABS = ["rooms", "chat", "ring"];

/** The page's looks, and the keys that change them. */
export class Looks {
    constructor(page) {
        this.page = page;
        this.notifying = choice.get("notify") === true;
    }

    language() {
        speak(choice.get("language") ?? choose(navigator.languages ?? [navigator.language]));
        document.documentElement.lang = language();
        const select = byId("language");
        select.replaceChildren(...Object.entries(LANGUAGES).map(([code, { name }]) => element("option", { value: code, lang: code }, name)));
        select.value = language();
        translate(document);
        this.page.labPanel?.draw();
        this.theme();
    }

    theme() {
        const wanted = choice.get("theme") ?? "auto";
        byId("theme").value = wanted;
        if (wanted === "auto") delete document.documentElement.dataset.theme;
        else document.documentElement.dataset.theme = wanted;
    }

    tab(name) {
        document.body.dataset.tab = name;
        for (const other of TABS) {
            const tab = byId(`tab-${other}`);
            tab.setAttribute("aria-selected", String(other === name));
            tab.tabIndex = other === name ? 0 : -1;
        }
        if (name === "chat" && this.page.log.stuck) this.page.log.bottom();
    }

    tabKey(event) {
        const at = TABS.indexOf(document.body.dataset.tab);
        const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: 2 }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        const name = TABS[(to + 3) % 3];
        this.tab(name);
        byId(`tab-${name}`).focus();
    }

    projector() {
        const on = document.body.classList.toggle("projector");
        byId("projector").setAttribute("aria-pressed", String(on));
        if (on) this.tab("ring");
        if (this.page.log.stuck) this.page.log.bottom();
    }

    help() {
        const keys = this.page.replay ? ["space", "sides", "arrows", "alt_arrows", "alt_r", "alt_p", "question"] : ["enter", "shift_enter", "slash", "arrows", "alt_arrows", "alt_r", "alt_p", "question", "escape"];
        const rows = (names, prefix) => names.map((name) => [element("dt", {}, element("kbd", {}, say(`${prefix}.${name}.name`))), element("dd", {}, say(`${prefix}.${name}.does`))]).flat();
        byId("help-body").replaceChildren(
            element("p", {}, say("help.words")),
            element("h3", {}, say("help.keys")),
            element("dl", { class: "keys" }, ...rows(keys, "key")),
            ...(this.page.replay ? [] : [element("h3", {}, say("help.commands")), element("ul", { class: "commands" }, ...COMMANDS.map((name) => element("li", {}, say(`help.${name}`))))]),
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
                KeyR: () => this.page.openTwin(),
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
        const at = names.indexOf(this.page.room);
        this.page.enter(names[(at + by + names.length) % names.length]);
    }

    async allowNotices() {
        if (!this.notifying && "Notification" in window) {
            this.notifying = (await Notification.requestPermission()) === "granted";
            if (!this.notifying) this.page.wrong(say("notify.refused"));
        } else {
            this.notifying = false;
        }
        choice.set("notify", this.notifying);
        byId("notify").setAttribute("aria-pressed", String(this.notifying));
    }

    notice(event) {
        const { me } = this.page.state;
        // What is told again after a reload is no news.
        if (Date.now() - Date.parse(event.at) > 15_000) return;
        if (event.own || !event.text || !mentions(event.text, me?.name)) return;
        text(byId("tell"), say("notify.mention", { name: visibleName(event.name), room: visibleName(event.room) }));
        if (this.notifying && document.hidden) {
            new Notification(`${visibleName(event.name)}·${event.from}`, { body: visibleName(event.text, 200), tag: event.id });
        }
    }
}
