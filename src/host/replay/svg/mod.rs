//! The space-time diagram: time to the right, a line for each node, and what went from line to line.
//!
//! Rings are coloured bands around the lines of their members, so a partition is two bands beside each other and a merge
//! is where they become one. A thick piece of line is the token being held to speak; arrows are its passes, messages
//! and what was sent again. Lengths of time are not to scale (see `scale`), their order is.
//!
//! What it says is in the language of who reads it.
//!
//! A picture has a bounded number of things in it: where there are more, some are left out evenly, and it says so.

mod paper;
mod rows;
mod scale;
mod scene;
mod style;

use super::Play;
use super::error::ReplayError;
use super::words::{list, since};
use crate::host::terminal::lang::{Voice, say};
use crate::words::NodeId;
use paper::{Paper, escape, width};
use rows::Drawing;
use scale::Scale;
use scene::{Mark, Scene};

/// Where the lines begin, from the left.
const LEFT: f64 = 96.0;
/// What is free to the right of them.
const RIGHT: f64 = 40.0;
/// Where the first line is, from the top.
const TOP: f64 = 118.0;
/// From line to line.
const ROW: f64 = 84.0;
/// Pixels of width that a pass, a message or a mark needs, so that one can tell it from the next.
const PIXELS_EACH: usize = 7;

/// Draws a stretch of time, so many pixels wide, its words in this voice.
pub fn draw(
    play: &Play,
    from_us: u64,
    to_us: Option<u64>,
    width: u32,
    voice: Voice,
) -> Result<String, ReplayError> {
    let mut scene = scene::stage(play, (from_us, to_us), voice)?;
    thin(&mut scene, width as usize / PIXELS_EACH, voice);
    let wide = f64::from(width);
    let scale = Scale::new(moments(&scene), LEFT + 8.0, wide - RIGHT);
    let bottom = TOP + ROW * (scene.rows.len().max(1) as f64 - 1.0) + ROW / 2.0;
    let high = bottom + 92.0 + 15.0 * scene.notes.len() as f64;
    let mut paper = Paper::default();
    head(&mut paper, &scene, [wide, high], voice);
    let mut drawing = Drawing {
        play,
        voice,
        scene: &scene,
        scale: &scale,
        paper: &mut paper,
        right: wide - RIGHT,
    };
    drawing.all();
    axis(&mut paper, &scale, bottom, wide);
    legend(&mut paper, bottom + 58.0, &scene.notes, voice);
    paper.raw("</svg>");
    Ok(paper.into_text())
}

/// The beginning, with what a screen reader says.
fn head(paper: &mut Paper, scene: &Scene, [wide, high]: [f64; 2], voice: Voice) {
    let (title, description) = (title(scene, voice), description(scene, voice));
    paper.raw(&format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"roda\" viewBox=\"0 0 {wide} {high}\" width=\"{wide}\" \
         height=\"{high}\" role=\"img\" aria-labelledby=\"roda-title roda-desc\">"
    ));
    paper.raw(&format!("<title id=\"roda-title\">{}</title>", escape(&title)));
    paper.raw(&format!("<desc id=\"roda-desc\">{}</desc>", escape(&description)));
    paper.raw(&format!("<style>{}</style>", style::SHEET));
    paper.raw(style::HEADS);
    paper.band("paper", [0.0, 0.0, wide, high], 0.0, "");
    paper.words("h1", [20.0, 30.0], &title);
}

fn title(scene: &Scene, voice: Voice) -> String {
    let (from, to) = scene.span;
    let seconds = to.saturating_sub(from) as f64 / 1e6;
    say!(
        voice,
        "drawn-title",
        nodes = scene.rows.len(),
        messages = scene.said.len(),
        seconds = format!("{seconds:.2}")
    )
}

