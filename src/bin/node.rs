//! `node`: chats on the ring, shows the whole story with `node demo`, makes a group key with `node keygen`, measures
//! a ring with `node bench`, finds out with `node doctor` why nobody is visible, or shows once more what was recorded with
//! `node replay`.

use std::path::Path;
use std::process::ExitCode;

use roda::host::cli::{self, Invocation};
use roda::host::exit::Code;
use roda::host::terminal::visible;
use roda::host::{bench, demo, doctor, keys, replay, run};

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(Invocation::Node(options)) => run::run(*options).into(),
        Ok(Invocation::Demo(options)) => demo::run(options).into(),
        Ok(Invocation::Keygen(file)) => keygen(&file).into(),
        Ok(Invocation::Bench(options)) => bench::run(&options).into(),
        Ok(Invocation::Doctor(options)) => doctor::run(options).into(),
        Ok(Invocation::Replay(options)) => replay::run(&options).into(),
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
