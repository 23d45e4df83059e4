//! The middle acts: the holder of the token is killed, the others go on, and it comes back.

use std::collections::BTreeSet;

use crate::host::clock;
use crate::words::Time;

use super::Story;
use super::acts::{ALL, WORDS, ms, same_at_all};
use super::evidence::Replica;
use super::failure::Failure;
use super::player::Told;
use super::stage::{Stage, name};

/// The one that is killed. In the middle of the ring, so that the ring has to close over a gap.
const VICTIM: u16 = 2;
/// The one before it in the ring: its passes go to the victim.
const BEFORE: u16 = 1;
/// The other survivor.
const OTHER: u16 = 3;
/// The survivors, in ring order.
const SURVIVORS: [u16; 2] = [BEFORE, OTHER];
/// A token that is not given to who asks for it within this time, in microseconds, is with the node that was
/// stopped: the other two would have handed it over within one.
const NOT_GIVEN_US: u64 = 80_000;

/// Said after the checkpoint, before the kill.
const PLAN: [(u16, [&str; 2]); 3] = [
    (1, ["we meet at the pier", "at nine"]),
    (2, ["at ten, I say", "the ferry is late"]),
    (3, ["nine is fine", "bring a coat"]),
];
/// Said once one is stopped: what the token does after it is what it does without that one.
const AFTER_THE_STOP: &str = "yes?";
/// Said while one is dead.
const WITHOUT: [(u16, [&str; 2]); 2] = [
    (BEFORE, ["where is bia?", "her node is gone"]),
    (OTHER, ["we go on", "she will read it later"]),
];

/// What is remembered of the one that was killed.
pub struct Fallen {
    /// How many messages each survivor had told when the ring had formed again.
    told: usize,
    /// Its file as the kill left it.
    file: Replica,
}

impl Story {
    /// The holder of the token is killed in the middle of the talk.
    pub(super) fn kill_the_holder(&mut self) -> Result<Fallen, Failure> {
        let name = name(VICTIM);
        self.act(&format!(
            "The node that holds the token ({name}'s) is killed in the middle of the talk."
        ))?;
        self.fresh_checkpoint()?;
        for (id, lines) in PLAN {
            self.stage.say(id, &lines)?;
        }
        self.wait_written(&ALL)?;
        let ring = self.ring_of(BEFORE);
        let stopped = self.stop_with_the_token()?;
        let killed = self.stage.kill(VICTIM)?;
        self.page.say(&format!(
            "{name}'s process gets SIGKILL; {} says a line right after",
            self::name(OTHER)
        ))?;
        self.stage.say(OTHER, &["did you hear that?"])?;
        self.show_new_ring(&ring, stopped, killed)?;
        self.end_act()?;
        Ok(Fallen {
            told: self.stage.player(BEFORE).count("message"),
            file: Replica::read(self.stage.folder(), VICTIM)?,
        })
    }

    /// Waits for a checkpoint of the victim, so that what is said next comes after it. One line first: a node to
    /// which nothing is new writes none.
    fn fresh_checkpoint(&mut self) -> Result<(), Failure> {
        let since = clock::now();
        self.stage.say(BEFORE, &["shall we make a plan?"])?;
        let what = "a checkpoint of the node to be killed";
        self.stage.wait(what, |stage| {
            stage.player(VICTIM).first_since("checkpointed", since).map(drop)
        })
    }

    /// The ring a node is in, by its full name.
    fn ring_of(&self, id: u16) -> String {
        let ring = self.stage.player(id).last("ring");
        ring.map(|told| told.text("ring").to_string()).unwrap_or_default()
    }

    /// Stops the victim (SIGSTOP) and sees to it that the token is with it: a node hands the token on within
    /// microseconds while people talk, and nobody could aim a kill at that. Stopped, it takes it and keeps it. Gives
    /// when it was stopped.
    fn stop_with_the_token(&mut self) -> Result<Time, Failure> {
        let last = "wait, I have to tell you";
        self.stage.say(VICTIM, &[last])?;
        self.stage.wait("the victim's last line in its outbox", |stage| {
            stage.said.values().any(|text| text == last).then_some(())
        })?;
        let since = clock::now();
        self.stage.stop(VICTIM)?;
        self.stage.say(BEFORE, &[AFTER_THE_STOP])?;
        let passed = self
            .stage
            .wait("the token going to the stopped node", where_it_went)?;
        let (victim, before) = (name(VICTIM), name(BEFORE));
        let claim = match passed {
            Some(hop) => format!(
                "{before} passes the token to {victim} (hop {hop}), who is stopped (SIGSTOP) and keeps it"
            ),
            None => format!(
                "{victim} is stopped (SIGSTOP) and has the token: {before} asked, and was not given it in {}",
                ms(NOT_GIVEN_US)
            ),
        };
        self.page.seen(&claim)?;
        Ok(since)
    }

