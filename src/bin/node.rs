//! `node`: chats on the ring, shows the whole story with `node demo`, makes a group key with `node keygen`, measures
//! a ring with `node bench`, finds out with `node doctor` why nobody is visible, shows once more what was recorded with
//! `node replay`, and tells about itself with `node config`, `completions` and `man`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use roda::host::cli::{self, Invocation};
use roda::host::exit::Code;
use roda::host::terminal::visible;
use roda::host::{bench, demo, doctor, keys, replay, run};

fn main() -> ExitCode {
    match cli::read(std::env::args_os()) {
        Ok(Invocation::Node(options)) => run::run(*options).into(),
        Ok(Invocation::Demo(options)) => demo::run(options).into(),
        Ok(Invocation::Keygen(file)) => keygen(&file).into(),
        Ok(Invocation::Bench(options)) => bench::run(&options).into(),
        Ok(Invocation::Doctor(options)) => doctor::run(options).into(),
        Ok(Invocation::Replay(options)) => replay::run(&options).into(),
        Ok(Invocation::Print(text)) => print(&text).into(),
        Ok(Invocation::Manual(folder)) => manual(&folder).into(),
        Err(error) => error.exit(),
    }
}

/// Makes a key file.
fn keygen(file: &Path) -> Code {
    match keys::generate(file) {
        Ok(name) => {
            let file = visible::line(&file.to_string_lossy());
            eprintln!(
                "group key {name} is in {file}; give every member a copy, and start with --key-file {file}"
            );
            Code::Done
        }
        Err(error) => {
            eprintln!("node: {}", visible::line(&error.to_string()));
            error.code()
        }
    }
}

/// Prints what was asked for.
fn print(text: &[u8]) -> Code {
    match std::io::stdout().write_all(text) {
        Ok(()) => Code::Done,
        Err(error) => {
            eprintln!("node: cannot print: {error}");
            Code::Other
        }
    }
}

/// Writes the manual pages.
fn manual(folder: &Path) -> Code {
    let shown = visible::line(&folder.to_string_lossy());
    match cli::pages::write_manual(folder) {
        Ok(()) => {
            eprintln!("the manual is in {shown}; man -l {shown}/node.1 shows its first page");
            Code::Done
        }
        Err(error) => {
            eprintln!("node: cannot write the manual into {shown}: {error}");
            Code::Other
        }
    }
}
