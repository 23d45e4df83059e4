//! All members of a benchmark on this machine: processes on loopback, in a group of their own. Ctrl-C reaches them as it
//! reaches this one, and they leave.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use super::outcome::Report;
use super::{BenchOptions, Ran};
use crate::host::exit::Code;
use crate::host::folder::Folder;

/// The address of the group; its port is the benchmark's own.
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 1, 1, 1);

/// A folder that goes when it is dropped.
pub struct OwnFolder(Folder);

impl OwnFolder {
    /// Makes it.
    pub fn create() -> Result<OwnFolder, (Code, String)> {
        let made = Folder::create("roda-bench").map(OwnFolder);
        made.map_err(|error| (Code::Other, format!("cannot make a folder: {error}")))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for OwnFolder {
    fn drop(&mut self) {
        if let Err(error) = self.0.remove() {
            log::warn!("cannot remove {error}");
        }
    }
}

/// One member's process. Dropping it ends the process.
struct Process {
    child: Child,
    said: Option<JoinHandle<String>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

/// Starts all members, waits for their ends, and takes over the report of the one that has the worst to tell.
///
/// Each member bounds its own run, so waiting for its end is bounded too.
pub fn run(options: &BenchOptions) -> Ran {
    let other = |what: &str| {
        let what = what.to_string();
        move |error: std::io::Error| (Code::Other, format!("cannot {what}: {error}"))
    };
    // A port that is free now; the members share it, and nobody else asks for just this one.
    let probe = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(other("find a free port"))?;
    let port = probe.local_addr().map_err(other("find a free port"))?.port();
    let group = SocketAddrV4::new(GROUP, port);
    let start = |id: usize| start(options, id, group).map_err(other("start a member"));
    let mut processes = (1..=options.members).map(start).collect::<Result<Vec<_>, _>>()?;
    let mut reports = Vec::new();
    for process in &mut processes {
        let said = process.said.take().map(JoinHandle::join);
        let status = process.child.wait().map_err(other("wait for a member"))?;
        let text = said.and_then(Result::ok).unwrap_or_default();
        match serde_json::from_str::<Report>(&text) {
            Ok(report) => reports.push(report),
            // It has said why itself.
            Err(_) => {
                let code = status.code().and_then(|code| u8::try_from(code).ok());
                return Err((
                    Code::of_number(code.unwrap_or(1)),
                    "a member ended without a report".into(),
                ));
            }
        }
    }
    // All tell the same, unless one of them did not hear of all.
    let worst = reports
        .into_iter()
        .min_by_key(|report| (report.same_order, report.nodes));
    worst.ok_or_else(|| (Code::Usage, "there are no members".into()))
}

fn start(options: &BenchOptions, id: usize, group: SocketAddrV4) -> std::io::Result<Process> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["bench", "--json", "--interface", "127.0.0.1"])
        .args(["--group", &group.to_string()])
        .args(["--id", &id.to_string(), "--members", &options.members.to_string()])
        .args(["--mode", options.mode.word(), "--size", &options.size.to_string()])
        .args([
            "--rate",
            &options.rate.map_or("max".to_string(), |rate| rate.to_string()),
        ])
        .args(["--secs", &options.secs.to_string()])
        .args(["--token-timeout", &format!("{}us", options.token_timeout_us)])
        .env_remove("RODA_KEY_FILE")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    if options.accelerated {
        command.arg("--accelerated");
    }
    if let Some(file) = &options.key_file {
        command.arg("--key-file").arg(file);
    }
    if let Some(folder) = &options.data_dir {
        command.arg("--data-dir").arg(folder);
    }
    let mut child = command.spawn()?;
    let output = child.stdout.take();
    let mut process = Process { child, said: None };
    let reading = thread::Builder::new()
        .name(format!("report of member {id}"))
        .spawn(move || {
            let mut text = String::new();
            // What cannot be read is no report, and is told as that.
            output.map(|mut output| output.read_to_string(&mut text));
            text
        });
    process.said = Some(reading?);
    Ok(process)
}
