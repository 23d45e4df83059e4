// Building elements. Whatever others wrote comes in as text only; nothing here reads markup.

import { visible, visibleName } from "./visible.js";

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; a child that is no element is text. */
export function element(name, attributes = {}, ...children) {
    return fill(document.createElement(name), attributes, children);
}

/** The same for drawings. */
export function shape(name, attributes = {}, ...children) {
    return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(made, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
        if (value === true) made.setAttribute(name, "");
        else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return made;
}

/** Sets attributes where they differ: an attribute that stays the same costs nothing. */
export function set(made, attributes) {
    for (const [name, value] of Object.entries(attributes)) {
        const text = String(value);
        if (made.getAttribute(name) !== text) made.setAttribute(name, text);
    }
}

/** Sets a text where it differs, so that screen readers are told of changes only. */
export function text(made, words) {
    if (made.textContent !== words) made.textContent = words;
}

/** A name, kept apart from the text around it. */
export function bdiName(name) {
    return element("bdi", {}, visibleName(name));
}

/** A text of somebody else, kept apart. */
export function bdiText(words) {
    return element("bdi", {}, visible(words));
}

/** A node as people read it: `ana·3`. */
export function nodeName(id, name) {
    const shown = name ? visibleName(name) : "";
    return shown ? `${shown}·${id}` : String(id);
}

/** The element with this id. */
export function byId(id) {
    return document.getElementById(id);
}
