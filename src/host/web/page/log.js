// The messages of a room on the screen: a window of its list, never more than ROWS_AT_MOST rows, however many there are.
//
// It sticks to its end only while it is there; otherwise it stays where it is, and says how many came. Rows are kept and
// moved, not built again, so that a message that arrives costs one row.

import { bdiName, bdiText, byId, element, text } from "./dom.js";
import { meaning, mentions, numberOf, room } from "./messages.js";
import { compare, place } from "./order.js";
import { visible } from "./visible.js";
import { clock, count, day, say } from "./words.js";

/** The most rows that are in the document. */
export const ROWS_AT_MOST = 300;
/** Rows at the end of a room that one is reading live. */
const ROWS_LIVE = 120;
/** Rows that are built in one drawing at the end of a room; the next ones come with the next picture. */
const ROWS_A_DRAWING = 40;
/** How far a window moves when its edge is near. */
const ROWS_STEP = 70;
/** How near the edge must be, in pixels. */
const NEAR = 600;
/** Longer texts are folded; a click on the message shows all of it. */
const TEXT_SHOWN = 4000;

/** The log of the current room. */
export class Log {
    /** `page` is the whole of it: what it knows, and what the log asks of it. */
    constructor(page) {
        this.page = page;
        this.frame = byId("log");
        this.newer = byId("newer");
        this.rows = new Map();
        this.first = null;
        this.stuck = true;
        // Whether another part was chosen and is not drawn yet: until then the scroll position says nothing.
        this.moving = false;
        this.seen = 0;
        this.unreadFrom = null;
        this.focused = null;
        // What was drawn, for tests and for the curious: the most work that one frame did.
        this.work = { frames: 0, mostRowsMade: 0, mostRows: 0 };
        this.frame.addEventListener("scroll", () => this.scrolled(), { passive: true });
        this.frame.addEventListener("keydown", (event) => this.key(event));
        this.frame.addEventListener("click", (event) => this.click(event));
        this.newer.addEventListener("click", () => this.toEnd());
        new ResizeObserver(() => this.stuck && this.bottom()).observe(this.frame);
    }

    get room() {
        return room(this.page.state.chat, this.page.room);
    }

    /** Another room: its first unread message stays marked while one is there. */
    enter() {
        this.frame.replaceChildren();
        this.rows.clear();
        this.first = null;
        this.stuck = true;
        this.seen = this.room.fresh;
        const read = this.page.keep?.lastRead(this.page.room);
        this.unreadFrom = read ?? null;
        this.draw();
    }

    /** Draws what changed. */
    draw() {
        const list = this.room.list;
        const window = this.window(list);
        const anchor = this.stuck ? null : this.anchor();
        this.place(this.some(this.wanted(list, window)));
        this.moving = false;
        if (this.stuck) this.bottom();
        else this.restore(anchor);
        this.note();
        if (this.stuck) this.read();
    }

    // Which part of the list is shown: [from, to).
    window(list) {
        if (this.stuck) {
            const from = Math.max(0, list.length - ROWS_LIVE);
            this.first = list[from] ?? null;
            this.shown = list.length - from;
            return { from, to: list.length };
        }
        let from = this.first ? place(list, this.first) : 0;
        from = Math.min(from, Math.max(0, list.length - 1));
        // Its end moves on while there is room for more rows.
        const to = Math.min(list.length, from + ROWS_AT_MOST - 20);
        this.first = list[from] ?? null;
        return { from, to };
    }

    // At the end of a room the newest rows come first: many at once would keep a key press waiting. The others follow.
    some(wanted) {
        if (!this.stuck) return wanted;
        const fresh = wanted.flatMap(([key], at) => (this.rows.has(key) ? [] : [at]));
        if (fresh.length <= ROWS_A_DRAWING) return wanted;
        this.page.drawChat();
        return wanted.slice(fresh.at(-ROWS_A_DRAWING));
    }

