//! The words of `node doctor`: those of a node, as far as they say where others are to be found.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

use clap::Args;

use super::args::{group, id};
use crate::host::doctor::DoctorOptions;
use crate::words::NodeId;

/// What `node doctor` accepts.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The node's number: is it taken?
    #[arg(long, value_name = "N", value_parser = id)]
    id: Option<NodeId>,
    /// Multicast address and port
    #[arg(long, value_name = "A.B.C.D:PORT", value_parser = group, default_value = "224.1.1.1:5007")]
    group: SocketAddrV4,
    /// Network interface, by name or address [default: that of the default route, else loopback]
    #[arg(long, value_name = "NAME|ADDRESS")]
    interface: Option<String>,
    /// A machine on which another node runs, asked directly; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    peer: Vec<Ipv4Addr>,
    /// File with the group key, made by `node keygen`
    #[arg(long, value_name = "FILE", env = "RODA_KEY_FILE")]
    key_file: Option<PathBuf>,
    /// The folder with replicas/ and checkpoints/
    #[arg(long, value_name = "DIR", default_value = ".")]
    data_dir: PathBuf,
    /// Print checks and verdict as one JSON object
    #[arg(long)]
    json: bool,
}

impl DoctorArgs {
    /// The typed options.
    pub fn into_options(self) -> DoctorOptions {
        DoctorOptions {
            id: self.id,
            group: self.group,
            interface: self.interface,
            peers: self.peer,
            key_file: self.key_file,
            data_dir: self.data_dir,
            json: self.json,
        }
    }
}
