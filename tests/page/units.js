// Checks of the page's own parts, run in the page: `load(name)` gives a module of it. What is returned is a list of what
// failed.

const load = (name) => import(`/page/${name}`);
const failed = [];

function same(what, found, wanted) {
    const [one, other] = [JSON.stringify(found), JSON.stringify(wanted)];
    if (one !== other) failed.push(`${what}: ${one} is not ${other}`);
}

const RING = "4.1.1763680000000000";
const LATER = "5.1.1763680000000000";
const OTHER = "5.2.1763680000000000";
let counter = 0;

function told(type, facts = {}) {
    counter += 1;
    return { v: 1, type, at: "2026-11-21T14:03:11.482Z", n: counter, node: 1, us: counter * 1000, ...facts };
}

function message(seq, facts = {}) {
    return told("message", { id: `2-7-${seq}`, ring: RING, seq, from: 2, name: "bia", room: "geral", sent: "2026-11-21T14:03:11.482Z", text: `text ${seq}`, late: false, own: false, ...facts });
}

function ring(name, ids, facts = {}) {
    const [epoch, leader] = name.split(".").map(Number);
    return told("ring", { ring: name, epoch, leader, members: ids.map((id) => ({ id, incarnation: "7", name: `n${id}` })), joined: [], left: [], first: 1, came_from: [], left_how: [], ...facts });
}

const { begin, reduce, hopsUntil, apart, ringApart, MESSAGES_KEPT } = await load("model.js");
const { compareWith, mentions, numberOf, named, older } = await load("messages.js");
const { compare, place } = await load("order.js");
const { visible, visibleName } = await load("visible.js");
const { read } = await load("commands.js");
const words = await load("words.js");

const start = () => told("start", { id: 1, incarnation: "7", name: "ana", room: "geral", group: "g", interface: "lo" });
const after = (...events) => events.reduce(reduce, begin());
const texts = (state, room = "geral") => state.chat.rooms.get(room).list.map((entry) => entry.seq);

// The canonical order.
same("epochs count first", compare({ ring: "9.1.5", seq: 9 }, { ring: "10.1.5", seq: 1 }) < 0, true);
same("then leaders", compare({ ring: "9.10.5", seq: 1 }, { ring: "9.2.5", seq: 9 }) > 0, true);
same("incarnations are longer than a number is exact", compare({ ring: "9.1.18446744073709551614", seq: 1 }, { ring: "9.1.18446744073709551615", seq: 1 }) < 0, true);
same("place", place([{ ring: RING, seq: 1 }, { ring: RING, seq: 3 }], { ring: RING, seq: 2 }), 1);

// Messages: late ones at their place, the same one once, ticks that never fall.
let state = after(start(), ring(RING, [1, 2]), message(1), message(3), message(2, { late: true }), message(3));
same("a late message is inserted at its place, and none is doubled", texts(state), [1, 2, 3]);
same("and marked", state.chat.byId.get("2-7-2").late, true);
reduce(state, told("held", { id: "2-7-1", ring: RING, seq: 1, k: 2, n: 3 }));
reduce(state, told("held", { id: "2-7-1", ring: RING, seq: 1, k: 1, n: 3 }));
same("held never falls", state.chat.byId.get("2-7-1").k, 2);

// One number, two messages: then the ring is said too.
same("a number is enough", numberOf(state.chat, state.chat.byId.get("2-7-2")), "#2");
reduce(state, message(2, { id: "3-7-1", ring: OTHER, from: 3 }));
same("a number that names two", numberOf(state.chat, state.chat.byId.get("2-7-2")), "#2@4.1");
same("and is found by it", named(state.chat, "#2@5.2").id, "3-7-1");
reduce(state, told("moved", { id: "3-7-1", from_ring: OTHER, from_seq: 2, to_ring: RING, to_seq: 9 }));
same("moved to its lower place", texts(state), [1, 2, 3, 9]);
same("then the number is enough again", numberOf(state.chat, state.chat.byId.get("2-7-2")), "#2");

// Own lines: pending until they are a message.
state = after(start(), told("pending", { id: "1-7-1", key: "k", tag: null, from: 1, name: "ana", room: "geral", sent: "", text: "oi" }));
same("pending", state.chat.pending.size, 1);
reduce(state, message(1, { id: "1-7-1", from: 1, own: true, key: "k" }));
same("settled", state.chat.pending.size, 0);

// What is stable is held by all, and stays so in the next ring.
state = after(start(), ring(RING, [1, 2]), message(1, { id: "1-7-1", from: 1, own: true }));
reduce(state, told("status", { phase: "operational", ring: RING, holding: true, token_timeout_us: 1, members: [], high: 1, stable_up_to: 1 }));
reduce(state, ring(LATER, [1]));
same("held by all of its own ring", [state.chat.byId.get("1-7-1").k, state.chat.byId.get("1-7-1").n], [2, 2]);