    // The rows that should be there, in order: keys and how to make them.
    wanted(list, { from, to }) {
        const rows = [];
        if (from === 0 && !this.room.more && list.length > 0) rows.push(["beginning", () => note("beginning", say("log.beginning"))]);
        let lastDay = from > 0 ? dayOf(list[from - 1]) : null;
        let unread = this.unreadFrom !== null && from > 0 && compare(list[from - 1], this.unreadFrom) > 0;
        for (let index = from; index < to; index += 1) {
            const entry = list[index];
            const date = dayOf(entry);
            if (date && date !== lastDay) rows.push([`day ${date}`, () => note("day", day(entry.sent))]);
            lastDay = date ?? lastDay;
            if (!unread && this.unreadFrom !== null && !entry.own && compare(entry, this.unreadFrom) > 0) {
                unread = true;
                rows.push(["unread", () => note("unread-line", say("log.unread"))]);
            }
            rows.push([entry.id, () => this.row(entry), entry]);
        }
        if (to === list.length && this.room.atEnd) {
            for (const line of this.tail()) rows.push([`line ${line.key ?? line.id}`, () => this.pendingRow(line), line]);
        }
        if (rows.length === 0) rows.push(["empty", () => note("empty", say("log.empty"))]);
        return rows;
    }

    // Own lines without a number: those the node has, then those it has not.
    tail() {
        const { state } = this.page;
        const { unsent } = this.page.sending;
        const waiting = [...state.chat.pending.values()].filter((line) => line.room === this.page.room);
        const keys = new Set(waiting.map((line) => line.key));
        const mine = unsent.filter((line) => line.room === this.page.room && !keys.has(line.key));
        return [...waiting.map((line) => ({ ...line, state: "pending" })), ...mine].slice(-40);
    }

    // Makes the document show these rows, keeping those that are there.
    place(wanted) {
        const altered = this.page.state.chat.altered;
        const keys = new Set(wanted.map(([key]) => key));
        for (const [key, made] of this.rows) {
            if (!keys.has(key)) {
                if (this.focused === key) this.focused = null;
                made.remove();
                this.rows.delete(key);
            }
        }
        let at = this.frame.firstChild;
        let made = 0;
        for (const [key, make, entry] of wanted) {
            let row = this.rows.get(key);
            const changed = row && entry && (altered.has(entry.id) || String(key).startsWith("line "));
            if (changed) {
                const fresh = make();
                if (fresh.dataset.state !== row.dataset.state || altered.has(entry.id)) {
                    const hadFocus = row.contains(document.activeElement);
                    if (row === at) at = fresh;
                    row.replaceWith(fresh);
                    fresh.tabIndex = row.tabIndex;
                    row = fresh;
                    this.rows.set(key, row);
                    if (hadFocus) row.focus({ preventScroll: true });
                }
            } else if (!row) {
                row = make();
                made += 1;
                this.rows.set(key, row);
            }
            if (row === at) at = at.nextSibling;
            else this.frame.insertBefore(row, at);
        }
        altered.clear();
        this.work.frames += 1;
        this.work.mostRowsMade = Math.max(this.work.mostRowsMade, made);
        this.work.mostRows = Math.max(this.work.mostRows, this.rows.size);
        // A screen reader that is told of twenty lines a second is of no use: then only the count is told.
        this.frame.setAttribute("aria-live", made > 5 ? "off" : "polite");
    }

    tickOf(entry) {
        const { state } = this.page;
        if (entry.n > 0 && entry.k >= entry.n) return { state: "all", glyph: "●", words: say("tick.all", { n: entry.n }) };
        if (entry.k > 0) return { state: `held-${entry.k}`, glyph: "◕", words: say("tick.held", { k: entry.k, count: entry.n }) };
        return { state: "ordered", glyph: "◑", words: say("tick.ordered", { number: numberOf(state.chat, entry) }) };
    }

    row(entry) {
        const { state } = this.page;
        const number = numberOf(state.chat, entry);
        const to = !entry.own && entry.unreadable === null && mentions(entry.text, state.me?.name);
        const classes = ["message", entry.own && "own", to && "to-me", entry.late && "late", entry.discarded && "discarded"];
        const tick = entry.own ? this.tickOf(entry) : null;
        const row = element("article", {
            class: classes.filter(Boolean).join(" "),
            tabindex: "-1",
            "data-id": entry.id,
            "data-number": number,
            "data-state": tick?.state ?? "",
            "data-text": entry.text.length < 100 ? entry.text : null,
        });
        row.append(
            element("a", { class: "number", href: number, title: say("message.life"), tabindex: "-1" }, number),
            element("time", { class: "time", datetime: entry.sent ?? "" }, clock(entry.sent)),
            this.words(entry),
        );
        const marks = element("span", { class: "marks" });
        if (to) marks.append(element("span", { class: "mark-word to" }, say("message.to_you")), " ");
        if (entry.late) marks.append(element("span", { class: "mark-word" }, say("message.late")), " ");
        if (entry.moved) marks.append(element("span", { class: "mark-word" }, say("message.moved", { from: `#${entry.moved.seq}` })), " ");
        if (entry.discarded) marks.append(element("span", { class: "mark-word" }, say("message.discarded")), " ");
        if (tick) marks.append(element("span", { class: `tick tick-${tick.state.split("-")[0]}` }, element("span", { "aria-hidden": "true" }, tick.glyph), ` ${tick.words}`));
        if (marks.childNodes.length > 0) row.append(marks);
        return row;
    }