    /// The survivors form a ring, and a line gets its number: when. Told from the stop on as well, since that is
    /// when the token came to rest.
    fn show_new_ring(&mut self, old: &str, stopped: Time, killed: Time) -> Result<(), Failure> {
        let (formed, ordered) =
            self.stage
                .wait("a ring of the other two, and a line ordered in it", |stage| {
                    let ready = SURVIVORS.map(|id| stage.player(id)).map(|player| {
                        let ring = player.last("ring").filter(|ring| ring.members() == SURVIVORS)?;
                        // A line of the old ring may come late; only one of the new ring shows that it works.
                        let new = |told: &&Told| told.kind() == "message" && told.text("ring") != old;
                        Some((ring.at, player.told.iter().find(new)?.at))
                    });
                    let [one, two] = ready;
                    one.zip(two)
                        .map(|(one, two)| (one.0.max(two.0), one.1.max(two.1)))
                })?;
        if let Some(reason) = self.noticed(stopped) {
            self.page.say(&reason)?;
        }
        let after = |at: Time| {
            let (stop, kill) = (ms(at.since_us(stopped)), ms(at.since_us(killed)));
            format!("{kill} after the kill ({stop} after the stop)")
        };
        let claim = format!("a new ring of nodes 1 and 3, {}", after(formed));
        self.page.seen(&claim)?;
        let claim = format!("the next line had its number at both, {}", after(ordered));
        self.page.seen(&claim)
    }

    /// How the first survivor that noticed told it.
    fn noticed(&self, since: Time) -> Option<String> {
        let noticed = SURVIVORS.map(|id| Some((id, self.stage.player(id).first_since("gathering", since)?)));
        let (id, told) = noticed.into_iter().flatten().min_by_key(|(_, told)| told.at)?;
        Some(format!("{} notices: {}", name(id), told.text("reason")))
    }

    /// Two go on.
    pub(super) fn go_on_without(&mut self, fallen: &Fallen) -> Result<(), Failure> {
        self.act("The other two go on as if nothing had happened.")?;
        for (id, lines) in WITHOUT {
            self.stage.say(id, &lines)?;
        }
        // By their texts, not by their count: what was typed at the survivors while the token was gone may still be on its way.
        let texts: Vec<String> = WITHOUT
            .iter()
            .flat_map(|(_, lines)| lines.map(String::from))
            .collect();
        self.stage.wait("the lines of the survivors", |stage| {
            let told = |id: u16| {
                let messages = stage.player(id).messages();
                texts
                    .iter()
                    .all(|text| messages.iter().any(|message| message.text == *text))
            };
            SURVIVORS.into_iter().all(told).then_some(())
        })?;
        let messages = self.stage.player(BEFORE).messages();
        self.show_messages(&messages[fallen.told.min(messages.len())..])?;
        let same = same_at_all(&self.stage, &SURVIVORS);
        let claim = format!(
            "both have told the same {} lines in the same order since the start",
            messages.len()
        );
        self.page.fact(same, &claim, || self.stage.seen())?;
        let rising = messages.windows(2).all(|pair| pair[0].seq < pair[1].seq);
        let highest = messages.last().map_or(0, |message| message.seq);
        let claim = format!("numbers rise across both rings, up to #{highest}; none was given twice");
        self.page.fact(rising, &claim, || self.stage.seen())?;
        self.end_act()
    }

