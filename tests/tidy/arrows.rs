//! Imports point one way: bugs, words → wire → ring → replica → checkpoint, reconcile → node → disk, order → host, sim → bin.

use crate::source::{Source, without_comment};

/// The modules and their ranks: a module may use those of a lower rank, and itself.
const RANKS: [(&str, u8); 12] = [
    ("bugs", 0),
    ("words", 0),
    ("wire", 1),
    ("ring", 2),
    ("replica", 3),
    ("checkpoint", 4),
    ("reconcile", 4),
    ("node", 5),
    ("disk", 6),
    ("order", 6),
    // Neither may know the other: the simulator has no machine under it, and a machine no simulator.
    ("host", 7),
    ("sim", 7),
];

fn rank(module: &str) -> Option<u8> {
    RANKS
        .iter()
        .find(|(name, _)| *name == module)
        .map(|(_, rank)| *rank)
}

/// The modules that a line names behind `crate::`.
fn named(line: &str) -> Vec<&str> {
    let mut modules = Vec::new();
    for rest in line.split("crate::").skip(1) {
        let list = rest.strip_prefix('{').unwrap_or(rest);
        let several = list.len() < rest.len();
        for part in list.split(',') {
            let part = part.trim();
            let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            modules.push(&part[..end.unwrap_or(part.len())]);
            if !several {
                break;
            }
        }
    }
    modules
}

/// Every use of a module that is not below the file's own.
pub fn check(source: &Source) -> Vec<String> {
    let Some(own) = source.module().filter(|_| source.is_rust() && !source.is_test) else {
        return Vec::new();
    };
    let Some(own_rank) = rank(own) else {
        let known = ["lib", "bin"].contains(&own);
        let unknown =
            format!("the module {own} has no place in the order; give it one in tests/tidy/arrows.rs");
        return if known { Vec::new() } else { vec![unknown] };
    };
    let mut complaints = Vec::new();
    for (index, line) in source.code_lines().into_iter().enumerate() {
        for other in named(without_comment(line)) {
            if other != own && rank(other).is_some_and(|other| other >= own_rank) {
                let line = index + 1;
                complaints.push(format!(
                    "line {line}: {own} uses {other}, but imports point the other way"
                ));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> usize {
        check(&Source::new(path, text)).len()
    }

    #[test]
    fn a_module_uses_only_those_below_it() {
        assert_eq!(complaints("src/ring/mod.rs", "use crate::wire::Body;\n"), 0);
        assert_eq!(complaints("src/ring/mod.rs", "use crate::ring::Ring;\n"), 0);
        assert_eq!(complaints("src/ring/mod.rs", "use crate::replica::Record;\n"), 1);
        assert_eq!(
            complaints("src/wire/mod.rs", "let x = crate::node::Node::new();\n"),
            1
        );
        assert_eq!(complaints("src/words.rs", "use crate::{wire::Body, ring};\n"), 2);
        assert_eq!(complaints("src/host/mod.rs", "use crate::sim::World;\n"), 1);
        assert_eq!(complaints("src/sim/mod.rs", "use crate::host::clock;\n"), 1);
        assert_eq!(
            complaints("src/checkpoint/mod.rs", "use crate::reconcile::merge;\n"),
            1
        );
    }

    #[test]
    fn comments_and_tests_may_name_anything() {
        assert_eq!(
            complaints("src/ring/mod.rs", "/// See [`crate::host::driver`].\n"),
            0
        );
        let test = "#[cfg(test)]\nmod tests {\n    use crate::host::clock;\n}\n";
        assert_eq!(complaints("src/ring/mod.rs", test), 0);
    }

    #[test]
    fn a_new_module_must_be_given_its_place() {
        assert_eq!(complaints("src/page/mod.rs", ""), 1);
        assert_eq!(complaints("src/bin/node.rs", "use roda::host;\n"), 0);
    }
}
