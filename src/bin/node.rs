//! `node`: chats on the ring, or shows the whole story with `node demo`.

use std::process::ExitCode;

use roda::host::cli::{self, Invocation};
use roda::host::{demo, run};

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(Invocation::Node(options)) => run::run(*options).into(),
        Ok(Invocation::Demo(options)) => demo::run(options).into(),
        Err(error) => error.exit(),
    }
}
