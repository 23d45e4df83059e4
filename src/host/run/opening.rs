//! What is opened before a life: the network and the files. Nothing is sent yet.
//!
//! The order matters to whoever mistyped something: a wrong `--chaos`, an unknown interface or a port that is
//! taken is refused before a file is made, and the lock is taken before anything in the folder is repaired. The
//! network is opened before the files although nothing is read from it yet, because a node whose port is taken
//! must not have begun a new life on its disk.

use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};

use crate::host::chaos::{Chaos, ChaosPlan};
use crate::host::cli::NodeOptions;
use crate::host::clock;
use crate::host::disk::{self, Disk, End, Paths};
use crate::host::keys;
use crate::host::net::{Group, Interface, Net};
use crate::host::terminal::start::{Start, Story};
use crate::node::face::{Config, Restart};
use crate::replica::Record;
use crate::wire::seal::key::Keys;
use crate::wire::seal::sessions::SealSettings;

use super::failure::Failure;
use super::life::Life;
use super::said;

/// Spreads one `--seed` over nodes: they must not throw the same dice at the same moment.
const SEED_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// All that a life needs, opened.
pub struct Opening {
    pub(in crate::host) net: Net,
    pub(super) chaos: Option<Chaos>,
    pub(in crate::host) disk: Disk,
    pub(in crate::host) config: Config,
    pub(in crate::host) restart: Restart,
    pub(in crate::host) seed: u64,
    /// The key file, if there is one, to be read again when it changes.
    pub(super) key_file: Option<PathBuf>,
}

/// What the user is told of it.
pub struct Found {
    /// Who, where and how.
    pub start: Start,
    /// What was on the disk.
    pub story: Story,
    /// The last messages in the state, as many as `--history` asks for.
    pub history: Vec<Record>,
    /// Rooms seen in earlier lives.
    pub rooms: Vec<String>,
    /// What was said under which keys; only for a page.
    pub said: said::Found,
}

impl Opening {
    /// Opens everything for a life that begins at checkpoint `restore`, or at the newest good one.
    pub fn new(options: &NodeOptions, restore: Option<u64>) -> Result<(Opening, Found), Failure> {
        let dice = clock::seed().map_err(|error| Failure::Machine("random numbers", error))?;
        // Only delay and chaos are to be repeatable. An incarnation must differ each time, whatever the seed.
        let seed = options.seed.unwrap_or(dice);
        let seed = seed.wrapping_add(SEED_STEP.wrapping_mul(u64::from(options.id.0)));
        let chaos = options
            .chaos
            .as_deref()
            .map(str::parse::<ChaosPlan>)
            .transpose()?;
        let key_file = options.key_file.as_deref();
        let (keys, net) = open_network(key_file, options.group, options.interface.as_deref())?;
        let disk_options = disk::Options {
            restore,
            recover: options.recover,
            clock_us: Box::new(clock::wall_us),
            dice,
        };
        let (disk, restart, story) = Disk::open(&options.data_dir, options.id, disk_options)?;
        if keys.is_some() {
            close_folders(options)?;
        }
        let history = disk.last_records(options.history.unwrap_or(0));
        let history = history.map_err(|error| Failure::Disk(error.into()))?;
        let said = match options.web {
            Some(_) => said::Found::look(&disk, options.id, &restart.outbox),
            None => Ok(said::Found::default()),
        };
        let said = said.map_err(|error| Failure::Disk(error.into()))?;
        // Some systems set the one, some the other.
        let login = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).ok();
        let name = options.name_or(restart.name.as_deref(), login.as_deref());
        let found = Found {
            start: Start {
                key: keys.as_ref().map(|keys| keys.first().name()),
                ..start(options, &net, &restart, name.clone())
            },
            story: told(story),
            history,
            rooms: restart.rooms.clone(),
            said,
        };
        let opening = Opening {
            config: Config {
                seal: keys.map(|keys| seal(keys, &net)).transpose()?,
                ..config(options, &net, name)
            },
            chaos: chaos.map(|plan| Chaos::new(plan, seed)),
            net,
            disk,
            restart,
            seed,
            key_file: options.key_file.clone(),
        };
        Ok((opening, found))
    }

    /// Begins the life.
    pub fn start(self) -> Result<Life, Failure> {
        Life::begin(self)
    }
}

/// Reads the keys and opens the network.
pub(in crate::host) fn open_network(
    key_file: Option<&Path>,
    group: SocketAddrV4,
    interface: Option<&str>,
) -> Result<(Option<Keys>, Net), Failure> {
    let keys = key_file.map(keys::read).transpose()?;
    let group: Group = group.to_string().parse()?;
    let net = Net::open(group, Interface::resolve(interface)?)?;
    Ok((keys, net))
}

/// What sealing needs: with each start, random bytes that no other start has.
pub(in crate::host) fn seal(keys: Keys, net: &Net) -> Result<SealSettings, Failure> {
    Ok(SealSettings {
        keys,
        seed: keys::random()?,
        address: net.address(),
    })
}

/// What a keyed group said is for its members, on the disk too: files are for their owner in any case.
fn close_folders(options: &NodeOptions) -> Result<(), Failure> {
    let paths = Paths::new(&options.data_dir, options.id);
    let checkpoints = options.data_dir.join("checkpoints");
    for folder in [&paths.replicas, &checkpoints, &paths.own] {
        keys::close_folder(folder)?;
    }
    Ok(())
}

/// How the core is to behave.
fn config(options: &NodeOptions, net: &Net, name: String) -> Config {
    Config {
        id: options.id,
        name,
        group: net.group().number(),
        token_timeout_us: options.token_timeout_us,
        delay_min_us: options.delay_min_us,
        delay_max_us: options.delay_max_us,
        checkpoint_every_us: options.checkpoint_every_us,
        quorum: options.quorum,
        catch_up: options.catch_up,
        recover: options.recover,
        payload_max: net.interface().payload_max(),
        lab: options.lab,
        accelerated: options.accelerated,
        unicast_port: net.address().port(),
        stream_port: net.stream_port(),
        seal: None,
    }
}

fn start(options: &NodeOptions, net: &Net, restart: &Restart, name: String) -> Start {
    let paths = Paths::new(&options.data_dir, options.id);
    Start {
        id: options.id,
        incarnation: restart.incarnation,
        name,
        room: options.room.clone(),
        interface: net.interface().name.clone(),
        address: net.interface().address,
        group: options.group,
        delay_min_us: options.delay_min_us,
        delay_max_us: options.delay_max_us,
        replica: paths.replica(),
        checkpoints: paths.own,
        key: None,
        quorum: options.quorum,
        lab: options.lab,
        web: None,
    }
}

/// The story of the disk, as it is told. The two are apart because one belongs to the files and the other to
/// the format that programs read.
fn told(story: disk::Story) -> Story {
    Story {
        fresh: story.end == End::None,
        clean: story.end == End::Clean,
        checkpoint: story.checkpoint.map(|(number, _)| number),
        checkpoint_time: story.checkpoint.map(|(_, time)| time),
        held: story.held,
        rolled_back: story.rolled_back,
        recovered_own: story.recovered,
        set_aside: story.set_aside,
        warnings: story.warnings,
    }
}
