//! Makes replicas with a long history, to measure what grows with it:
//! `cargo run --release --example history -- --data-dir D --nodes 1,2,3 --messages 1000000`.
//!
//! Three people speak in turn, in rings of a hundred thousand messages. As in a replica that grew by itself, lines stand a
//! few places from where they belong; and each replica lacks one message in a thousand, or as many as is asked
//! for, not the same as the others.
#![allow(clippy::disallowed_methods, reason = "a program that writes files")]

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::Parser;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use roda::replica::{Content, Record};
use roda::words::{Epoch, Incarnation, Member, MessageId, NodeId, Position, RingId, Seq, WallTime};

/// Messages of one ring.
const RING_MESSAGES: u64 = 100_000;
/// Lines among which the order is mixed.
const MIXED: u64 = 16;
/// When the history begins, in milliseconds since 1970: November 2025.
const BEGIN_MS: u64 = 1_763_680_000_000;

#[derive(Parser)]
struct Options {
    /// The folder that gets replicas/.
    #[arg(long)]
    data_dir: PathBuf,
    /// The nodes that get a replica.
    #[arg(long, value_delimiter = ',', default_value = "1,2,3")]
    nodes: Vec<u16>,
    /// How many messages there are.
    #[arg(long)]
    messages: u64,
    /// Of each replica, one message in so many is lacking.
    #[arg(long, default_value_t = 1_000)]
    lacks_one_in: u32,
    /// Leave nothing out.
    #[arg(long)]
    whole: bool,
}

fn member(id: u16) -> Member {
    Member {
        id: NodeId(id),
        incarnation: Incarnation(BEGIN_MS * 1_000),
    }
}

/// The n-th message, from 0.
fn record(n: u64) -> Record {
    let sender = member(1 + (n % 3) as u16);
    let ring = RingId {
        epoch: Epoch(1 + n / RING_MESSAGES),
        leader: member(1),
    };
    let position = Position {
        ring,
        seq: Seq(1 + n % RING_MESSAGES),
    };
    let id = MessageId {
        sender,
        counter: 1 + n / 3,
    };
    let name = ["ana", "bia", "caio"][(n % 3) as usize];
    let text = format!("message {n} of a long history, about as long as what people say to each other");
    let sent = WallTime(BEGIN_MS + n * 1_000);
    let content = Content::new(sender.id, name, "geral", sent, &text).expect("this text is sound");
    Record::new(id, position, content.to_bytes()).expect("this content is sound")
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let folder = options.data_dir.join("replicas");
    fs::create_dir_all(&folder)?;
    for node in options.nodes {
        let mut dice = SmallRng::seed_from_u64(u64::from(node));
        let mut file = BufWriter::new(fs::File::create(folder.join(format!("node-{node}.jsonl")))?);
        let mut line = Vec::new();
        for begin in (0..options.messages).step_by(MIXED as usize) {
            let mut mixed: Vec<u64> = (begin..options.messages.min(begin + MIXED)).collect();
            mixed.shuffle(&mut dice);
            for n in mixed {
                if !options.whole && dice.random_range(0..options.lacks_one_in) == 0 {
                    continue;
                }
                line.clear();
                record(n).write_line(&mut line);
                file.write_all(&line)?;
            }
        }
        file.flush()?;
    }
    Ok(())
}
