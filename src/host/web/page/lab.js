// Lessons: a scene, a prediction first, then the faults themselves, and what became of them, judged by events alone.
//
// The lessons are in lessons.json: what is asked of which node, which event is waited for, and which facts must hold. Nothing in
// it is played: each step is a fault that a consenting node does to itself, and everybody's stream tells of it.

import { byId, element, nodeName, text } from "./dom.js";
import { freshKey } from "./keep.js";
import { language, say, span } from "./words.js";

/** How long a pause, a cut or an absence asked for by hand lasts. */
const BY_HAND_MS = 4000;
/** The delay that is set by hand, in microseconds. */
const SLOW_US = [1_000_000, 3_000_000];
const USUAL_US = [0, 150_000];
/** Events that a lesson remembers: many more than one makes. */
const REMEMBERED_MOST = 20_000;

/** Whether an event is what is looked for: all fields are equal; members are compared by their ids. */
export function fits(event, wanted) {
    return Object.entries(wanted).every(([name, value]) => {
        const found = name === "members" ? event.members?.map((member) => member.id) : event[name];
        return JSON.stringify(found) === JSON.stringify(value);
    });
}

/** One lesson on its way. */
export class Run {
    /** `act(step)` does a step and resolves when it is done; `changed()` is told of every step. */
    constructor(lesson, act, changed) {
        this.lesson = lesson;
        this.act = act;
        this.changed = changed;
        this.events = [];
        this.from = 0;
        this.waited = false;
        this.at = 0;
        this.failed = null;
        this.done = false;
        this.waiting = null;
    }

    /** An event came. */
    hear(event) {
        if (this.done) return;
        if (this.events.length < REMEMBERED_MOST) this.events.push(event);
        if (this.waiting && fits(event, this.waiting.wanted)) this.waiting.found();
    }

    /** All steps, then what always follows. */
    async go() {
        try {
            for (const step of this.lesson.steps) {
                await this.step(step);
                this.at += 1;
                this.changed();
            }
        } catch (error) {
            this.failed = String(error.message ?? error);
        }
        for (const step of this.lesson.after) {
            try {
                await this.step(step);
            } catch (error) {
                this.failed ??= String(error.message ?? error);
            }
        }
        this.done = true;
        this.changed();
    }

    async step(step) {
        if (!step.wait) {
            // What is done after a wait is a new beginning; what comes of it may come before the next thing is done.
            if (this.waited) this.from = this.events.length;
            this.waited = false;
            await this.act(step);
            return;
        }
        this.waited = true;
        if (this.events.slice(this.from).some((event) => fits(event, step.wait))) return;
        await new Promise((found, missed) => {
            const over = setTimeout(() => missed(new Error(say("lessons.missed"))), step.within_ms);
            const end = () => {
                clearTimeout(over);
                this.waiting = null;
                found();
            };
            this.waiting = { wanted: step.wait, found: end };
        }).finally(() => {
            this.waiting = null;
        });
    }

    /** The facts, each with whether it holds. */
    facts() {
        return this.lesson.facts.map((fact) => {
            const seen = (wanted) => this.events.some((event) => fits(event, wanted));
            return { words: fact.text, holds: fact.seen ? seen(fact.seen) : !seen(fact.never) };
        });
    }
}

/** The panel: the lessons, the one that is chosen, and the faults by hand. */
export class Lab {
    constructor(place, page) {
        this.place = place;
        this.page = page;
        this.lessons = [];
        this.chosen = null;
        this.predicted = null;
        this.run = null;
        this.byHand = false;
        // Beside the talk and the ring, so that both are seen while a lesson goes on.
        byId("rooms").append(place);
        document.body.dataset.lab = "yes";
        this.draw();
        this.load();
    }

    async load() {
        const answer = await fetch("/page/lessons.json");
        this.lessons = (await answer.json()).lessons;
        this.draw();
    }

    /** An event came. */
    hear(event) {
        this.run?.hear(event);
        if (event.type === "ring" && !this.run) this.draw();
    }