    words(entry) {
        const name = element("span", { class: `name hue-${entry.from % 8}` }, bdiName(entry.name), element("span", { class: "id" }, `·${entry.from}`));
        if (entry.unreadable !== null && entry.unreadable !== undefined) {
            return element("p", { class: "words" }, name, " ", element("em", { class: "unreadable" }, say("message.unreadable"), " ", bdiText(entry.unreadable)));
        }
        const meant = meaning(entry.text);
        const long = meant.text.length > TEXT_SHOWN;
        const body = element("bdi", { class: "text" }, visible(long ? meant.text.slice(0, TEXT_SHOWN) : meant.text));
        if (meant.kind === "said") {
            const words = element("p", { class: "words" }, name, " ", body);
            if (long) words.append(" ", element("em", { class: "folded" }, say("message.folded", { characters: count(meant.text.length) })));
            return words;
        }
        const lead = meant.kind === "action" ? [] : [element("em", {}, say(`message.${meant.kind}`)), " "];
        return element("p", { class: `words ${meant.kind}` }, meant.kind === "action" ? "✱ " : "", name, " ", ...lead, body);
    }

    pendingRow(line) {
        const state = line.error ? "refused" : line.state === "pending" || line.taken ? "pending" : "unsent";
        const me = this.page.state.me;
        const entry = { from: me?.id ?? 0, name: me?.name ?? "", text: line.text, unreadable: null };
        const glyph = { refused: "✕", pending: "◔", unsent: "○" }[state];
        const row = element("article", {
            class: `message own ${state}`,
            tabindex: "-1",
            "data-key": line.key ?? "",
            "data-state": state,
            "data-text": line.text.length < 100 ? line.text : null,
        });
        row.append(
            element("span", { class: "number", "aria-hidden": "true" }, "#…"),
            element("time", { class: "time" }, clock(line.sent ?? line.at)),
            this.words(entry),
        );
        const tick = element("span", { class: `tick tick-${state}` }, element("span", { "aria-hidden": "true" }, glyph), ` ${say(`tick.${state}`)}`);
        const marks = element("span", { class: "marks" }, tick);
        if (line.error) {
            marks.append(" ", bdiText(line.error), " ", element("button", { type: "button", class: "small", "data-edit": line.key }, say("message.edit")));
        }
        row.append(marks);
        return row;
    }

    bottom() {
        this.frame.scrollTop = this.frame.scrollHeight;
    }

    toEnd() {
        if (!this.room.atEnd) {
            this.page.finding.newest(this.page.room);
            return;
        }
        this.stuck = true;
        this.draw();
    }

    // What is on top of the visible part, and where: so that it stays there when rows come and go above it.
    anchor() {
        const top = this.frame.getBoundingClientRect().top;
        for (const row of this.frame.children) {
            const box = row.getBoundingClientRect();
            if (box.bottom > top) return { row, offset: box.top - top };
        }
        return null;
    }

    restore(anchor) {
        if (!anchor) return;
        if (!anchor.row.isConnected) {
            // What was looked at is gone: the middle is near to nothing that would move it again.
            this.frame.scrollTop = (this.frame.scrollHeight - this.frame.clientHeight) / 2;
            return;
        }
        const top = this.frame.getBoundingClientRect().top;
        const moved = anchor.row.getBoundingClientRect().top - top - anchor.offset;
        if (Math.abs(moved) > 0.5) this.frame.scrollTop += moved;
    }

