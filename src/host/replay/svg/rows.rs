//! The lines of the nodes, and all that is drawn on and between them.

use std::collections::BTreeMap;

use super::super::Play;
use super::super::words::{passes, short, who};
use super::paper::{Paper, width};
use super::scale::Scale;
use super::scene::{Mark, Scene, Stretch, Turn, Way};
use super::style::{RING_COLOURS, shapes};
use super::{LEFT, RIGHT, ROW, TOP};
use crate::host::terminal::lang::{Voice, say};
use crate::words::RingId;

/// Half the height of a ring's band around a line.
const HALF_BAND: f64 = 30.0;
/// How far from the top the two lines of turns stand.
const TURNS: [f64; 3] = [52.0, 67.0, 82.0];
/// How far an arrow goes that arrives nowhere one knows of, in pixels.
const SHORT_WAY: f64 = 14.0;

/// A scene on its way to the paper.
pub(super) struct Drawing<'a> {
    pub play: &'a Play,
    pub voice: Voice,
    pub scene: &'a Scene,
    pub scale: &'a Scale,
    pub paper: &'a mut Paper,
    pub right: f64,
}

impl Drawing<'_> {
    /// Draws all, from what lies behind to what lies in front.
    pub(super) fn all(&mut self) {
        let colours = self.colours();
        self.bands(&colours);
        self.lines();
        self.turns();
        self.ring_names(&colours);
        self.messages();
        self.repairs();
        self.token();
        self.marks();
        self.reasons();
    }

    fn y(&self, row: usize) -> f64 {
        TOP + ROW * row as f64
    }

    fn x(&self, time: u64) -> f64 {
        self.scale.x(time)
    }

    fn point(&self, row: usize, time: u64) -> [f64; 2] {
        [self.x(time), self.y(row)]
    }

    /// What the node of a row does, with its number.
    fn of_node(&self, row: usize, does: &str) -> String {
        super::of_node(self.voice, self.scene.rows[row], does)
    }

    /// A colour for each ring, in the order in which they came.
    fn colours(&self) -> BTreeMap<RingId, usize> {
        let mut firsts: BTreeMap<RingId, u64> = BTreeMap::new();
        for stay in &self.scene.stays {
            let first = firsts.entry(stay.what).or_insert(stay.from);
            *first = stay.from.min(*first);
        }
        let mut rings: Vec<(u64, RingId)> = firsts.into_iter().map(|(ring, from)| (from, ring)).collect();
        rings.sort_unstable();
        let numbered = rings.into_iter().enumerate();
        numbered
            .map(|(number, (_, ring))| (ring, number % RING_COLOURS))
            .collect()
    }

    /// The rings: a band around each member's line, and between neighbours as long as both are in it.
    fn bands(&mut self, colours: &BTreeMap<RingId, usize>) {
        let span = self.scene.span;
        let stays: Vec<&Stretch<RingId>> = self.scene.stays.iter().filter(|stay| stay.meets(span)).collect();
        for stay in &stays {
            let class = format!("b{}", colours[&stay.what]);
            let (x, y) = (self.x(stay.from), self.y(stay.row));
            let place = [x, y - HALF_BAND, self.x(stay.to) - x, 2.0 * HALF_BAND];
            let in_ring = say!(self.voice, "drawn-in-ring", ring = short(stay.what));
            let title = self.of_node(stay.row, &in_ring);
            self.paper.band(&class, place, 9.0, &title);
        }
        for (at, one) in stays.iter().enumerate() {
            for other in stays.iter().skip(at + 1) {
                self.join(one, other, colours[&one.what]);
            }
        }
        for (ring, colour) in colours {
            self.tie(*ring, *colour);
        }
    }

    /// What lies between two members' bands, if they are neighbours in one ring.
    fn join(&mut self, one: &Stretch<RingId>, other: &Stretch<RingId>, colour: usize) {
        let (upper, lower) = if one.row < other.row {
            (one, other)
        } else {
            (other, one)
        };
        let (from, to) = (upper.from.max(lower.from), upper.to.min(lower.to));
        if one.what != other.what || lower.row - upper.row != 1 || from >= to {
            return;
        }
        let (x, y) = (self.x(from), self.y(upper.row) + HALF_BAND - 9.5);
        let high = ROW - 2.0 * HALF_BAND + 19.0;
        let place = [x, y, self.x(to) - x, high];
        self.paper.band(&format!("b{colour}"), place, 0.0, "");
    }

    /// Members of a ring that are no neighbours are tied together across the others.
    fn tie(&mut self, ring: RingId, colour: usize) {
        let span = self.scene.span;
        let mut members: Vec<(usize, u64)> = self
            .scene
            .stays
            .iter()
            .filter(|stay| stay.what == ring && stay.meets(span))
            .map(|stay| (stay.row, stay.from))
            .collect();
        members.sort_unstable();
        for pair in members.windows(2) {
            if pair[1].0 - pair[0].0 > 1 {
                let (from, to) = (self.point(pair[0].0, pair[0].1), self.point(pair[1].0, pair[1].1));
                self.paper.line(
                    &format!("tie s{colour}"),
                    [from[0] + 4.0, from[1] + HALF_BAND],
                    [to[0] + 4.0, to[1] - HALF_BAND],
                );
            }
        }
    }

    /// The names of the rings, in the uppermost band of each group of neighbours.
    fn ring_names(&mut self, colours: &BTreeMap<RingId, usize>) {
        let span = self.scene.span;
        let mut stays: Vec<&Stretch<RingId>> =
            self.scene.stays.iter().filter(|stay| stay.meets(span)).collect();
        stays.sort_by_key(|stay| (stay.row, stay.from));
        for stay in &stays {
            let above = stays.iter().any(|other| {
                other.what == stay.what
                    && other.row + 1 == stay.row
                    && other.from <= stay.to
                    && stay.from <= other.to
            });
            if above {
                continue;
            }
            let members = stays
                .iter()
                .filter(|other| other.what == stay.what)
                .map(|other| other.row);
            let members: std::collections::BTreeSet<usize> = members.collect();
            let (x, y) = (self.x(stay.from) + 7.0, self.y(stay.row) - HALF_BAND + 12.0);
            let room = self.x(stay.to) - x - 4.0;
            let name = short(stay.what);
            let class = format!("ringname e{}", colours[&stay.what]);
            let ring = say!(self.voice, "drawn-ring", ring = name.as_str());
            let of_members = say!(self.voice, "drawn-members", count = members.len());
            for text in [format!("{ring} · {of_members}"), ring, name] {
                if width(&text, 10.5) <= room && self.paper.label(&class, 10.5, [x, y], &text) {
                    break;
                }
            }
        }
    }

    /// The nodes' names and lines.
    fn lines(&mut self) {
        let span = self.scene.span;
        for row in 0..self.scene.rows.len() {
            let y = self.y(row);
            let node = self.scene.rows[row];
            let name = who(self.voice, node, &self.play.recording.names);
            self.paper.words(
                "who",
                [20.0, y + 4.5],
                &crate::host::terminal::visible::cut(&name, 9),
            );
            self.paper.line("gone", [LEFT, y], [self.right, y]);
            self.paper.take([LEFT, y - 4.0, self.right - LEFT, 8.0]);
        }
        for life in self.scene.lives.iter().filter(|life| life.meets(span)) {
            let (from, to) = (self.point(life.row, life.from), self.point(life.row, life.to));
            self.paper.line("life", from, to);
        }
        for gather in self.scene.gathers.iter().filter(|gather| gather.meets(span)) {
            let (x, y) = (self.x(gather.from), self.y(gather.row));
            let node = say!(self.voice, "node", id = self.scene.rows[gather.row].to_string());
            let title = format!("{node}: {}", self.voice.reason(&gather.what));
            let to = [self.x(gather.to), y];
            self.paper.raw(&format!(
                "<line class=\"gather\" x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\"><title>{}</title></line>",
                to[0],
                super::paper::escape(&title)
            ));
        }
    }

    /// What concerns several nodes: its words on top, and a line through its points.
    fn turns(&mut self) {
        let turns = &self.scene.turns;
        for turn in turns {
            self.turn(turn);
        }
    }

    fn turn(&mut self, turn: &Turn) {
        let mut points: Vec<[f64; 2]> = turn
            .points
            .iter()
            .map(|(row, time)| self.point(*row, *time))
            .collect();
        points.sort_by(|a, b| a[1].total_cmp(&b[1]));
        let Some([x, _]) = points.first().copied() else {
            return;
        };
        let wide = width(&turn.text, 12.5);
        let text_x = (x - 4.0).min(self.right - wide).max(LEFT);
        let lane = TURNS
            .iter()
            .find(|y| self.paper.take([text_x - 4.0, **y - 12.0, wide + 14.0, 14.0]));
        let lane = lane.copied().unwrap_or(TURNS[0]);
        self.paper.words("turns", [text_x, lane], &turn.text);
        let last = points[points.len() - 1];
        if turn.merge {
            self.paper.line("turn", [x, lane + 4.0], [x, points[0][1]]);
            let path: Vec<String> = points.iter().map(|[x, y]| format!("{x:.1} {y:.1}")).collect();
            self.paper
                .path("join", [0.0, 0.0], &format!("M{}", path.join("L")), &turn.text);
            points
                .iter()
                .for_each(|point| self.paper.dot("solid", *point, 3.6, ""));
        } else {
            self.paper.line("turn", [x, lane + 4.0], [x, last[1] + HALF_BAND]);
        }
    }

    /// Messages: from the stamp to each delivery.
    fn messages(&mut self) {
        for said in &self.scene.said {
            let from = said.row.map(|row| self.point(row, said.stamped));
            for (row, time, late) in &said.delivered {
                let to = self.point(*row, *time);
                let node = self.scene.rows[*row].to_string();
                let number = said.number.as_str();
                let title = say!(self.voice, "drawn-delivered", number = number, id = node);
                match from {
                    Some(from) if said.row != Some(*row) && *late => {
                        self.paper.line("late", from, to);
                        self.paper.dot("got", to, 3.2, &title);
                    }
                    Some(from) if said.row != Some(*row) => {
                        self.paper.arrow("said", "roda-said", [from, to], &title);
                    }
                    Some(_) | None => self.paper.dot("got", to, 3.2, &title),
                }
            }
        }
        for said in &self.scene.said {
            let Some(row) = said.row else { continue };
            let [x, y] = self.point(row, said.stamped);
            let (number, text) = (said.number.as_str(), said.text.as_str());
            let title = say!(self.voice, "drawn-stamped", number = number, text = text);
            self.paper.dot("stamp", [x, y], 4.4, &title);
            let short_text = crate::host::terminal::visible::cut(&said.text, 22);
            let full = format!("{} {short_text}", said.number);
            self.label_said([x, y], &full, &said.number);
        }
    }

    /// Puts a message's number and text beside its stamp, or its number alone, where there is room.
    fn label_said(&mut self, [x, y]: [f64; 2], full: &str, number: &str) {
        for text in [full, number] {
            let before = x - width(text, 10.5) - 6.0;
            let wide = x + 5.0 + width(text, 10.5);
            let places = [
                [x + 5.0, y - 9.0],
                [x + 5.0, y + 17.0],
                [before, y - 9.0],
                [before, y + 17.0],
            ];
            let fits = |place: &&[f64; 2]| place[0] > LEFT && (place[0] < x || wide < self.right + RIGHT);
            for place in places.iter().filter(fits) {
                if self.paper.label("num", 10.5, *place, text) {
                    return;
                }
            }
        }
    }

    /// Where a way ends.
    fn end(&self, way: &Way) -> [f64; 2] {
        match way.came {
            Some(came) => self.point(way.to_row, came),
            None => [self.x(way.left) + SHORT_WAY, self.y(way.to_row)],
        }
    }

    fn repairs(&mut self) {
        for (way, number) in &self.scene.repairs {
            let (from, to) = (self.point(way.from_row, way.left), self.end(way));
            let (number, node) = (number.as_str(), self.scene.rows[way.to_row].to_string());
            let title = say!(self.voice, "drawn-resent", number = number, id = node);
            self.paper.arrow("again", "roda-again", [from, to], &title);
            let mid = [(from[0] + to[0]) / 2.0 + 4.0, (from[1] + to[1]) / 2.0];
            let again = say!(self.voice, "drawn-again", number = number);
            self.paper.label("againt", 9.5, mid, &again);
        }
    }

    /// The token: held, and passed.
    fn token(&mut self) {
        let span = self.scene.span;
        for hold in self.scene.holds.iter().filter(|hold| hold.meets(span)) {
            let (x, y) = (self.x(hold.from), self.y(hold.row));
            // A visit that is over at once is still to be seen behind its stamp.
            let wide = (self.x(hold.to) - x + 14.0).max(14.0);
            let holds = say!(self.voice, "drawn-holds", hop = hold.what.to_string());
            let title = self.of_node(hold.row, &holds);
            self.paper
                .band("hold", [x - 7.0, y - 4.5, wide, 9.0], 4.5, &title);
        }
        for pass in &self.scene.passes {
            let (from, to) = (self.point(pass.way.from_row, pass.way.left), self.end(&pass.way));
            let passes = passes(self.voice, pass.hop, self.scene.rows[pass.way.to_row].0);
            let title = self.of_node(pass.way.from_row, &passes);
            self.paper.arrow("pass", "roda-token", [from, to], &title);
            let part = 0.42;
            let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
            let near = [from[0] + dx * part + 4.0, from[1] + dy * part + 3.0];
            self.paper.label("hop", 9.5, near, &pass.hop.to_string());
        }
        // Stamps lie on the token's thick line.
        for said in &self.scene.said {
            if let Some(row) = said.row {
                let point = self.point(row, said.stamped);
                self.paper.dot("stamp", point, 3.4, "");
            }
        }
    }

    /// Why each looked for others; who only followed others has nothing to say.
    fn reasons(&mut self) {
        let span = self.scene.span;
        let gathers = self.scene.gathers.iter().filter(|gather| gather.meets(span));
        for gather in gathers.filter(|gather| gather.from > 0 && !gather.what.ends_with("gathers")) {
            let [x, y] = self.point(gather.row, gather.from);
            let why = self.voice.reason(&gather.what);
            self.paper.label("why", 9.5, [x + 3.0, y + 15.0], &why);
        }
    }

    fn marks(&mut self) {
        for (row, time, mark, text) in &self.scene.marks {
            let [x, y] = self.point(*row, *time);
            let title = self.of_node(*row, text);
            let (class, shape, at) = match mark {
                Mark::Start => ("mark", shapes::START, [x, y]),
                Mark::Exit => ("mark", shapes::EXIT, [x, y]),
                Mark::Crash => ("bad", shapes::CRASH, [x, y]),
                Mark::Pause => ("mark", shapes::PAUSE, [x, y]),
                Mark::Checkpoint => ("mark", shapes::FLAG, [x, y - 5.0]),
                Mark::Rollback => ("mark", shapes::BACK, [x, y + 14.0]),
                Mark::Ask => ("mark", shapes::ASK, [x, y]),
                Mark::Note => ("mark", shapes::NOTE, [x, y - 14.0]),
            };
            self.paper.path(class, at, shape, &title);
        }
    }
}
