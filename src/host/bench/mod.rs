//! `node bench`: a member that loads the ring and measures it. With `--local K`, K of them on this machine.
//!
//! A benchmark's members have a group of their own, told apart by number even where address and port are those of a
//! chat: none of its messages reaches a replica that is not its own, and none of its members counts for anybody's
//! ticks.
//!
//! `load` says what is said and measured, `payload` how, `cores` puts it on the ring alone or on a whole node, `local`
//! starts processes, `outcome` sums up.

mod cores;
mod load;
mod local;
pub mod outcome;
mod payload;

use std::io::Write;
use std::net::SocketAddrV4;
use std::path::PathBuf;

use crate::host::cli::NodeOptions;
use crate::host::clock;
use crate::host::driver::Driver;
use crate::host::exit::{self, Code};
use crate::host::machine;
use crate::host::run::{Failure, Opening, feed_disk, open_network, seal};
use crate::host::signals::{self, HostSignal};
use crate::host::terminal::visible;
use crate::node::Node;
use crate::node::face::{Command, Event, Exit};
use crate::order::{self, OrderOnly};
use crate::words::{Incarnation, NodeId};

use cores::Loaded;
use load::{Load, Plan};
use outcome::{Asked, Report};
pub use payload::BYTES_MIN as SIZE_MIN;

/// Told apart from the groups of chats by this.
const GROUP_MARK: u32 = 0x6265_6e63;
/// How long the ring may take to have its members, in microseconds.
const COMPLETE_US: u64 = 60_000_000;
/// The bytes of messages that may wait to be stamped: twice what one visit of the token takes. This and the two below are
/// those of a member of three.
const WAITING_BYTES_MAX: usize = 1 << 20;
/// And how many they are at the most.
const WAITING_MAX: usize = 4_096;
/// Own lines of a whole node that may be on their way.
const UNDER_WAY_MAX: usize = 6_144;
/// How long the disk may take to finish.
const DISK_PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// Which promises about files a benchmark keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// None: delivered, nothing written.
    Order,
    /// All; a message counts when the own replica has it.
    Written,
    /// All; a message counts when the replicas of all members are known to have it.
    Synced,
}

impl Mode {
    /// As `--mode` reads it.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Order => "order",
            Mode::Written => "written",
            Mode::Synced => "synced",
        }
    }

    /// As reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Order => "order only",
            Mode::Written => "replica written",
            Mode::Synced => "replica synced",
        }
    }

    /// What is written and synced, and so which promises hold.
    pub fn kept(self) -> &'static str {
        match self {
            Mode::Order => {
                "nothing is written: messages count when they are delivered, and the promises about the disk do not hold"
            }
            Mode::Written => {
                "each line is synced in the outbox before it is sent, each message in every replica; it counts when the own replica has it, synced"
            }
            Mode::Synced => {
                "each line is synced in the outbox before it is sent, each message in every replica; it counts when all replicas are known to have it, synced"
            }
        }
    }
}

/// How a benchmark is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BenchOptions {
    /// Which member this process is; none to start all members here.
    pub id: Option<NodeId>,
    /// How many members there are.
    pub members: usize,
    /// Which promises about files are kept.
    pub mode: Mode,
    /// Bytes of a message.
    pub size: usize,
    /// Messages a second of each member; none for as many as it can.
    pub rate: Option<u32>,
    /// The window, in seconds.
    pub secs: u32,
    /// Whether the report is JSON.
    pub json: bool,
    /// Multicast address and port.
    pub group: SocketAddrV4,
    /// Name or address of the interface; `None` for that of the default route.
    pub interface: Option<String>,
    /// The file with the group key.
    pub key_file: Option<PathBuf>,
    /// Where files are, if any are written; none for a folder that is made and removed.
    pub data_dir: Option<PathBuf>,
    /// The one knob of time.
    pub token_timeout_us: u64,
    /// Whether datagrams may leave just after the token.
    pub accelerated: bool,
}

/// Runs a benchmark. All that is to be said about its end has been said when this returns.
pub fn run(options: &BenchOptions) -> Code {
    let ran = match options.id {
        Some(id) => member(options, id),
        None => local::run(options),
    };
    match ran {
        Ok(report) => tell(options, &report),
        Err((code, reason)) => {
            // Nobody may be reading any more; the exit code says it as well.
            writeln!(std::io::stderr(), "node bench: {}", visible::line(&reason)).unwrap_or_default();
            code
        }
    }
}

/// A report, or the exit code and why there is none.
type Ran = Result<Report, (Code, String)>;

fn tell(options: &BenchOptions, report: &Report) -> Code {
    let text = match options.json {
        true => serde_json::to_string(report).expect("a report always becomes JSON"),
        false => report.lines().join("\n"),
    };
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) if report.same_order => Code::Done,
        Ok(()) => Code::Differs,
        Err(_) => Code::Other,
    }
}

fn failed(failure: Failure) -> (Code, String) {
    (failure.code(), failure.to_string())
}

/// One member.
fn member(options: &BenchOptions, id: NodeId) -> Ran {
    let outcomes = match options.mode {
        Mode::Order => order_only(options, id)?,
        Mode::Written | Mode::Synced => with_files(options, id)?,
    };
    let asked = Asked {
        members: options.members,
        mode: options.mode,
        size: options.size,
        rate: options.rate,
    };
    Ok(Report::of(asked, &outcomes))
}

