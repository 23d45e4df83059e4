//! `node doctor`: on the same network, and nobody visible. It finds out why, and says what to do.
//!
//! Three steps, each in files of its own: facts are gathered from the machine (`machine`) and from the network (`survey`, with
//! `ears`, `hearing` and `probe`); rules conclude from them (`judge`, `company`), without another look at the machine, so that
//! each can be tried with made-up facts; and the diagnosis is told (`tell`). docs/DOCTOR.md has the table of causes.
//!
//! It never becomes a member and says nothing in the ring's language: it listens, and sends hails (see [`crate::host::hail`]),
//! about thirty small datagrams in all. So it disturbs no ring, and needs no id, no lock and no files of a node.

mod company;
mod ears;
mod facts;
mod finding;
mod hearing;
mod judge;
mod machine;
mod probe;
mod survey;
pub mod tell;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};

use crate::host::clock;
use crate::host::events::{self, Mark};
use crate::host::exit::Code;
use crate::host::keys::{self, KeyError};
use crate::host::net::{Interface, NetError};
use crate::host::terminal::visible;
use crate::wire::seal::key::{KeyName, Keys};
use crate::words::{Incarnation, NodeId};

pub use facts::Patient;
pub use finding::{CAUSES, Cause, Check, Diagnosis, Finding, State};

use facts::Facts;

/// What `node doctor` was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoctorOptions {
    /// The node's id.
    pub id: Option<NodeId>,
    /// The group.
    pub group: SocketAddrV4,
    /// The interface, by name or address; `None` for the default one.
    pub interface: Option<String>,
    /// Machines on which others should be.
    pub peers: Vec<Ipv4Addr>,
    /// The file with the group key.
    pub key_file: Option<PathBuf>,
    /// The folder of the files.
    pub data_dir: PathBuf,
    /// Whether the diagnosis is printed as JSON.
    pub json: bool,
}

/// Examines, prints the diagnosis, and says by the exit code whether something is wrong.
pub fn run(options: DoctorOptions) -> Code {
    let (json, id) = (options.json, options.id);
    let diagnosis = match prepare(options).and_then(|patient| examine(&patient).map_err(Complaint::Machine)) {
        Ok(diagnosis) => diagnosis,
        Err(complaint) => {
            eprintln!("node: {}", visible::line(&complaint.to_string()));
            return complaint.code();
        }
    };
    let lines = match json {
        true => {
            let mark = Mark {
                at: clock::wall(),
                n: 1,
                node: id.unwrap_or(NodeId(0)),
                us: clock::now(),
            };
            vec![events::doctor(&diagnosis, mark)]
        }
        false => tell::lines(&diagnosis),
    };
    // Nobody may be reading any more; the exit code says it as well.
    writeln!(io::stdout(), "{}", lines.join("\n")).unwrap_or_default();
    match diagnosis.verdict.cause.is_trouble() {
        true => Code::Differs,
        false => Code::Done,
    }
}

/// Why nothing could be examined.
enum Complaint {
    /// The interface that was named is not there.
    Net(NetError),
    /// The key file cannot be used, as a node would say at its start.
    Key(KeyError),
    /// The machine gives no sockets to wait for, or no dice.
    Machine(io::Error),
}

impl Complaint {
    fn code(&self) -> Code {
        match self {
            Complaint::Net(error) => Code::of_number(error.exit_code()),
            Complaint::Key(error) => error.code(),
            Complaint::Machine(_) => Code::Other,
        }
    }
}

impl std::fmt::Display for Complaint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Complaint::Net(error) => write!(f, "{error}"),
            Complaint::Key(error) => write!(f, "{error}"),
            Complaint::Machine(error) => write!(f, "cannot ask around: {error}"),
        }
    }
}

/// From the words of the command line to a patient: what a node would refuse to start with is refused here.
fn prepare(options: DoctorOptions) -> Result<Patient, Complaint> {
    let wanted = options.interface.as_deref();
    match Interface::resolve(wanted) {
        // That an interface has no address is for the doctor to say.
        Ok(_) | Err(NetError::NoIpv4 { .. }) => {}
        Err(error) => return Err(Complaint::Net(error)),
    }
    let keys = key_names(options.key_file.as_deref()).map_err(Complaint::Key)?;
    // A node of this folder may run: it is no stranger.
    let life = options
        .id
        .and_then(|id| machine::stored_life(&options.data_dir, id));
    Ok(Patient {
        id: options.id,
        life: life.map(Incarnation),
        group: options.group,
        interface: options.interface,
        keys,
        data_dir: options.data_dir,
        peers: options.peers,
    })
}

/// The names of the keys in a file; none without one.
pub fn key_names(file: Option<&Path>) -> Result<Vec<KeyName>, KeyError> {
    let keys = file.map(keys::read).transpose()?;
    Ok(keys.iter().flat_map(Keys::names).collect())
}

/// Gathers the facts and concludes. Takes up to five seconds; fails only where the machine gives no sockets to wait for.
pub fn examine(patient: &Patient) -> io::Result<Diagnosis> {
    let (places, bare) = machine::places();
    let chosen = Interface::resolve(patient.interface.as_deref());
    let chosen = chosen.map_err(|error| error.to_string()).and_then(|chosen| {
        let same = |place: &facts::Place| place.interface == chosen;
        let found = places.iter().position(same);
        found.ok_or(format!("{chosen} has just gone"))
    });
    let folder = machine::folder(&patient.data_dir, patient.id);
    let found = survey::survey(patient, &places, chosen.as_ref().ok().copied())?;
    let is_taken = found.asking.iter().any(|asking| asking.port_taken);
    let group = patient.group;
    Ok(judge::judge(&Facts {
        patient: patient.clone(),
        port_owner: if is_taken {
            machine::port_owner(*group.ip(), group.port())
        } else {
            None
        },
        places,
        bare,
        chosen,
        asking: found.asking,
        peers: found.peers,
        named: found.named,
        folder,
        container: machine::container(),
        listened_ms: found.listened_ms,
    }))
}
