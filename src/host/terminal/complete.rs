//! What Tab offers: commands, rooms where a command takes one, and the names of people.

use super::command::{COMMANDS, Entry, find};

/// The words that are known beside the commands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Rooms seen.
    pub rooms: Vec<String>,
    /// Names seen.
    pub people: Vec<String>,
}

/// Where the word begins that is being typed, and what it can become. `at` is the cursor, in bytes.
pub fn complete(line: &str, at: usize, words: &Words) -> (usize, Vec<String>) {
    let typed = &line[..at];
    let start = typed.rfind(char::is_whitespace).map_or(0, |space| {
        let width = typed[space..].chars().next().map_or(1, char::len_utf8);
        space + width
    });
    let word = &typed[start..];
    let offers = if start == 0 && word.starts_with('/') {
        commands(&word[1..])
    } else if let Some(offers) = arguments(&typed[..start], word, words) {
        offers
    } else if word.is_empty() {
        Vec::new()
    } else {
        let end = if start == 0 { ": " } else { " " };
        matching(&words.people, word, end)
    };
    (start, offers)
}

/// Commands that begin like this; aliases once something is typed.
fn commands(typed: &str) -> Vec<String> {
    let typed = typed.to_lowercase();
    let names: Vec<&str> = if typed.is_empty() {
        COMMANDS.iter().map(|entry| entry.name).collect()
    } else {
        COMMANDS.iter().flat_map(Entry::names).collect()
    };
    let fitting = names.into_iter().filter(|name| name.starts_with(&typed));
    fitting.map(|name| format!("/{name} ")).collect()
}

/// What the first argument of a command can be; `None` if the word is not one, or can be anything.
fn arguments(before: &str, word: &str, words: &Words) -> Option<Vec<String>> {
    let mut given = before.split_whitespace();
    let command = find(given.next()?.strip_prefix('/')?)?;
    // How many messages of history comes before whose.
    let counted = command.name == "history"
        && given
            .clone()
            .next()
            .is_some_and(|word| word.parse::<u64>().is_ok());
    if given.nth(usize::from(counted)).is_some() {
        return None;
    }
    match command.name {
        "join" | "part" | "msg" | "history" => Some(matching(&words.rooms, word, " ")),
        "whois" => Some(matching(&words.people, word, " ")),
        "help" => Some(commands(word.trim_start_matches('/'))),
        _ => None,
    }
}

/// The words that begin like this, in any case, each once, with what goes round them.
fn matching(known: &[String], typed: &str, after: &str) -> Vec<String> {
    let typed = typed.to_lowercase();
    let mut fitting: Vec<String> = known
        .iter()
        .filter(|word| word.to_lowercase().starts_with(&typed))
        .map(|word| format!("{word}{after}"))
        .collect();
    fitting.sort_unstable();
    fitting.dedup();
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offers(line: &str) -> (usize, Vec<String>) {
        let words = Words {
            rooms: vec!["geral".into(), "sala".into()],
            people: vec!["Ana".into(), "anabela".into(), "bob".into(), "Ana".into()],
        };
        complete(line, line.len(), &words)
    }

    #[test]
    fn commands_are_completed_in_every_language() {
        assert_eq!(
            offers("/his").1,
            ["/history ", "/hist ", "/historico ", "/histórico ", "/historial "]
        );
        assert_eq!(offers("/aju").1, ["/ajuda "]);
        assert_eq!(offers("/").1.len(), COMMANDS.len());
        assert_eq!(
            offers("/help /rec"),
            (6, vec!["/reconcile ".into(), "/reconciliar ".into()])
        );
        assert!(offers("a /his").1.is_empty());
    }

    #[test]
    fn rooms_and_names_are_completed_where_they_belong() {
        assert_eq!(offers("/join g"), (6, vec!["geral ".into()]));
        assert_eq!(offers("/entrar ").1, ["geral ", "sala "]);
        assert_eq!(offers("/history s").1, ["sala "]);
        assert_eq!(offers("/history 20 g").1, ["geral "]);
        assert_eq!(offers("/msg sala an").1, ["Ana ", "anabela "]);
        assert_eq!(offers("/whois B").1, ["bob "]);
        assert_eq!(offers("an"), (0, vec!["Ana: ".into(), "anabela: ".into()]));
        assert_eq!(offers("olá b"), (5, vec!["bob ".into()]));
        assert!(offers("olá ").1.is_empty());
        assert!(offers("/trace a").1.len() == 2);
    }

    #[test]
    fn only_what_stands_before_the_cursor_counts() {
        let words = Words {
            people: vec!["bob".into()],
            ..Words::default()
        };
        assert_eq!(complete("b olá", 1, &words), (0, vec!["bob: ".into()]));
        assert_eq!(complete("ção\u{3000}b", "ção\u{3000}b".len(), &words).1, ["bob "]);
    }
}