/// The ring alone.
fn order_only(options: &BenchOptions, id: NodeId) -> Result<Vec<outcome::Outcome>, (Code, String)> {
    let (keys, net) = open_network(
        options.key_file.as_deref(),
        options.group,
        options.interface.as_deref(),
    )
    .map_err(failed)?;
    let seed = dice()?;
    let seal = keys.map(|keys| seal(keys, &net)).transpose().map_err(failed)?;
    let config = order::Config {
        id,
        incarnation: Incarnation::next(Incarnation(0), clock::wall_us(), seed),
        group: net.group().number() ^ GROUP_MARK,
        token_timeout_us: options.token_timeout_us,
        payload_max: net.interface().payload_max(),
        accelerated: options.accelerated,
        seal,
    };
    let (driver, ends) = Driver::new(net, None).map_err(|error| failed(Failure::Machine("a poll", error)))?;
    let _signals = leave_on_signals(ends.inbox.clone())?;
    let load = Load::new(plan(options, id)?);
    let (mut order, first) = OrderOnly::new(config, load, seed, clock::now());
    let exit = driver
        .run(&mut order, first)
        .map_err(|error| failed(Failure::Driver(error)))?;
    ended(&exit, order.user())
}

/// A whole node, with files.
fn with_files(options: &BenchOptions, id: NodeId) -> Result<Vec<outcome::Outcome>, (Code, String)> {
    let folder = match &options.data_dir {
        Some(_) => None,
        None => Some(local::OwnFolder::create()?),
    };
    let data_dir = options
        .data_dir
        .clone()
        .or(folder.as_ref().map(|folder| folder.path().to_path_buf()));
    let node_options = NodeOptions {
        key_file: options.key_file.clone(),
        interface: options.interface.clone(),
        group: options.group,
        token_timeout_us: options.token_timeout_us,
        accelerated: options.accelerated,
        ..NodeOptions::plain(id, &data_dir.expect("there is a folder, the user's or a new one"))
    };
    let (opening, _) = Opening::new(&node_options, None).map_err(failed)?;
    let Opening {
        net,
        disk,
        mut config,
        restart,
        seed,
        ..
    } = opening;
    config.group ^= GROUP_MARK;
    let (driver, ends) = Driver::new(net, None).map_err(|error| failed(Failure::Machine("a poll", error)))?;
    let _signals = leave_on_signals(ends.inbox.clone())?;
    let load = Load::new(plan(options, id)?);
    let (_, nobody_asks) = crossbeam_channel::bounded(1);
    let disk_ended = feed_disk(disk, ends.inbox, ends.disk, nobody_asks)
        .map_err(|error| failed(Failure::Machine("a thread", error)))?;
    let (node, first) = Node::new(config, restart, seed, clock::now());
    let mut loaded = Loaded::new(node, load, options.mode);
    let ran = driver
        .run(&mut loaded, first)
        .map_err(|error| failed(Failure::Driver(error)));
    // The files must be closed before their folder is removed.
    let closed = disk_ended.recv_timeout(DISK_PATIENCE);
    let outcomes = ended(&ran?, loaded.load())?;
    closed.map_err(|_| failed(Failure::Stuck("the disk")))?;
    Ok(outcomes)
}

fn plan(options: &BenchOptions, me: NodeId) -> Result<Plan, (Code, String)> {
    Ok(Plan {
        me,
        members: options.members,
        size: options.size,
        rate: options.rate,
        window_us: u64::from(options.secs) * 1_000_000,
        machine: machine::boot().map_or_else(dice, Ok)?,
        waiting_max: share(
            options.members,
            (WAITING_BYTES_MAX / options.size).min(WAITING_MAX),
        ),
        under_way_max: match options.mode {
            Mode::Order => u64::MAX,
            Mode::Written | Mode::Synced => share(options.members, UNDER_WAY_MAX) as u64,
        },
        complete_by: clock::now().after_us(COMPLETE_US),
    })
}

/// A member's part of what three members may have on their way together: a visit of the token takes less where there are
/// more of them, and what is on its way when the window ends has to arrive within seconds.
fn share(members: usize, of_three: usize) -> usize {
    (of_three * 3 / members.max(3)).max(4)
}

/// The outcome of a run whose core has ended like this.
fn ended(exit: &Exit, load: &Load) -> Result<Vec<outcome::Outcome>, (Code, String)> {
    if *exit != Exit::Left {
        return Err((Code::of(exit), exit::sentence(exit).unwrap_or_default()));
    }
    match load.failed() {
        Some(reason) => Err((Code::NoRing, reason.to_string())),
        None if load.is_done() => Ok(load.outcomes()),
        None => Err((
            Code::Forced,
            "it was asked to end before it had measured anything".into(),
        )),
    }
}

fn dice() -> Result<u64, (Code, String)> {
    clock::seed().map_err(|error| failed(Failure::Machine("random numbers", error)))
}

/// Ctrl-C and the like let the member leave the ring.
fn leave_on_signals(inbox: crate::host::inbox::Inbox) -> Result<signals::SignalWatch, (Code, String)> {
    let watch = signals::watch(move |signal| match signal {
        HostSignal::Leave => inbox.urge(Event::Command(Command::Leave)).unwrap_or_default(),
        HostSignal::Force | HostSignal::Suspend(_) | HostSignal::Resumed => {}
    });
    watch.map_err(|error| failed(Failure::Signals(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_members_have_less_on_their_way_each_and_no_more_together() {
        assert_eq!((share(1, 4_096), share(3, 4_096)), (4_096, 4_096));
        assert_eq!((share(64, 4_096), share(200, 4_096)), (192, 61));
        assert_eq!(share(200, 16), 4, "something is always on its way");
    }
}
