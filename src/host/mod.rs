//! The host: everything that touches the machine: sockets, files, clocks, threads, terminal.
//!
//! Nothing below it does. The core sees only what `driver` hands it.

pub mod alarm;
pub mod bench;
pub mod chaos;
pub mod cli;
pub mod clock;
pub mod demo;
pub mod disk;
pub mod doctor;
pub mod driver;
pub mod events;
pub mod exit;
pub mod feed;
pub mod files;
pub mod folder;
pub mod hail;
pub mod inbox;
pub mod keys;
pub mod machine;
pub mod net;
pub mod notices;
pub mod reconcile;
pub mod record;
pub mod replay;
pub mod run;
pub mod signals;
pub mod streams;
pub mod terminal;
pub mod web;