    draw() {
        const parts = this.chosen ? this.lessonParts() : this.listParts();
        this.place.setAttribute("aria-labelledby", "lab-title");
        this.place.replaceChildren(...parts);
    }

    // ---- The list ----

    listParts() {
        const list = element("ol", { class: "lesson-list" });
        for (const lesson of this.lessons) {
            const open = element("button", { type: "button", class: "lesson-open", "data-lesson": lesson.id }, words(lesson.title));
            open.addEventListener("click", () => this.choose(lesson));
            list.append(element("li", {}, open));
        }
        return [heading(say("lessons.title")), element("p", { class: "lesson-lead" }, say("lessons.lead")), list, this.handPart()];
    }

    choose(lesson) {
        this.chosen = lesson;
        this.predicted = null;
        this.run = null;
        this.draw();
        this.place.querySelector("#lab-title")?.focus();
    }

    // ---- One lesson ----

    lessonParts() {
        const lesson = this.chosen;
        const parts = [heading(words(lesson.title)), element("p", {}, words(lesson.scene)), this.prediction(lesson)];
        if (this.run) parts.push(this.progress());
        if (this.run?.done) parts.push(...this.outcome(lesson));
        const back = button(say("lessons.back"), "lesson-back", () => {
            this.chosen = null;
            this.draw();
            this.place.querySelector("#lab-title")?.focus();
        });
        back.disabled = Boolean(this.run) && !this.run.done;
        parts.push(back);
        return parts;
    }

    prediction(lesson) {
        const { question, options } = lesson.predict;
        const set = element("fieldset", { class: "predict" }, element("legend", {}, words(question)));
        options.forEach((option, index) => {
            const input = element("input", { type: "radio", name: "predict", value: String(index) });
            input.checked = this.predicted === index;
            input.disabled = Boolean(this.run);
            input.addEventListener("change", () => {
                this.predicted = index;
                this.place.querySelector(".lesson-run").disabled = false;
            });
            set.append(element("label", {}, input, element("span", {}, words(option))));
        });
        if (!this.run) {
            const go = button(say("lessons.run"), "lesson-run", () => this.begin(lesson));
            go.disabled = this.predicted === null;
            set.append(go);
        }
        return set;
    }

    begin(lesson) {
        this.run = new Run(lesson, (step) => this.act(step), () => this.draw());
        this.draw();
        this.run.go();
    }

    progress() {
        const list = element("ol", { class: "steps" });
        this.run.lesson.steps.forEach((step, index) => {
            const state = index < this.run.at ? "done" : index === this.run.at && !this.run.done ? "now" : "later";
            const mark = { done: "✓", now: "→", later: "·" }[state];
            const line = `${mark} ${this.stepWords(step)}`;
            list.append(element("li", { class: state, "aria-current": state === "now" ? "step" : null }, line));
        });
        return list;
    }

    outcome(lesson) {
        const right = this.predicted === lesson.predict.right;
        const facts = this.run.facts();
        const held = facts.every((fact) => fact.holds) && !this.run.failed;
        const list = element("ul", { class: "lesson-facts" });
        for (const fact of facts) {
            const mark = say(fact.holds ? "lessons.holds" : "lessons.fails");
            list.append(element("li", { class: fact.holds ? "holds" : "fails" }, `${fact.holds ? "✓" : "✗"} ${words(fact.words)} (${mark})`));
        }
        const verdict = element("p", { class: `verdict ${held ? "held" : "broken"}`, role: "status" });
        text(verdict, this.run.failed ?? say(right ? "lessons.right" : "lessons.wrong"));
        const again = button(say("lessons.again"), "lesson-again", () => this.choose(lesson));
        return [verdict, list, element("p", { class: "lesson-why" }, words(lesson.predict.why)), again];
    }

    stepWords(step) {
        if (step.say !== undefined) return say("lessons.say", { text: step.say });
        if (step.do) return say("lessons.do", { what: say(`lab.what.${step.do}`) });
        if (step.lab) return say("lessons.ask", { node: this.name(step.lab.on), what: deedWords(step.lab) });
        return say("lessons.wait", { what: waitWords(step.wait) });
    }

    // ---- Doing ----

