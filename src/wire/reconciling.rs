//! The two datagrams of a reconciliation of live nodes: what is asked, and what is answered.
//!
//! Who asks need not be a member of any ring: a reconciler speaks under an id of its own choice, and nothing but
//! its questions and its streams is listened to.

use super::Refused;
use super::codec::{Reader, Writer};
use crate::words::Position;

/// What is asked of all nodes that hear it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconcileStep {
    /// (0) Say what you hold. Changes nothing.
    Look,
    /// (1) Get what you lack from the asker, if it accepts streams, and from every member of your ring.
    Fill,
    /// (2) Put your replica in canonical order up to this cut.
    Sort(Position),
}

/// A question, repeated until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconcile {
    /// Names one round of one asker: steps of a round belong together, and answers repeat it.
    pub nonce: u64,
    /// What to do.
    pub step: ReconcileStep,
    /// Where the asker accepts streams, at the address the question came from; 0: nowhere, it has no records
    /// that are not also on the ring.
    pub stream_port: u16,
}

/// How far a node is with a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// It is there, and takes no part in this round so far.
    Here,
    /// It gets what it lacks.
    Filling,
    /// It has compared with everybody, and written what came.
    Filled,
    /// It puts its replica in order.
    Sorting,
    /// Its replica is in order up to the cut.
    Sorted,
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconciled {
    /// The question's nonce.
    pub nonce: u64,
    /// How far the sender is with that round.
    pub progress: Progress,
    /// How many records it holds.
    pub records: u64,
    /// The wrapping sum of their hashes: equal in nodes that hold the same.
    pub hash: u64,
    /// How many of them it got in this round.
    pub received: u64,
    /// Lines of its replica that do not stand where they belong.
    pub out_of_order: u64,
    /// The highest position it holds.
    pub high: Option<Position>,
    /// Where it accepts streams, at the address the answer comes from.
    pub stream_port: u16,
}

impl Reconcile {
    pub(super) fn write(&self, out: &mut Writer) {
        out.u64(self.nonce);
        out.u16(self.stream_port);
        match self.step {
            ReconcileStep::Look => out.u8(0),
            ReconcileStep::Fill => out.u8(1),
            ReconcileStep::Sort(cut) => {
                out.u8(2);
                write_position(out, cut);
            }
        }
    }

    pub(super) fn read(from: &mut Reader) -> Result<Reconcile, Refused> {
        let (nonce, stream_port) = (from.u64()?, from.u16()?);
        let step = match from.u8()? {
            0 => ReconcileStep::Look,
            1 => ReconcileStep::Fill,
            2 => ReconcileStep::Sort(read_position(from)?),
            _ => return Err(Refused::BadField("step")),
        };
        Ok(Reconcile {
            nonce,
            step,
            stream_port,
        })
    }
}

impl Reconciled {
    pub(super) fn write(&self, out: &mut Writer) {
        out.u64(self.nonce);
        out.u8(match self.progress {
            Progress::Here => 0,
            Progress::Filling => 1,
            Progress::Filled => 2,
            Progress::Sorting => 3,
            Progress::Sorted => 4,
        });
        out.u64(self.records);
        out.u64(self.hash);
        out.u64(self.received);
        out.u64(self.out_of_order);
        out.u16(self.stream_port);
        out.u8(u8::from(self.high.is_some()));
        if let Some(high) = self.high {
            write_position(out, high);
        }
    }

    pub(super) fn read(from: &mut Reader) -> Result<Reconciled, Refused> {
        let nonce = from.u64()?;
        let progress = match from.u8()? {
            0 => Progress::Here,
            1 => Progress::Filling,
            2 => Progress::Filled,
            3 => Progress::Sorting,
            4 => Progress::Sorted,
            _ => return Err(Refused::BadField("progress")),
        };
        Ok(Reconciled {
            nonce,
            progress,
            records: from.u64()?,
            hash: from.u64()?,
            received: from.u64()?,
            out_of_order: from.u64()?,
            stream_port: from.u16()?,
            high: if from.bool()? {
                Some(read_position(from)?)
            } else {
                None
            },
        })
    }
}

fn write_position(out: &mut Writer, position: Position) {
    out.ring(position.ring);
    out.seq(position.seq);
}

fn read_position(from: &mut Reader) -> Result<Position, Refused> {
    Ok(Position {
        ring: from.ring()?,
        seq: from.seq()?,
    })
}