    scrolled() {
        const { scrollTop, scrollHeight, clientHeight } = this.frame;
        const list = this.room.list;
        const from = this.first ? place(list, this.first) : 0;
        const endShown = from + ROWS_AT_MOST - 20 >= list.length;
        const atBottom = scrollHeight - scrollTop - clientHeight < 24;
        const stuck = atBottom && (this.stuck || endShown) && this.room.atEnd;
        if (stuck !== this.stuck) {
            this.stuck = stuck;
            if (stuck) this.page.drawChat();
            else this.seen = this.room.fresh;
        }
        if (this.stuck) {
            this.note();
            // While one is at the end and the whole of it fits, older messages can still be asked for.
            if (scrollTop < NEAR && scrollHeight > clientHeight && this.lastTop > scrollTop) this.up(from);
        } else if (this.moving) {
            return;
        } else if (scrollTop < NEAR) {
            this.up(from);
        } else if (scrollHeight - scrollTop - clientHeight < NEAR && !endShown) {
            this.move(list[Math.min(from + ROWS_STEP, list.length - 1)]);
        }
        this.lastTop = scrollTop;
    }

    up(from) {
        if (from === 0) {
            if (this.room.more) this.page.finding.older(this.page.room);
            return;
        }
        if (!this.stuck) this.move(this.room.list[Math.max(0, from - ROWS_STEP)]);
    }

    move(first) {
        this.first = first;
        this.moving = true;
        this.page.drawChat();
    }

    /** Older messages came in: the window begins with some of them. */
    grew() {
        if (this.stuck || !this.first) return;
        const from = place(this.room.list, this.first);
        this.move(this.room.list[Math.max(0, from - ROWS_STEP)]);
    }

    // "3 new", while one reads above.
    note() {
        const fresh = this.room.fresh - this.seen;
        const away = !this.stuck || !this.room.atEnd;
        if (this.stuck && this.room.atEnd) this.seen = this.room.fresh;
        this.newer.hidden = !away;
        if (!away) return;
        text(this.newer, fresh > 0 ? say("log.new", { n: fresh, count: count(fresh) }) : say("log.end"));
    }

    // What is on the screen of somebody who looks at it is read.
    read() {
        if (document.hidden || !document.hasFocus()) return;
        const last = this.room.list.at(-1);
        if (last && this.room.atEnd) this.page.readTo(this.page.room, last);
    }

    /** Shows a message that is in memory, and puts the focus on it. */
    show(entry) {
        const list = this.room.list;
        const at = place(list, entry);
        this.stuck = false;
        this.seen = this.room.fresh;
        this.first = list[Math.max(0, at - 100)];
        this.draw();
        const row = this.rows.get(entry.id);
        if (!row) return;
        row.scrollIntoView({ block: "center" });
        this.focusRow(row);
        row.classList.add("found");
        setTimeout(() => row.classList.remove("found"), 2500);
    }

    click(event) {
        const edit = event.target.closest("[data-edit]");
        if (edit) {
            this.page.sending.editRefused(edit.dataset.edit);
            return;
        }
        const row = event.target.closest("article.message");
        if (!row) return;
        const selected = String(getSelection());
        if (event.target.closest("a.number")) event.preventDefault();
        else if (selected) return;
        this.focusRow(row);
        this.open(row);
    }

    open(row) {
        const entry = this.page.state.chat.byId.get(row.dataset.id);
        if (entry) this.page.openLife(entry);
    }

    key(event) {
        const rows = [...this.frame.querySelectorAll("article.message")];
        if (rows.length === 0 || event.altKey || event.ctrlKey || event.metaKey) return;
        const at = rows.indexOf(document.activeElement);
        const go = {
            ArrowUp: at < 0 ? rows.length - 1 : at - 1,
            ArrowDown: at < 0 ? rows.length - 1 : at + 1,
        }[event.key];
        if (go !== undefined) {
            event.preventDefault();
            const row = rows[Math.min(Math.max(go, 0), rows.length - 1)];
            this.focusRow(row);
            row.scrollIntoView({ block: "nearest" });
        } else if (event.key === "Enter" && at >= 0 && event.target === rows[at]) {
            event.preventDefault();
            this.open(rows[at]);
        } else if (event.key === "End") {
            event.preventDefault();
            this.toEnd();
        } else if (event.key === "Home") {
            event.preventDefault();
            this.frame.scrollTop = 0;
        }
    }

    focusRow(row) {
        const before = this.rows.get(this.focused);
        if (before) before.tabIndex = -1;
        row.tabIndex = 0;
        this.focused = [...this.rows].find(([, made]) => made === row)?.[0] ?? null;
        row.focus({ preventScroll: true });
    }
}

function dayOf(entry) {
    if (!entry.sent) return null;
    const date = new Date(entry.sent);
    return Number.isNaN(date.getTime()) ? null : `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

function note(kind, words) {
    return element("p", { class: `note ${kind}` }, element("span", {}, words));
}
