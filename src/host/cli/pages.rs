//! What others are told of the command line: shells their completions, people the manual. All of it is made from
//! the definitions that clap reads, so that no flag can be missing.

use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use super::args::Args;
use super::{after_help, config};

/// The program as shells and the manual call it.
const NAME: &str = "node";

/// The completion script of a shell.
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), NAME, &mut script);
    script
}

/// The first page of the manual, as roff.
pub fn manual() -> Vec<u8> {
    let mut page = Vec::new();
    Man::new(command())
        .render(&mut page)
        .expect("writing to memory succeeds");
    page
}

/// Writes the manual into a folder that is made if need be: `node.1`, and `node-VERB.1` for each verb.
pub fn write_manual(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(command(), folder)
}

/// The whole command line, with the environment.
fn command() -> Command {
    config::with_environment(Args::command().after_long_help(after_help()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)] // Reads what was written.
    use super::*;
    use clap::ValueEnum;

    /// The long names of all flags of a command and of its verbs.
    fn flags(command: &Command) -> Vec<String> {
        let own = command.get_arguments().filter(|arg| !arg.is_hide_set());
        let own = own.filter_map(|arg| arg.get_long());
        let mut all: Vec<String> = own.map(str::to_string).collect();
        all.extend(command.get_subcommands().flat_map(flags));
        all
    }

    #[test]
    fn every_flag_and_verb_is_in_every_completion() {
        let mut command = command();
        command.build();
        let flags = flags(&command);
        assert!(flags.len() > 40, "{flags:?}");
        for shell in Shell::value_variants() {
            let script = String::from_utf8(completions(*shell)).unwrap();
            let lacking: Vec<&String> = flags.iter().filter(|flag| !script.contains(*flag)).collect();
            assert!(lacking.is_empty(), "{shell}: {lacking:?}");
            for verb in command.get_subcommands() {
                assert!(script.contains(verb.get_name()), "{shell}: {}", verb.get_name());
            }
        }
    }

    #[test]
    fn every_flag_has_its_place_in_the_manual() {
        let folder = tempfile::tempdir().unwrap();
        write_manual(folder.path()).unwrap();
        let mut command = command();
        command.build();
        let page = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let lacks = |page: &str, command: &Command| {
            let longs = command.get_arguments().filter(|arg| !arg.is_hide_set());
            let longs = longs.filter_map(|arg| arg.get_long());
            let roff = longs.map(|long| format!("\\-\\-{}", long.replace('-', "\\-")));
            roff.filter(|long| !page.contains(long)).collect::<Vec<_>>()
        };
        assert_eq!(lacks(&page("node.1"), &command), [""; 0]);
        assert_eq!(lacks(&String::from_utf8(manual()).unwrap(), &command), [""; 0]);
        for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
            let page = page(&format!("node-{}.1", verb.get_name()));
            assert_eq!(lacks(&page, verb), [""; 0], "{}", verb.get_name());
        }
    }
}
