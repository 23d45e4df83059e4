//! Checkpoints: the state of a node at one moment, as a file.
//!
//! `seal` is the frame that all small files of a node share: a version in front, a sum at the end. `snapshot`
//! is the checkpoint itself, `books` what a start knows of the replica without reading it. Nothing here touches the machine; `disk` keeps the files.

pub mod books;
pub mod seal;
pub mod snapshot;

pub use seal::{SealError, is_sealed, seal, seal_behind, seal_open, unseal};
pub use snapshot::Snapshot;
