//! The first lines: who this node is, where it listens and writes, and what it found on its disk.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

use super::clock::Zone;
use super::lang::{Voice, say};
use super::people::People;
use super::visible;
use crate::host::cli::duration;
use crate::replica::content::rfc3339;
use crate::wire::seal::key::KeyName;
use crate::words::{Incarnation, NodeId, WallTime};

/// Who, where and how: known before the first datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The node's id.
    pub id: NodeId,
    /// This life.
    pub incarnation: Incarnation,
    /// The user's name.
    pub name: String,
    /// The room to begin in.
    pub room: String,
    /// The interface in use, by name.
    pub interface: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Multicast address and port.
    pub group: SocketAddrV4,
    /// The artificial delay: shortest.
    pub delay_min_us: u64,
    /// The artificial delay: longest.
    pub delay_max_us: u64,
    /// How many members must hold a message before it is delivered; 0 for no quorum.
    pub quorum: u16,
    /// The replica file.
    pub replica: PathBuf,
    /// The folder of the checkpoints.
    pub checkpoints: PathBuf,
    /// The name of the group key that is used for sending, if there is one.
    pub key: Option<KeyName>,
    /// Whether it takes part in lessons.
    pub lab: bool,
    /// The address of its page, without what opens it, if it has one.
    pub web: Option<String>,
}

/// What was found on the disk, in numbers. What comes from peers is told later, by `CaughtUp`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Story {
    /// Nothing was there: the first start in this folder.
    pub fresh: bool,
    /// The life before left in order, and its last checkpoint holds all.
    pub clean: bool,
    /// The checkpoint started from; `None` if there was none.
    pub checkpoint: Option<u64>,
    /// When it was written.
    pub checkpoint_time: Option<WallTime>,
    /// Messages in the state now.
    pub held: u64,
    /// Messages in the replica that came after the checkpoint and were discarded from state.
    pub rolled_back: u64,
    /// How many of them were recovered from the own replica.
    pub recovered_own: u64,
    /// Damaged records set aside in a file, which a warning names.
    pub set_aside: u64,
    /// What else the user should know, each a sentence.
    pub warnings: Vec<String>,
}

/// Who, where and how, in four lines.
pub fn start_lines(start: &Start, voice: Voice) -> Vec<String> {
    let (name, room) = (visible::name(&start.name), visible::name(&start.room));
    let delay = match (start.delay_min_us, start.delay_max_us) {
        (_, 0) => say!(voice, "start-no-delay"),
        (min, max) => say!(
            voice,
            "start-delay",
            min = duration::show(min),
            max = duration::show(max)
        ),
    };
    vec![
        say!(
            voice,
            "start-who",
            who = People::new(voice).named(&name, start.id),
            room = room
        ),
        say!(
            voice,
            "start-group",
            group = start.group.to_string(),
            interface = visible::line(&start.interface),
            address = start.address.to_string()
        ),
        say!(
            voice,
            "start-files",
            replica = visible::line(&start.replica.to_string_lossy()),
            checkpoints = visible::line(&start.checkpoints.to_string_lossy()),
            delay = delay
        ),
        match start.key {
            Some(key) => say!(voice, "start-key", key = key.to_string()),
            None => say!(voice, "start-no-key"),
        },
    ]
}

/// What was found on the disk, in sentences with numbers.
pub fn story_lines(story: &Story, zone: &Zone, voice: Voice) -> Vec<String> {
    let mut lines = vec![beginning(story, zone, voice)];
    lines.extend(story.warnings.iter().map(|text| visible::line(text)));
    lines
}

/// The sentence about checkpoint, rollback and recovery.
fn beginning(story: &Story, zone: &Zone, voice: Voice) -> String {
    if story.fresh {
        return say!(voice, "story-first");
    }
    let from = match (story.checkpoint, story.checkpoint_time) {
        (Some(number), Some(time)) => {
            say!(voice, "story-from-time", number = number, time = when(time, zone))
        }
        (Some(number), None) => say!(voice, "story-from", number = number),
        (None, _) => say!(voice, "story-from-nothing"),
    };
    if story.clean {
        return say!(voice, "story-continued", from = from, count = story.held);
    }
    say!(
        voice,
        "story-rolled-back",
        from = from,
        count = story.rolled_back,
        own = story.recovered_own
    )
}

/// A wall-clock time as day and minute.
fn when(time: WallTime, zone: &Zone) -> String {
    let text = rfc3339(time);
    match zone.moment(&text) {
        Some(moment) => format!("{} {}", moment.date(), moment.clock()),
        None => text,
    }
}

/// A number with its noun: `1 message`, `2 messages`.
pub fn count(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn the_first_lines_say_who_where_and_how() {
        assert_eq!(
            start_lines(&samples::start(), Voice::default()),
            [
                "ana·3 in room geral; /help lists the commands",
                "group 224.1.1.1:5007 on lo (127.0.0.1)",
                "messages in ./replicas/node-3.jsonl, checkpoints in ./checkpoints/node-3; \
                 artificial delay 0..150ms before writing (--delay 0 turns it off)",
                "there is no key: anyone on this network can read and write (node keygen FILE makes one)",
            ]
        );
        let keyed = Start {
            key: Some(KeyName(0x0bad_c0de)),
            ..samples::start()
        };
        assert_eq!(
            start_lines(&keyed, Voice::default())[3],
            "sealed with group key 0badc0de: only who has it can read and write"
        );
        let calm = Start {
            delay_max_us: 0,
            ..samples::start()
        };
        assert!(start_lines(&calm, Voice::default())[2].ends_with("no artificial delay"));
    }

    #[test]
    fn the_story_is_told_in_numbers() {
        assert_eq!(
            story_lines(&samples::story(), &Zone::utc(), Voice::default()),
            [
                "checkpoint 12 of 2025-11-20 23:06: 7 messages rolled back, 7 recovered from the own replica",
                "checkpoint 13 is cut; checkpoint 12 is used",
            ]
        );
        let fresh = Story {
            fresh: true,
            ..Story::default()
        };
        assert_eq!(
            story_lines(&fresh, &Zone::utc(), Voice::default()),
            ["first start here: nothing to restore"]
        );
        let clean = Story {
            clean: true,
            held: 40,
            ..samples::story()
        };
        assert_eq!(
            story_lines(&clean, &Zone::utc(), Voice::default())[0],
            "continued from checkpoint 12 of 2025-11-20 23:06: 40 messages"
        );
        let none = Story {
            rolled_back: 1,
            ..Story::default()
        };
        assert_eq!(
            story_lines(&none, &Zone::utc(), Voice::default()),
            ["no checkpoint: 1 message rolled back, 0 recovered from the own replica"]
        );
    }
}
