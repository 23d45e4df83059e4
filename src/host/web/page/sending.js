// What is typed: said, or a command. A line is kept in the browser, with a key of its own, until the node has it.

import { read } from "./commands.js";
import { byId } from "./dom.js";
import { freshKey } from "./keep.js";
import { say } from "./words.js";

/** What the user says, on its way to the node. */
export class Sending {
    constructor(page) {
        this.page = page;
        // Lines that the node has not told of yet, oldest first.
        this.unsent = [];
        this.pressed = new Map();
        this.busy = false;
    }

    async typed(line) {
        const meant = read(line);
        this.page.wrong("");
        if (meant.say !== undefined) return this.say(meant.say);
        if (meant.unknown !== undefined) {
            this.page.wrong(meant.nearest ? say("command.nearest", { name: meant.unknown, nearest: meant.nearest }) : say("command.unknown", { name: meant.unknown }));
            return false;
        }
        if (meant.command) return (await this.command(meant.command, meant.rest)) !== false;
        return true;
    }

    async command(name, rest) {
        switch (name) {
            case "help":
                return this.page.looks.help();
            case "me":
            case "topic":
                return rest ? this.say(`/${name} ${rest}`) : this.usage(name);
            case "away":
                return this.say(rest ? `/away ${rest}` : "/away");
            case "join":
                return rest ? this.page.enter(rest.split(/\s/)[0]) : this.usage(name);
            case "msg": {
                const [, room, words] = /^(\S+)\s+([\s\S]+)$/.exec(rest) ?? [];
                return room ? this.say(words, room) : this.usage(name);
            }
            case "nick":
                return rest ? this.act({ what: "name", name: rest }) : this.usage(name);
            case "search":
                return rest ? this.page.finding.find(rest) : byId("search-words").focus();
            case "trace":
                return rest ? this.page.finding.jump(rest.replace(/^#/, ""), true) : this.usage(name);
            case "why":
                return this.why();
            case "ring":
                return this.page.openTwin();
            case "token":
            case "checkpoint":
            case "reconcile":
                return this.act({ what: name });
            case "rollback":
                return this.act(rest ? { what: name, number: Number(rest) } : { what: name });
            case "quit":
                // A page does not end its node: that one is another's to end.
                this.page.wrong(say("command.quit"));
                return true;
        }
        return false;
    }

    usage(name) {
        this.page.wrong(say(`help.${name}`));
        return false;
    }

    say(words, room = this.page.room) {
        if (!this.page.keep) {
            this.page.wrong(say("state.connecting"));
            return false;
        }
        const key = freshKey();
        const line = { key, room, text: words, at: new Date().toISOString() };
        this.pressed.set(key, { at: line.at, ms: performance.now() });
        // As bounded as everything: the oldest timings of key presses go first.
        if (this.pressed.size > 500) this.pressed.delete(this.pressed.keys().next().value);
        this.page.keep.addUnsent(line);
        this.unsent = [...this.unsent, line];
        if (this.page.room === room) this.page.log.stuck = true;
        this.page.drawChat();
        this.send();
        return true;
    }

    // One line after the other, so that they keep their order; the same keys until the node says it has them.
    async send() {
        if (this.busy || !this.page.keep) return;
        this.busy = true;
        try {
            for (;;) {
                const line = this.unsent.find((one) => !one.taken && !one.error);
                if (!line || !this.page.connected) return;
                await this.sendOne(line);
            }
        } finally {
            this.busy = false;
        }
    }

    async sendOne(line) {
        try {
            const answer = await this.page.stream.post("/api/say", { room: line.room, text: line.text, key: line.key });
            line.taken = true;
            const pressed = this.pressed.get(line.key);
            if (pressed) Object.assign(pressed, { id: answer.id, answeredMs: performance.now() - pressed.ms });
            this.page.keep.dropUnsent(line.key);
            // It stays on the screen until its event comes; if that came already, it goes now.
            const { chat } = this.page.state;
            if (chat.byId.has(answer.id) || chat.pending.has(answer.id)) this.unsent = this.unsent.filter((one) => one !== line);
        } catch (error) {
            if (error.status === 422 || error.status === 413 || error.status === 400) {
                line.error = error.message;
                this.page.keep.refuseUnsent(line.key, error.message);
            } else if (error.status === 401 || error.status === 403) {
                this.page.wrong(say("state.token"));
                this.page.connected = false;
            } else {
                // No answer says nothing of whether it was taken: it is sent again, under the same key.
                await new Promise((done) => setTimeout(done, 500));
            }
        }
        this.page.drawChat();
    }

    editRefused(key) {
        const line = this.unsent.find((one) => one.key === key);
        if (!line) return;
        this.page.keep.dropUnsent(key);
        this.unsent = this.unsent.filter((one) => one !== line);
        const input = byId("input");
        input.value = input.value ? `${line.text}\n${input.value}` : line.text;
        this.page.typing();
        input.focus();
        this.page.drawChat();
    }

    async act(body) {
        try {
            await this.page.stream.post("/api/do", body);
            return true;
        } catch (error) {
            this.page.wrong(error.message);
            return false;
        }
    }

    // What this node waits for, in one sentence.
    async why() {
        try {
            const status = await this.page.stream.ask("/api/status");
            const { why } = status;
            const facts = { ...why, nodes: (why.nodes ?? why.missing ?? []).join(", "), node: why.holder, n: why.hops ?? 0 };
            this.page.wrong(say(`why.${why.for}`, facts));
        } catch (error) {
            this.page.wrong(error.status === 0 ? say("state.lost") : error.message);
        }
        return true;
    }

    /** The node told of a line: the page need not keep it any more. */
    settle(key) {
        if (!this.unsent.some((line) => line.key === key)) return;
        this.page.keep?.dropUnsent(key);
        this.unsent = this.unsent.filter((line) => line.key !== key);
    }
}
