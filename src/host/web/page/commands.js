// What a line typed into the page means: something to say, or a slash command. The names are the terminal's.

const NAMES = {
    help: ["help", "ajuda", "ayuda", "h", "?"],
    me: ["me", "eu", "yo"],
    nick: ["nick", "name", "nome", "apelido", "nombre", "apodo"],
    join: ["join", "j", "entrar", "unirse"],
    msg: ["msg", "m", "dizer", "decir"],
    topic: ["topic", "assunto", "tema"],
    away: ["away", "ausente", "fora", "fuera"],
    search: ["search", "buscar", "procurar"],
    why: ["why", "porque", "porquê", "porqué"],
    ring: ["ring", "roda", "anel", "anillo"],
    trace: ["trace", "vida"],
    token: ["token", "ficha", "testigo"],
    checkpoint: ["checkpoint"],
    rollback: ["rollback", "voltar", "volver"],
    reconcile: ["reconcile", "reconciliar"],
    quit: ["quit", "exit", "sair", "salir"],
};

/** The commands in the order of the help. */
export const COMMANDS = Object.keys(NAMES);

/** Reads a line: `{say}`, `{command, rest}`, `{unknown, nearest}` or `{}` for an empty one. */
export function read(line) {
    if (line.trim() === "") return {};
    if (!line.startsWith("/") || line.startsWith("//")) return { say: line.startsWith("//") ? line.slice(1) : line };
    const [, name, rest] = /^\/(\S*)\s*([\s\S]*)$/.exec(line);
    const wanted = name.toLowerCase();
    for (const [command, names] of Object.entries(NAMES)) {
        if (names.includes(wanted)) return { command, rest: rest.trim() };
    }
    return { unknown: name, nearest: nearest(wanted) };
}

function nearest(name) {
    let best = null;
    for (const command of COMMANDS) {
        const far = distance(name, command);
        if (far <= 3 && (!best || far < best.far)) best = { command, far };
    }
    return best?.command ?? null;
}

// Edits from one word to the other (Levenshtein 1966).
function distance(one, other) {
    let row = Array.from({ length: other.length + 1 }, (_, index) => index);
    for (let i = 1; i <= one.length; i += 1) {
        const next = [i];
        for (let j = 1; j <= other.length; j += 1) {
            next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (one[i - 1] === other[j - 1] ? 0 : 1));
        }
        row = next;
    }
    return row[other.length];
}
