//! The words of `node bench`.

use std::net::SocketAddrV4;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::args::{group, id, token_timeout};
use super::duration::DurationUs;
use crate::host::bench::{BenchOptions, Mode, SIZE_MIN};
use crate::replica::content::TEXT_BYTES_MAX;
use crate::words::NodeId;

/// The longest window, in seconds.
const SECS_MAX: u32 = 86_400;
/// The most members.
const MEMBERS_MAX: usize = 200;

/// What `node bench` accepts.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Start this many members on this machine, on loopback, in a group of their own
    #[arg(long, value_name = "K", value_parser = members, conflicts_with_all = ["id", "members", "group", "interface"])]
    local: Option<usize>,
    /// Be one member: its number, 1 to 65535, different from the others'
    #[arg(long, value_name = "N", value_parser = id, requires = "members")]
    id: Option<NodeId>,
    /// How many members the ring has; the load begins when all are there
    #[arg(long, value_name = "K", value_parser = members)]
    members: Option<usize>,
    /// What has to be done with a message until it counts
    #[arg(long, value_enum, default_value = "order")]
    mode: ModeWord,
    /// Bytes of a message
    #[arg(long, value_name = "BYTES", value_parser = size, default_value = "100")]
    size: usize,
    /// Messages a second that each member says, or max
    #[arg(long, value_name = "N|max", value_parser = rate, default_value = "max")]
    rate: Rate,
    /// How long it is measured, in seconds, after one to warm up
    #[arg(long, value_name = "SECONDS", value_parser = secs, default_value = "3")]
    secs: u32,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
    /// Multicast address and port; a benchmark never mixes with a chat
    #[arg(long, value_name = "A.B.C.D:PORT", value_parser = group, default_value = "224.1.1.1:5008")]
    group: SocketAddrV4,
    /// Network interface, by name or address [default: that of the default route, else loopback]
    #[arg(long, value_name = "NAME|ADDRESS")]
    interface: Option<String>,
    /// File with the group key, made by `node keygen`
    #[arg(long, value_name = "FILE", env = "RODA_KEY_FILE")]
    key_file: Option<PathBuf>,
    /// The folder for replicas, where any are written [default: one that is made and removed]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// How long without progress until the token is lost, 20ms to 60s
    #[arg(long, value_name = "TIME", value_parser = token_timeout, default_value = "200ms")]
    token_timeout: DurationUs,
    /// Send the last data of a visit after the token; for all members or none
    #[arg(long)]
    accelerated: bool,
}

/// `--mode` as written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModeWord {
    /// It is delivered; nothing is written
    Order,
    /// It is in the own replica, synced
    Written,
    /// It is known to be in all replicas, synced
    Synced,
}

/// `--rate` as written; none for max.
#[derive(Clone, Copy, Debug)]
struct Rate(Option<u32>);

impl BenchArgs {
    /// The typed options; the error says what is missing.
    pub fn into_options(self) -> Result<BenchOptions, String> {
        let members = match (self.local, self.members) {
            (Some(members), _) => members,
            (None, Some(members)) if self.id.is_some() => members,
            (None, _) => {
                return Err("say `node bench --local 3` for a ring on this machine, \
                            or `--id N --members K` on each of K machines"
                    .into());
            }
        };
        Ok(BenchOptions {
            id: self.id,
            members,
            mode: self.mode.into(),
            size: self.size,
            rate: self.rate.0,
            secs: self.secs,
            json: self.json,
            group: self.group,
            interface: self.interface,
            key_file: self.key_file,
            data_dir: self.data_dir,
            token_timeout_us: self.token_timeout.0,
            accelerated: self.accelerated,
        })
    }
}

impl From<ModeWord> for Mode {
    fn from(word: ModeWord) -> Mode {
        match word {
            ModeWord::Order => Mode::Order,
            ModeWord::Written => Mode::Written,
            ModeWord::Synced => Mode::Synced,
        }
    }
}

fn members(text: &str) -> Result<usize, String> {
    let members = text
        .parse()
        .ok()
        .filter(|members| (1..=MEMBERS_MAX).contains(members));
    members.ok_or_else(|| format!("a ring has 1 to {MEMBERS_MAX} members here"))
}

fn size(text: &str) -> Result<usize, String> {
    let size = text
        .parse()
        .ok()
        .filter(|size| (SIZE_MIN..=TEXT_BYTES_MAX).contains(size));
    size.ok_or_else(|| {
        format!("a message has {SIZE_MIN} to {TEXT_BYTES_MAX} bytes; the first {SIZE_MIN} are its marks")
    })
}

fn rate(text: &str) -> Result<Rate, String> {
    match text.parse() {
        Ok(rate @ 1..=1_000_000) => Ok(Rate(Some(rate))),
        _ if text == "max" => Ok(Rate(None)),
        _ => Err("a rate is 1 to 1000000 messages a second, or max".into()),
    }
}

fn secs(text: &str) -> Result<u32, String> {
    let secs = text.parse().ok().filter(|secs| (1..=SECS_MAX).contains(secs));
    secs.ok_or_else(|| format!("the window has 1 to {SECS_MAX} seconds"))
}

#[cfg(test)]
mod tests {
    use crate::host::bench::Mode;
    use crate::host::cli::{Invocation, parse};

    fn words(line: &str) -> Result<Invocation, String> {
        let words = ["node", "bench"].into_iter().chain(line.split_whitespace());
        parse(words).map_err(|error| error.to_string())
    }

    #[test]
    fn members_are_started_here_or_on_other_machines() {
        let Ok(Invocation::Bench(local)) = words("--local 3 --rate 20 --mode synced") else {
            panic!("it is a benchmark")
        };
        assert_eq!((local.id, local.members, local.rate), (None, 3, Some(20)));
        assert_eq!((local.mode, local.size, local.secs), (Mode::Synced, 100, 3));
        let Ok(Invocation::Bench(one)) = words("--id 2 --members 3 --interface 127.0.0.1 --json") else {
            panic!("it is a benchmark")
        };
        assert_eq!((one.id.map(|id| id.0), one.members, one.rate), (Some(2), 3, None));
        assert_eq!(one.group.to_string(), "224.1.1.1:5008");
    }

    #[test]
    fn what_is_missing_or_wrong_is_said() {
        for (line, told) in [
            ("", "--local 3"),
            ("--members 3", "--local 3"),
            ("--id 1", "--members"),
            ("--local 0", "1 to 200 members"),
            ("--local 3 --id 1 --members 3", "cannot be used with"),
            ("--local 3 --size 10", "37 to 65536 bytes"),
            ("--local 3 --rate fast", "or max"),
            ("--local 3 --secs 0", "1 to 86400 seconds"),
            ("--local 3 --token-timeout 1ms", "20ms to 60s"),
        ] {
            let error = words(line).expect_err(line);
            assert!(error.contains(told), "{line:?}: {error}");
        }
    }
}
