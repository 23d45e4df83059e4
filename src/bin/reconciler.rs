//! The reconciler: makes replicas equal, in canonical order, or says how they differ.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use roda::host::exit::Code;
use roda::host::reconcile::{Options, reconcile};
use roda::host::terminal::visible;
use roda::reconcile::Report;

/// What `--help` says about exit codes.
const EXIT_CODES: &str = "\
Exit codes:
    0  done; with --check: the replicas are equal
    1  another error; the last line of stderr says which
    2  wrong usage
    5  a node is running on one of the replicas
    7  a replica is of a format version that this program does not know
    8  with --check: the replicas differ";

/// Makes the replicas of a group equal, byte for byte, in canonical order.
///
/// What a replica lacks comes from the others. Damaged and conflicting lines are set aside in files that the
/// report names. A second run changes nothing.
#[derive(Parser)]
#[command(name = "reconciler", version, after_help = EXIT_CODES)]
struct Arguments {
    /// The folder that holds replicas/ and checkpoints/
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    data_dir: PathBuf,

    /// Reach only files at rest, no live nodes
    #[arg(long)]
    offline: bool,

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
        offline: arguments.offline,
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

/// Prints a report and gives the exit code for it.
fn finish(report: &Report, json: bool) -> Code {
    let text = if json { report.json() } else { report.table() };
    if let Err(error) = std::io::stdout().write_all(text.as_bytes()) {
        eprintln!("reconciler: cannot print the report: {error}");
        return Code::Other;
    }
    if report.is_equal() {
        Code::Done
    } else {
        Code::Differs
    }
}
