//! How a program of roda ends: the exit codes and what each one means.
//!
//! The numbers are a promise to scripts: a code is added, never given another meaning.

use std::fmt::Write as _;

use crate::host::terminal::visible;
use crate::node::face::Exit;

/// An exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Code {
    /// Everything was done.
    Done = 0,
    /// Something else went wrong; the last line of stderr says what.
    Other = 1,
    /// The command line asks for something that is not possible.
    Usage = 2,
    /// No ring formed in time.
    NoRing = 3,
    /// Lines were said, but not ordered or held by as many as asked for in time.
    NotHeld = 4,
    /// The address, the id or its files are in use by another process.
    Taken = 5,
    /// The group has another key.
    WrongKey = 6,
    /// What is stored is damaged beyond repair.
    Damaged = 7,
    /// A check found a difference.
    Differs = 8,
    /// A second Ctrl-C forced the end.
    Forced = 130,
}

/// All codes with their meaning, in order: the table of `--help`.
pub const TABLE: [(Code, &str); 10] = [
    (Code::Done, "done"),
    (Code::Other, "another error; the last line of stderr says which"),
    (Code::Usage, "wrong usage"),
    (Code::NoRing, "no ring formed in time"),
    (
        Code::NotHeld,
        "said, but not ordered or held by as many as asked in time",
    ),
    (Code::Taken, "address, id or files in use by another process"),
    (Code::WrongKey, "wrong group key"),
    (Code::Damaged, "stored state damaged beyond repair"),
    (Code::Differs, "a check found a difference"),
    (Code::Forced, "forced by a second Ctrl-C"),
];

/// The table of exit codes as text, one line each, indented by two.
pub fn table() -> String {
    let mut text = String::from("Exit codes:\n");
    for (code, meaning) in TABLE {
        let number = code as u8;
        writeln!(text, "  {number:>3}  {meaning}").expect("writing to a string succeeds");
    }
    text
}

impl Code {
    /// The code of this number, as the parts of the host name theirs.
    pub fn of_number(number: u8) -> Code {
        let found = TABLE.iter().find(|(code, _)| *code as u8 == number);
        found.map_or(Code::Other, |(code, _)| *code)
    }

    /// The code for the end that the core asked for.
    pub fn of(exit: &Exit) -> Code {
        match exit {
            Exit::Left => Code::Done,
            Exit::IdTaken { .. } | Exit::Superseded { .. } => Code::Taken,
            Exit::QuorumDiffers { .. } => Code::Usage,
            Exit::MulticastFiltered => Code::NoRing,
        }
    }
}

impl From<Code> for std::process::ExitCode {
    fn from(code: Code) -> Self {
        std::process::ExitCode::from(code as u8)
    }
}

/// Why the node ended and what to do about it; `None` if it left as asked.
pub fn sentence(exit: &Exit) -> Option<String> {
    match exit {
        Exit::Left => None,
        Exit::IdTaken { by, at, name } => Some(format!(
            "id {} is in use on this network by {} at {at}; start with another --id",
            by.id,
            visible::name(name)
        )),
        Exit::QuorumDiffers { theirs: 0 } => {
            Some("this group runs without a quorum; start without --quorum".to_string())
        }
        Exit::QuorumDiffers { theirs } => Some(format!(
            "this group runs with a quorum of {theirs}; start with --quorum {theirs}"
        )),
        Exit::MulticastFiltered => Some(
            "multicast is filtered here: single members reach this node, the group does not; \
             try another --interface, or allow multicast between stations on the access point"
                .to_string(),
        ),
        Exit::Superseded { by } => Some(format!(
            "a newer process has taken over id {} (incarnation {}); start this one with another --id",
            by.id, by.incarnation
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{Incarnation, Member, NodeId};

    fn member() -> Member {
        Member {
            id: NodeId(3),
            incarnation: Incarnation(9),
        }
    }

    #[test]
    fn the_table_names_every_code_once_and_in_order() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let text = table();
        for number in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "130"] {
            assert!(
                text.contains(&format!("{number:>5}  ")),
                "{number} is missing:\n{text}"
            );
        }
    }

    #[test]
    fn every_end_has_its_code_and_its_sentence() {
        let taken = Exit::IdTaken {
            by: member(),
            at: "127.0.0.1:4000".parse().unwrap(),
            name: "an\u{1b}a".into(),
        };
        assert_eq!(Code::of(&taken), Code::Taken);
        let text = sentence(&taken).unwrap();
        assert_eq!(
            text,
            "id 3 is in use on this network by an␛a at 127.0.0.1:4000; start with another --id"
        );
        assert_eq!(Code::of(&Exit::Left), Code::Done);
        assert_eq!(sentence(&Exit::Left), None);
        assert_eq!(Code::of(&Exit::QuorumDiffers { theirs: 2 }), Code::Usage);
        assert_eq!(Code::of(&Exit::MulticastFiltered), Code::NoRing);
        assert_eq!(Code::of(&Exit::Superseded { by: member() }), Code::Taken);
    }
}
