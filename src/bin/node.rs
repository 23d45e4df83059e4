//! `node`: chats on the ring, or shows the whole story with `node demo`.

use std::process::ExitCode;

use roda::host::cli::{self, Invocation};
use roda::host::run;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(Invocation::Node(options)) => run::run(*options).into(),
        Ok(Invocation::Demo(_)) => {
            eprintln!("node: this build has no demo; start three nodes by hand: node --id 1, --id 2, --id 3");
            ExitCode::FAILURE
        }
        Err(error) => error.exit(),
    }
}
