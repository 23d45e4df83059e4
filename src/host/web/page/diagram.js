// The space-time diagram of a recording, drawn by the server, and what can be saved of it.

import { byId, element, text } from "./dom.js";
import { language, say, span } from "./words.js";

/** How much of the recording is drawn, in microseconds; 0 for all of it. */
const STRETCHES = [200_000, 1_000_000, 5_000_000, 30_000_000, 0];
/** The stretch that is drawn first. */
const FIRST = 5_000_000;
/** How wide it is drawn at least, in pixels. */
const WIDTH_AT_LEAST = 1000;

/** The dialog with the diagram. */
export class Diagram {
    constructor(page) {
        this.page = page;
        this.around = 0;
        this.dialog = byId("diagram");
        this.picture = byId("diagram-picture");
        this.stretch = byId("diagram-stretch");
        this.stretch.addEventListener("change", () => this.draw());
        byId("diagram-shiviz").addEventListener("click", () => this.shiviz());
    }

    /** Shows it, around this moment. */
    open(us) {
        this.around = us;
        const chosen = this.stretch.value || String(FIRST);
        this.stretch.replaceChildren(...STRETCHES.map((stretch) => element("option", { value: String(stretch) }, stretch === 0 ? say("diagram.all") : say("diagram.stretch", { time: span(stretch) }))));
        this.stretch.value = chosen;
        if (!this.dialog.open) this.dialog.showModal();
        return this.draw();
    }

    async draw() {
        const stretch = Number(this.stretch.value);
        const from = stretch === 0 ? 0 : Math.max(0, Math.round(this.around - stretch / 2));
        const to = stretch === 0 ? null : from + stretch;
        const width = Math.max(WIDTH_AT_LEAST, byId("diagram-frame").clientWidth);
        text(byId("diagram-wrong"), say("diagram.drawing"));
        try {
            const svg = await this.page.stream.text("/api/diagram", { from_us: from, to_us: to, width, lang: language() });
            this.release();
            this.address = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
            this.picture.src = this.address;
            this.picture.alt = say("diagram.alt");
            this.picture.hidden = false;
            const save = byId("diagram-save");
            save.href = this.address;
            save.hidden = false;
            text(byId("diagram-wrong"), "");
        } catch (error) {
            text(byId("diagram-wrong"), error.status === 0 ? say("replay.lost") : error.message);
        }
    }

    async shiviz() {
        try {
            const log = await this.page.stream.text("/api/shiviz", { lang: language() });
            const address = URL.createObjectURL(new Blob([log], { type: "text/plain" }));
            element("a", { href: address, download: "roda-shiviz.log" }).click();
            setTimeout(() => URL.revokeObjectURL(address), 10_000);
            text(byId("diagram-wrong"), say("diagram.shiviz_saved"));
        } catch (error) {
            text(byId("diagram-wrong"), error.status === 0 ? say("replay.lost") : error.message);
        }
    }

    release() {
        if (this.address) URL.revokeObjectURL(this.address);
    }
}