// Bounded, whatever comes.
state = after(start());
for (let seq = 1; seq <= MESSAGES_KEPT + 2500; seq += 1) reduce(state, message(seq, { room: seq % 3 === 0 ? "rede" : "geral" }));
same("messages in memory are bounded", state.chat.count <= MESSAGES_KEPT, true);
same("the newest are kept", texts(state).at(-1) >= MESSAGES_KEPT + 2498, true);
same("all maps forget alike", [state.chat.byId.size, state.chat.bySeq.size], [state.chat.count, state.chat.count]);
for (let index = 0; index < 3000; index += 1) reduce(state, told("warning", { text: "w" }));
same("so are the lines", state.lines.length <= 200, true);
const first = state.chat.rooms.get("geral").list[0].seq;
older(state.chat, "geral", [message(first - 2), message(first - 1)], true, 1);
same("older ones come before", texts(state)[0], first - 2);
same("and the bound holds", state.chat.count <= MESSAGES_KEPT, true);

// The ring: the holder, hops, who left and how, merges.
state = after(start(), ring(RING, [1, 2, 3]), told("grant", { hop: 10, ring: RING }));
same("the holder", state.token.at, 1);
reduce(state, told("pass", { hop: 11, ring: RING, to: 2 }));
same("passed is last seen, not held", [state.token.at, state.token.to, hopsUntil(state, 1)], [null, 2, 2]);
reduce(state, told("grant", { hop: 9, ring: RING }));
same("an older hop changes nothing", state.token.to, 2);
reduce(state, told("token", { ring: RING, hop: 13, high: 12, stable_up_to: 9, rotation_us: 1500, members: [{ id: 1, received_up_to: 12, held_up_to: 12, waiting_since: null }, { id: 3, received_up_to: 10, held_up_to: 9, waiting_since: 12 }], lacking: [{ from_seq: 11, to_seq: 12 }] }));
same("it carries", [state.high, state.stable, state.lacking.length, state.token.carried.waiting], [12, 9, 1, [{ node: 3, since: 12 }]]);
const { cellOf } = await load("figures.js");
same("cells are facts", [cellOf(state, 3, 9), cellOf(state, 3, 10), cellOf(state, 3, 11), cellOf(state, 3, 13)], ["held", "received", "gap", "absent"]);
reduce(state, told("gathering", { reason: "silence", about: 3, silent_us: 310000, limit_us: 300000 }));
same("the evidence", [state.phase, state.gathering.about, state.gathering.silent_us], ["gathering", 3, 310000]);
reduce(state, ring(LATER, [1, 2], { left: [3], left_how: [{ node: 3, how: "silent" }] }));
same("gone, and how", apart(state).map((one) => [one.id, one.left.how]), [[3, "silent"]]);
reduce(state, ring("6.1.7", [1, 2, 3], { joined: [3], came_from: [{ ring: LATER, members: [1, 2] }, { ring: OTHER, members: [3] }] }));
same("a merge is an act", state.merge.parts.length, 2);
same("nobody is apart", apart(state).length, 0);
reduce(state, told("status", { phase: "operational", ring: "6.1.7", holding: false, us: state.token.us + 1200000, token_timeout_us: 300000, members: [{ id: 1 }, { id: 2 }], high: 12, stable_up_to: 12 }));
same("a ring without its token", state.token.silent?.limit, 966668);
reduce(state, told("status", { phase: "operational", ring: "6.1.7", holding: false, us: state.token.us + 900000, token_timeout_us: 300000, members: [{ id: 1 }, { id: 2 }], high: 12, stable_up_to: 12 }));
same("an idle ring is not without it", state.token.silent, null);

// Events of other nodes move the token, and change nothing else.
const linesBefore = state.lines.length;
reduce(state, { ...told("grant", { hop: 40, ring: "6.1.7" }), node: 2 });
same("the visits elsewhere are not told", state.lines.length, linesBefore);
reduce(state, { ...told("gathering", { reason: "of another" }), node: 2 });
same("the holder elsewhere", [state.token.at, state.phase], [2, "operational"]);
for (const type of ["grant", "pass", "rest", "wake"]) reduce(state, { ...told(type, { hop: 90, to: 3, ring: OTHER }), node: 3 });
same("another ring's token is not this ring's", [state.token.at, state.token.to, state.token.hop, state.token.ring], [2, null, 40, "6.1.7"]);
reduce(state, { ...message(14, { ring: "6.1.7" }), node: 2 });
reduce(state, { ...told("written", { id: "2-7-14", ring: "6.1.7", seq: 14 }), node: 3 });
same("what others have is theirs", [state.nodes.get(2).received, state.nodes.get(3).held, state.chat.byId.has("2-7-14")], [14, 14, false]);

