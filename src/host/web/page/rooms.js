// The list of rooms, with how many messages are unread, and the list of people.

import { bdiName, bdiText, byId, element } from "./dom.js";
import { mentions } from "./messages.js";
import { compare } from "./order.js";
import { count, say } from "./words.js";

/** More than so many unread messages are not counted. */
const COUNTED = 99;

/** How many messages of a room are unread, and how many of those name this user. */
export function unread(room, read, name) {
    let many = 0;
    let mine = 0;
    for (let index = room.list.length - 1; index >= 0 && many <= COUNTED; index -= 1) {
        const entry = room.list[index];
        if (read && compare(entry, read) <= 0) break;
        if (entry.own) continue;
        many += 1;
        if (mentions(entry.text, name)) mine += 1;
    }
    return { many, mine };
}

/** Draws the rooms. Only what changed is built again: the focus stays where it is. */
export function drawRooms(page) {
    const list = byId("room-list");
    const names = [...new Set([...page.state.chat.rooms.keys(), page.room])].filter(Boolean).sort((a, b) => a.localeCompare(b));
    const known = new Map([...list.children].map((item) => [item.firstChild.dataset.room, item]));
    let total = 0;
    names.forEach((name, index) => {
        const room = page.state.chat.rooms.get(name);
        const { many, mine } = room ? unread(room, page.keep?.lastRead(name), page.state.me?.name) : { many: 0, mine: 0 };
        total += mine;
        const shown = many > COUNTED ? `${COUNTED}+` : String(many);
        const key = `${name === page.room} ${shown} ${mine}`;
        let item = known.get(name);
        known.delete(name);
        if (!item || item.dataset.key !== key) {
            const fresh = roomItem(name, name === page.room, many, shown, mine);
            fresh.dataset.key = key;
            const focused = item?.contains(document.activeElement);
            if (item) item.replaceWith(fresh);
            item = fresh;
            if (focused) item.firstChild.focus();
        }
        if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
    });
    known.forEach((item) => item.remove());
    return total;
}

function roomItem(name, current, many, shown, mine) {
    const button = element("button", { type: "button", class: "room", "aria-current": current ? "true" : null }, element("span", { class: "room-name" }, bdiName(name)));
    button.dataset.room = name;
    if (many > 0) {
        button.append(
            " ",
            element("span", { class: mine > 0 ? "unread mine" : "unread" }, element("span", { "aria-hidden": "true" }, mine > 0 ? `@${shown}` : shown), element("span", { class: "unseen" }, say("rooms.unread", { n: many, count: shown }))),
        );
    }
    return element("li", {}, button);
}

/** Draws the people: who is in the ring, who is away and why, who is gone and how. */
export function drawPeople(page) {
    const { state } = page;
    const members = state.phase === "operational" ? (state.ring?.members ?? []) : [];
    const within = new Set(members);
    const others = [...state.nodes.keys()].filter((id) => !within.has(id) && (state.nodes.get(id).spoke || state.nodes.get(id).lastRing || state.nodes.get(id).name)).sort((a, b) => a - b);
    byId("people-list").replaceChildren(
        ...members.map((id) => person(state, id, "in")),
        ...others.slice(0, 40).map((id) => person(state, id, state.phase === "operational" ? "gone" : "unknown")),
    );
}

function person(state, id, where) {
    const known = state.nodes.get(id) ?? { name: "" };
    const me = id === state.me?.id;
    const presence = where === "in" && known.away ? "away" : where;
    const words = {
        in: say("people.in"),
        away: say("people.away"),
        gone: known.left?.how === "goodbye" ? say("people.left") : known.left?.how === "silent" ? say("people.silent") : say("people.gone"),
        unknown: say("people.unknown"),
    }[presence];
    const item = element(
        "li",
        { class: `person ${presence}`, "data-node": id },
        element("span", { class: "dot", "aria-hidden": "true" }, { in: "●", away: "◐", gone: "○", unknown: "◌" }[presence]),
        element("span", { class: `name hue-${id % 8}` }, bdiName(known.name || String(id)), element("span", { class: "id" }, `·${id}`)),
        element("span", { class: "presence" }, me ? `${say("people.you")}, ${words}` : words),
    );
    if (known.away) item.append(element("span", { class: "reason" }, bdiText(known.away)));
    return item;
}

export { count };