    /// The killed one comes back: first only to its checkpoint, then to all.
    pub(super) fn come_back(&mut self, fallen: &Fallen) -> Result<(), Failure> {
        let name = name(VICTIM);
        self.act(&format!(
            "{name}'s node is started again: rolled back to its checkpoint, then recovered."
        ))?;
        let in_file = fallen.file.ids();
        let back = self.look_back(in_file.len() as u64)?;
        self.stage.start(VICTIM, &WORDS)?;
        let own = self.stage.wait("its story", |stage| {
            stage.player(VICTIM).last("story")?.number("recovered_own")
        })?;
        let claim = format!("started as usual: {own} lines recovered from its own file");
        self.page.fact(own == back, &claim, || {
            format!("{own}, and {back} were rolled back")
        })?;
        self.wait_written(&ALL)?;
        // What came into its file since the kill: its own last words, and what the others said meanwhile.
        let gained = &Replica::read(self.stage.folder(), VICTIM)?.ids() - &in_file;
        let own_again: BTreeSet<&String> = gained
            .iter()
            .filter(|id| id.starts_with(&format!("{VICTIM}-")))
            .collect();
        let (peers, own_again) = (gained.len() - own_again.len(), own_again.len());
        let claim = format!("{peers} lines that were said without it recovered from its peers");
        self.page.fact(peers > 0, &claim, || format!("{gained:?}"))?;
        let claim = format!(
            "its last words survived the kill: acknowledged before it, they are in all three files ({own_again} of them new in its own)"
        );
        self.page.seen(&claim)?;
        self.end_act()
    }

    /// Starts the killed node with no recovery, to look at the state it goes back to. Gives how many lines were
    /// rolled back.
    fn look_back(&mut self, in_file: u64) -> Result<u64, Failure> {
        self.stage
            .start(VICTIM, &["--recover", "none", "--history", "1000"])?;
        self.stage.wait("the killed node in a ring again", |stage| {
            (stage.player(VICTIM).ring() == ALL).then_some(())
        })?;
        let player = self.stage.player(VICTIM);
        let story = player.last("story").cloned();
        let number = |key: &str| story.as_ref().and_then(|story| story.number(key));
        let (held, back) = (number("held").unwrap_or(0), number("rolled_back").unwrap_or(0));
        let checkpoint = number("checkpoint");
        let shown = player.count("history") as u64;
        let claim = format!(
            "with --recover none: checkpoint {} with {held} lines; {back} later ones rolled back, still in its file",
            checkpoint.unwrap_or(0)
        );
        // Nothing is deleted by a rollback: what is in the state and what is not are together what is in the file.
        let holds = checkpoint.is_some() && shown == held && back > 0 && held + back == in_file;
        self.page.fact(holds, &claim, || {
            format!("{shown} shown, {in_file} in the file, {story:?}")
        })?;
        // Left in order, it writes a checkpoint of the state it was rolled back to: the next start finds the same.
        let codes = self.stage.leave(&[VICTIM])?;
        match codes[..] {
            [Some(0)] => Ok(back),
            _ => Err(Failure::Claim(
                "a node that leaves ends with 0".into(),
                format!("{codes:?}"),
            )),
        }
    }
}

/// Where the token is, once the victim is stopped: `Some(Some(hop))` if a survivor was seen passing it there,
/// `Some(None)` if a survivor asked for it for long and was not given it; `None` if that is not clear yet. What the
/// survivor told before its line of after the stop may be older than the stop, whenever it was read; but for the request
/// that it made for that line: while the line is being synced the token may come and go.
fn where_it_went(stage: &Stage) -> Option<Option<u64>> {
    let told = &stage.player(BEFORE).told;
    let asked = told
        .iter()
        .position(|told| told.kind() == "pending" && told.text("text") == AFTER_THE_STOP)?;
    let before = told[..asked]
        .iter()
        .rposition(|told| ["request", "pending"].contains(&told.kind()));
    let from = before.filter(|at| told[*at].kind() == "request").unwrap_or(asked);
    let mut later = told[from..].iter();
    let to_victim = |told: &&Told| told.kind() == "pass" && told.number("to") == Some(VICTIM.into());
    if let Some(pass) = later.clone().find(to_victim) {
        return Some(pass.number("hop"));
    }
    // No pass was seen, so either the token is still on its way here, or the victim had it when it was stopped.
    let granted = later.any(|told| told.kind() == "grant");
    (!granted && clock::now().since_us(told[asked].at) > NOT_GIVEN_US).then_some(None)
}