    async act(step) {
        if (step.say !== undefined) {
            await this.page.stream.post("/api/say", { room: "geral", text: step.say, key: freshKey() });
        } else if (step.lab) {
            await this.page.stream.post("/api/do", { what: "lab", lab: step.lab });
        } else {
            await this.page.stream.post("/api/do", { what: step.do });
        }
    }

    name(id) {
        return nodeName(id, this.page.state.nodes.get(id)?.name ?? "");
    }

    // ---- By hand ----

    handPart() {
        const part = element("details", { class: "by-hand" }, element("summary", {}, say("hand.title")));
        part.open = this.byHand;
        part.addEventListener("toggle", () => {
            this.byHand = part.open;
        });
        const members = this.page.state.ring.members.map((member) => member.id);
        const me = this.page.state.me?.id;
        const choice = element("select", { id: "hand-node", "aria-label": say("hand.node") });
        for (const id of members) {
            const option = element("option", { value: String(id) }, this.name(id));
            option.selected = id === this.handNode;
            choice.append(option);
        }
        choice.addEventListener("change", () => {
            this.handNode = Number(choice.value);
        });
        const told = element("p", { class: "hand-told", role: "status", "aria-live": "polite" });
        const deeds = element("div", { class: "deeds" });
        const others = (on) => members.filter((id) => id !== on);
        const all = {
            pause: () => ({ what: "pause", for_ms: BY_HAND_MS }),
            cut: (on) => ({ what: "cut", for_ms: BY_HAND_MS, from: others(on) }),
            heal: () => ({ what: "heal" }),
            lose_token: () => ({ what: "lose_token" }),
            crash: () => ({ what: "crash", for_ms: BY_HAND_MS }),
            checkpoint: () => ({ what: "checkpoint" }),
            rollback: () => ({ what: "rollback" }),
            slow: () => ({ what: "delay", min_us: SLOW_US[0], max_us: SLOW_US[1] }),
            usual: () => ({ what: "delay", min_us: USUAL_US[0], max_us: USUAL_US[1] }),
            twin: () => ({ what: "twin" }),
        };
        for (const [name, deed] of Object.entries(all)) {
            const ask = button(say(`hand.${name}`), "deed", async () => {
                const on = Number(choice.value || me);
                try {
                    await this.act({ lab: { on, ...deed(on) } });
                    text(told, say("lessons.ask", { node: this.name(on), what: deedWords({ on, ...deed(on) }) }));
                } catch (error) {
                    text(told, error.message);
                }
            });
            ask.dataset.deed = name;
            deeds.append(ask);
        }
        part.append(choice, deeds, told);
        return part;
    }
}

function heading(title) {
    return element("h2", { id: "lab-title", tabindex: "-1" }, title);
}

function button(title, kind, act) {
    const made = element("button", { type: "button", class: kind }, title);
    made.addEventListener("click", act);
    return made;
}

/** The words of a lesson in the language in use. */
function words(texts) {
    return texts[language()] ?? texts.en;
}

function deedWords(deed) {
    const what = say(`lab.what.${deed.what}`);
    if (deed.what === "say") return `${what}: ${deed.text}`;
    if (deed.what === "delay") return `${what} ${span(deed.min_us)} – ${span(deed.max_us)}`;
    const more = [];
    if (deed.for_ms) more.push(span(deed.for_ms * 1000));
    if (deed.from) more.push(say("lessons.from", { nodes: deed.from.join(", ") }));
    if (deed.holding) more.push(say("lessons.holding"));
    return more.length > 0 ? `${what} (${more.join(", ")})` : what;
}

function waitWords(wanted) {
    if (wanted.type === "ring") return say("lessons.wait.ring", { nodes: wanted.members.join(", ") });
    if (wanted.type === "message") return say("lessons.wait.message", { text: wanted.text });
    if (wanted.type === "held") return say("lessons.wait.held", { k: wanted.k, n: wanted.n });
    if (wanted.type === "lab") return say("lessons.wait.lab", { what: say(`lab.what.${wanted.what}`), node: wanted.on });
    return say(`lessons.wait.${wanted.type}`);
}