// A recording of several, as one of them saw it.
state = [start(), { ...told("start", { id: 2, incarnation: "7", name: "bia", room: "geral" }), node: 2 }, ring(RING, [1, 2])].reduce(reduce, begin(2));
same("who is looked at", [state.me.id, state.ring], [2, null]);
reduce(state, { ...ring(RING, [1, 2]), node: 2 });
same("and its own ring", state.ring.ring, RING);
reduce(state, { ...ring(LATER, [1]), node: 1 });
reduce(state, { ...ring("6.2.7", [2], { left: [1], left_how: [{ node: 1, how: "silent" }] }), node: 2 });
same("the other side of a split", ringApart(state, apart(state)[0]), LATER);

// A rollback: a jump back, and what the node does not hold is told to be discarded.
state = after(start(), ring(RING, [1, 2]));
for (let seq = 1; seq <= 10; seq += 1) reduce(state, message(seq));
reduce(state, told("checkpointed", { number: 3, records: 6, delivered_ring: RING, delivered_seq: 6 }));
reduce(state, told("start", { id: 1, incarnation: "8", name: "ana", room: "geral" }));
reduce(state, told("story", { fresh: false, clean: false, held: 6, checkpoint: 3, rolled_back: 4, recovered_own: 0, set_aside: 0, warnings: [] }));
same("the jump back", [state.rollback.from, state.rollback.to], [10, 6]);
same("discarded from state", compareWith(state.chat, [1, 2, 3, 4, 5, 6].map((seq) => message(seq)), true, 1), 4);
same("still shown, greyed", texts(state).length, 10);
reduce(state, message(7));
same("recovered", state.chat.byId.get("2-7-7").discarded, false);

// A copy goes its own way: a recording is stepped back by copies.
const copy = structuredClone(state);
reduce(copy, message(11));
same("copies are apart", [texts(state).length, texts(copy).length], [10, 11]);

// What others write is made visible.
same("plain", visible("olá, você 日本語 🏳️‍🌈"), "olá, você 日本語 🏳️‍🌈");
same("escapes", visible("\u001b[31mred\u0007"), "␛[31mred␇");
same("bidi", visible("a\u202eb"), "a⟨U+202E⟩b");
same("joiners between letters", visible("a\u200db"), "a⟨U+200D⟩b");
same("lines stay", visible("one\r\ntwo\tthree"), "one\ntwo    three");
same("stacks of marks", visible(`a${"\u0301".repeat(40)}`).endsWith("⟨+34⟩"), true);
same("names are one line", visibleName(" a\nb "), "a␊b");
same("names are not empty", visibleName(" "), "?");

// What is typed.
same("said", read("oi"), { say: "oi" });
same("two slashes say one", read("//me"), { say: "/me" });
same("a command", read("/entrar rede"), { command: "join", rest: "rede" });
same("the nearest", read("/serach x").nearest, "search");
same("mentions are whole words", [mentions("Ana, oi", "ana"), mentions("banana", "ana"), mentions("oi ana", "ana")], [true, false, true]);

// The words of all languages: the same keys, the same names in braces, forms for all plurals.
const names = (text) => [...new Set((typeof text === "string" ? text : Object.values(text).join(" ")).match(/\{\w+\}/g) ?? [])].sort().join(" ");
const english = words.LANGUAGES.en.words;
for (const [code, { words: other }] of Object.entries(words.LANGUAGES)) {
    same(`${code} has all keys and no more`, Object.keys(other).sort(), Object.keys(english).sort());
    for (const key of Object.keys(english)) {
        if (!(key in other)) continue;
        same(`${code} ${key}`, names(other[key]), names(english[key]));
        const said = JSON.stringify(other[key]).replace(/\{\w+\}/g, "");
        if (code !== "en" && /\btoken\b/i.test(said)) failed.push(`${code} ${key} has a word of its own for the token`);
        if (typeof other[key] !== "string") same(`${code} ${key} has its forms`, Object.keys(other[key]).sort(), ["one", "other"]);
    }
}
words.speak("pt");
same("plural in Portuguese", [words.say("log.new", { n: 1, count: 1 }), words.say("log.new", { n: 3, count: 3 })], ["1 nova ↓", "3 novas ↓"]);
same("languages by the browser's wish", [words.choose(["de", "es-MX"]), words.choose(["de"]), words.choose(["pt-BR", "en"])], ["es", "en", "pt"]);

// Every text that the page's files ask for exists.
const files = ["main.js", "circle.js", "figures.js", "log.js", "life.js", "rooms.js", "twin.js", "model.js", "looks.js", "finding.js", "sending.js", "index.html"];
for (const name of files) {
    const source = await (await fetch(name === "index.html" ? "/" : `/page/${name}`)).text();
    for (const [, key] of source.matchAll(/(?:\bsay\(|\btell\(state, event, |data-t(?:-label|-placeholder)?=)"([a-z_.]+)"/g)) {
        if (!(key in english)) failed.push(`${name} asks for ${key}`);
    }
}

return failed;
