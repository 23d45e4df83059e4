// The life of a message: from the key press to the last replica, as this node saw it.

import { bdiText, byId, element } from "./dom.js";
import { numberOf } from "./messages.js";
import { ringParts, sameRing } from "./order.js";
import { clock, say, span } from "./words.js";

/** The dialog with a message's life. */
export class Life {
    constructor(page) {
        this.page = page;
        this.dialog = byId("life");
    }

    async open(entry) {
        const { state } = this.page;
        const number = numberOf(state.chat, entry);
        byId("life-title").textContent = say("life.title", { number });
        const body = byId("life-body");
        body.replaceChildren(this.head(entry), element("p", { class: "quiet" }, say("search.looking")));
        if (!this.dialog.open) this.dialog.showModal();
        let steps = [];
        let wrong = null;
        try {
            const ring = ringParts(entry.ring);
            const trace = await this.page.stream.ask("/api/trace", { seq: entry.seq, ring: `${ring.epoch}.${ring.leader}` });
            steps = trace.steps ?? [];
        } catch (error) {
            wrong = error.status === 0 ? say("state.lost") : error.message;
        }
        body.replaceChildren(this.head(entry), this.steps(entry, steps));
        if (wrong) body.append(element("p", { class: "quiet" }, wrong));
        else if (steps.length === 0) body.append(element("p", { class: "quiet" }, say("life.forgotten")));
        body.append(this.link(number));
    }

    head(entry) {
        const ring = ringParts(entry.ring);
        const words = element("div", { class: "life-head" });
        words.append(
            element("p", { class: "life-text" }, bdiText(entry.text.slice(0, 2000))),
            element("p", { class: "quiet" }, say("life.place", { seq: entry.seq, epoch: ring.epoch, leader: ring.leader })),
            element("p", { class: "quiet" }, say("life.id", { id: entry.id })),
        );
        if (entry.late) words.append(element("p", { class: "quiet" }, say("life.late")));
        if (entry.moved) words.append(element("p", { class: "quiet" }, say("life.moved", { from: `#${entry.moved.seq}` })));
        return words;
    }

    steps(entry, steps) {
        const list = element("ol", { class: "steps" });
        const pressed = this.pressed(entry);
        if (pressed) {
            list.append(element("li", { class: "clock" }, say("step.page_clock")));
            list.append(this.step(say("step.pressed"), clock(pressed.at, true)));
            if (pressed.answeredMs !== undefined) list.append(this.step(say("step.answered"), `+${span(pressed.answeredMs * 1000)}`));
        }
        const first = steps[0]?.time_us ?? 0;
        if (pressed && steps.length > 0) list.append(element("li", { class: "clock" }, say("step.node_clock")));
        for (const step of steps) {
            const does = say(`step.${step.step}`, { hop: step.hop ?? "", node: step.node ?? "" });
            const words = step.at === undefined ? does : say("step.at", { at: step.at, does });
            list.append(this.step(words, `+${span(step.time_us - first)}`));
        }
        const { state } = this.page;
        if (!this.page.replay && sameRing(entry.ring, state.ring?.ring) && entry.seq <= state.stable) list.append(this.step(say("step.stable", { n: state.ring.members.length }), ""));
        return list;
    }

    // When the key was pressed is known to this page only, and by its own clock.
    pressed(entry) {
        if (entry.key && this.page.sending.pressed.has(entry.key)) return this.page.sending.pressed.get(entry.key);
        return [...this.page.sending.pressed.values()].find((one) => one.id === entry.id) ?? null;
    }

    step(words, when) {
        return element("li", {}, element("span", { class: "step-words" }, words), element("span", { class: "step-when" }, when));
    }

    link(number) {
        const button = element("button", { type: "button", class: "small" }, say("life.copy", { number }));
        button.addEventListener("click", async () => {
            // Without the token: a link is to be given away.
            await navigator.clipboard?.writeText(`${location.origin}/${number}`).catch(() => {});
            button.textContent = say("life.copied");
        });
        return button;
    }
}