/// The whole story in sentences.
fn description(scene: &Scene, voice: Voice) -> String {
    let rows: Vec<u16> = scene.rows.iter().map(|node| node.0).collect();
    let mut sentences = vec![say!(voice, "drawn-about", nodes = list(&rows))];
    for turn in &scene.turns {
        let at = turn.points.iter().map(|(_, time)| *time).min().unwrap_or(0);
        sentences.push(format!("{} s: {}.", since(at), turn.text));
    }
    for (row, time, mark, text) in &scene.marks {
        if matches!(mark, Mark::Crash | Mark::Rollback | Mark::Exit) {
            let text = of_node(voice, scene.rows[*row], text);
            sentences.push(format!("{} s: {text}.", since(*time)));
        }
    }
    sentences.push(say!(
        voice,
        "drawn-counts",
        messages = scene.said.len(),
        passes = scene.passes.len(),
        repairs = scene.repairs.len()
    ));
    sentences.join(" ")
}

/// What a node does, with its number.
fn of_node(voice: Voice, node: NodeId, does: &str) -> String {
    say!(voice, "drawn-node", id = node.to_string(), does = does)
}

/// All moments at which something is drawn.
fn moments(scene: &Scene) -> Vec<u64> {
    let (first, last) = scene.span;
    let mut times = vec![first, last];
    let stays = scene.stays.iter().flat_map(|stay| [stay.from, stay.to]);
    let gathers = scene.gathers.iter().flat_map(|gather| [gather.from, gather.to]);
    let lives = scene.lives.iter().flat_map(|life| [life.from, life.to]);
    times.extend(stays.chain(gathers).chain(lives));
    times.extend(scene.holds.iter().flat_map(|hold| [hold.from, hold.to]));
    let ways = scene.passes.iter().map(|pass| &pass.way);
    let ways = ways.chain(scene.repairs.iter().map(|(way, _)| way));
    times.extend(ways.flat_map(|way| std::iter::once(way.left).chain(way.came)));
    for said in &scene.said {
        times.push(said.stamped);
        times.extend(said.delivered.iter().map(|(_, time, _)| *time));
    }
    times.extend(scene.marks.iter().map(|(_, time, ..)| *time));
    times.extend(
        scene
            .turns
            .iter()
            .flat_map(|turn| turn.points.iter().map(|(_, time)| *time)),
    );
    times.retain(|time| (first..=last).contains(time));
    times
}

/// Leaves out what lies outside, and of what there is too much.
fn thin(scene: &mut Scene, most: usize, voice: Voice) {
    let (from, to) = scene.span;
    let inside = |time: u64| (from..=to).contains(&time);
    scene.passes.retain(|pass| inside(pass.way.left));
    scene.repairs.retain(|(way, _)| inside(way.left));
    scene
        .said
        .retain(|said| inside(said.stamped) || said.delivered.iter().any(|(_, time, _)| inside(*time)));
    scene.marks.retain(|(_, time, ..)| inside(*time));
    scene
        .turns
        .retain(|turn| turn.points.iter().any(|(_, time)| inside(*time)));
    let lacking = [
        (keep_every(&mut scene.passes, most), "drawn-passes"),
        (keep_every(&mut scene.holds, most), "drawn-visits"),
        (keep_every(&mut scene.said, most), "drawn-messages"),
        (keep_every(&mut scene.repairs, most), "drawn-repairs"),
        (keep_every(&mut scene.marks, most), "drawn-marks"),
        (keep_every(&mut scene.stays, 4 * most), "drawn-stays"),
        (keep_every(&mut scene.gathers, 4 * most), "drawn-searches"),
        (keep_every(&mut scene.turns, most / 8 + 1), "drawn-turns"),
    ];
    let note = |(kept, what): (Option<(usize, usize)>, &str)| {
        let (shown, all) = kept?;
        let what = voice.say(what, &[]);
        Some(say!(voice, "drawn-some", shown = shown, all = all, what = what))
    };
    scene.notes = lacking.into_iter().filter_map(note).collect();
}

/// Keeps one of so many that at most `most` are left. How many are left of how many, if not all.
fn keep_every<T>(things: &mut Vec<T>, most: usize) -> Option<(usize, usize)> {
    if things.len() <= most {
        return None;
    }
    let each = things.len().div_ceil(most.max(1));
    let all = things.len();
    let mut at = 0;
    things.retain(|_| {
        at += 1;
        at % each == 1
    });
    Some((things.len(), all))
}

