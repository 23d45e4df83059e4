//! The reconciler: makes replicas equal, in canonical order, or says how they differ.

use std::io::Write;
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use roda::host::cli;
use roda::host::cli::duration::{self, DurationUs};
use roda::host::exit::Code;
use roda::host::reconcile::{LiveOptions, Options, reconcile};
use roda::host::terminal::visible;
use roda::reconcile::{Report, report};

/// What `--help` says about exit codes.
const EXIT_CODES: &str = "\
Exit codes:
    0  done; with --check: the replicas are equal
    1  another error, or a live node stopped answering; the last line says which
    2  wrong usage
    5  a node is running on one of the replicas and does not answer on the group
    6  wrong group key: the key file cannot be used, or live nodes have another key
    7  a replica is of a format version that this program does not know
    8  the replicas differ: with --check, or because somebody talked";

/// Makes the replicas of a group equal, byte for byte, in canonical order.
///
/// Files at rest are locked and written anew; live nodes of the group are asked to fill their gaps and to put
/// their own files in order. What a replica lacks comes from the others. Damaged and conflicting lines are set aside in files that the
/// report names. A second run changes nothing.
#[derive(Parser)]
#[command(name = "reconciler", version, after_help = EXIT_CODES)]
struct Arguments {
    /// The folder that holds replicas/ and checkpoints/
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    data_dir: PathBuf,

    /// Reach only files at rest, no live nodes
    #[arg(long, conflicts_with_all = ["group", "interface", "wait"])]
    offline: bool,

    /// The multicast group on which live nodes are
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = cli::group, default_value = "224.1.1.1:5007")]
    group: SocketAddrV4,

    /// The interface, by name or address [default: that of the default route]
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,

    /// File with the group key, if the group has one
    #[arg(long, value_name = "FILE", env = "RODA_KEY_FILE")]
    key_file: Option<PathBuf>,

    /// How long to listen after the last live node that answered
    #[arg(long, value_name = "TIME", value_parser = wait, default_value = "2s")]
    wait: DurationUs,

    /// Change nothing; exit with 8 if the replicas differ
    #[arg(long)]
    check: bool,

    /// Print one JSON object for each replica and one for all, each on a line
    #[arg(long)]
    json: bool,

    /// The replicas [default: all in the folder's replicas/]
    #[arg(value_name = "REPLICA")]
    replicas: Vec<PathBuf>,
}

fn main() -> ExitCode {
    env_logger::init();
    let arguments = Arguments::parse();
    let options = Options {
        data_dir: arguments.data_dir,
        live: (!arguments.offline).then_some(LiveOptions {
            group: arguments.group,
            interface: arguments.interface,
            key_file: arguments.key_file,
            wait_us: arguments.wait.0,
        }),
        check: arguments.check,
        replicas: arguments.replicas,
    };
    match reconcile(&options) {
        Ok(report) => finish(&report, arguments.json).into(),
        Err(error) => {
            eprintln!("reconciler: {}", visible::line(&error.to_string()));
            error.code().into()
        }
    }
}

/// A time; a bare number is seconds.
fn wait(text: &str) -> Result<DurationUs, String> {
    match text.parse::<u32>() {
        Ok(seconds) => Ok(DurationUs(u64::from(seconds) * 1_000_000)),
        Err(_) => duration::parse(text),
    }
}

/// Prints a report and gives the exit code for it.
fn finish(report: &Report, json: bool) -> Code {
    let text = if json { report.json() } else { report.table() };
    if let Err(error) = std::io::stdout().write_all(text.as_bytes()) {
        eprintln!("reconciler: cannot print the report: {error}");
        return Code::Other;
    }
    if report.count(report::Result::Lost) > 0 {
        Code::Other
    } else if report.is_equal() {
        Code::Done
    } else {
        Code::Differs
    }
}
