//! roda: a group chat for a LAN without a server.
//!
//! Nodes form a ring; a token goes round; who holds it stamps messages with the next numbers of one total
//! order. Every node keeps a replica of all messages. See `docs/ARCHITECTURE.md` for the way through the
//! modules. Imports point one way: bugs, words → wire → ring → replica → checkpoint, reconcile → node → disk,
//! order → host.

pub mod bugs;
pub mod checkpoint;
pub mod disk;
pub mod host;
pub mod node;
pub mod order;
pub mod reconcile;
pub mod replica;
pub mod ring;
pub mod sim;
pub mod wire;
pub mod words;