/// The axis of time, with the lengths of what is long and empty.
fn axis(paper: &mut Paper, scale: &Scale, bottom: f64, wide: f64) {
    let y = bottom + 18.0;
    paper.line("axis", [LEFT, y], [wide - RIGHT, y]);
    let mut free_from = LEFT;
    for pair in scale.moments().windows(2) {
        let [(from, from_x), (to, to_x)] = pair else {
            continue;
        };
        let gap = to - from;
        let text = length(gap);
        let text_wide = width(&text, 10.0) + 14.0;
        if gap >= 20_000 && to_x - from_x > text_wide && *from_x >= free_from {
            let mid = (from_x + to_x) / 2.0;
            paper.words("tick mid", [mid, y - 5.0], &text);
            paper.line("axis", [*from_x, y - 4.0], [*from_x, y + 4.0]);
            paper.line("axis", [*to_x, y - 4.0], [*to_x, y + 4.0]);
            free_from = *to_x;
        }
    }
    let mut free_from = 0.0;
    for (time, x) in scale.moments() {
        let text = format!("{:.3} s", *time as f64 / 1e6);
        let text_wide = width(&text, 10.0);
        if *x - text_wide / 2.0 >= free_from && *x + text_wide / 2.0 < wide {
            paper.line("axis", [*x, y], [*x, y + 4.0]);
            paper.words("tick mid", [*x, y + 15.0], &text);
            free_from = *x + text_wide / 2.0 + 26.0;
        }
    }
}

/// A length of time in few letters.
fn length(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{:.2} s", us as f64 / 1e6),
    }
}

/// What the shapes mean, and what was left out.
fn legend(paper: &mut Paper, y: f64, notes: &[String], voice: Voice) {
    let mut x = LEFT;
    let mut item = |paper: &mut Paper, draw: &dyn Fn(&mut Paper, f64), key: &str| {
        let text = voice.say(key, &[]);
        draw(paper, x);
        paper.words("soft", [x + 34.0, y + 4.0], &text);
        x += 34.0 + width(&text, 11.0) + 22.0;
    };
    item(
        paper,
        &|p, x| p.band("hold", [x, y - 3.5, 26.0, 7.0], 3.5, ""),
        "legend-holds",
    );
    item(
        paper,
        &|p, x| p.arrow("pass", "roda-token", [[x, y], [x + 28.0, y]], ""),
        "legend-passes",
    );
    item(
        paper,
        &|p, x| {
            p.arrow("said", "roda-said", [[x, y], [x + 28.0, y]], "");
            p.dot("stamp", [x, y], 3.5, "");
        },
        "legend-message",
    );
    item(
        paper,
        &|p, x| p.line("late", [x, y], [x + 28.0, y]),
        "legend-late",
    );
    item(
        paper,
        &|p, x| p.arrow("again", "roda-again", [[x, y], [x + 28.0, y]], ""),
        "legend-again",
    );
    item(
        paper,
        &|p, x| p.line("gather", [x, y], [x + 28.0, y]),
        "legend-looks",
    );
    item(
        paper,
        &|p, x| p.path("bad", [x + 14.0, y], style::shapes::CRASH, ""),
        "legend-killed",
    );
    item(
        paper,
        &|p, x| p.path("mark", [x + 12.0, y + 7.0], style::shapes::FLAG, ""),
        "legend-checkpoint",
    );
    let asks = say!(voice, "legend-asks");
    paper.path("mark", [LEFT + 13.0, y + 18.0], style::shapes::ASK, "");
    paper.words("soft", [LEFT + 34.0, y + 22.0], &asks);
    let x = LEFT + 34.0 + width(&asks, 11.0) + 22.0;
    paper.words("soft", [x, y + 22.0], &say!(voice, "legend-time"));
    for (line, note) in notes.iter().enumerate() {
        paper.words("soft", [LEFT, y + 38.0 + 15.0 * line as f64], note);
    }
}
