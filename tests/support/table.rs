//! The fault table: what a test broke, how often, and what held. A row is printed, and added to the file that
//! `RODA_FAULT_TABLE` names.

use std::io::Write;

/// Adds a row to the table; called when all that the row says was found to be so.
pub fn row(fault: &str, runs: usize, held: &str) {
    let row = format!("| {fault} | {runs} | {held} |\n");
    print!("{row}");
    if let Some(path) = std::env::var_os("RODA_FAULT_TABLE") {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.append(true).create(true).open(path).unwrap();
        file.write_all(row.as_bytes()).unwrap();
    }
}

/// Whether all is to be tried, rather than the sample that an ordinary run has time for.
pub fn thorough() -> bool {
    std::env::var_os("RODA_FAULTS").is_some_and(|value| value == "all")
}

/// Whether this process may make namespaces and mounts, and trace others. If not, the test that asks has nothing to
/// do, and says so. A tool that is missing is an error: `./check` installs it.
pub fn may_all(tools: &[&str]) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("left out: it needs the rights of root");
        return false;
    }
    for tool in tools {
        let found = std::process::Command::new(tool).arg("--version").output();
        assert!(found.is_ok(), "{tool} is needed; ./check installs it");
    }
    true
}
