//! The languages of the terminal, and whether it speaks in signs or in words only.
//!
//! What is said stands in one catalog for each language (`en.ftl`, `pt.ftl`, `es.ftl`), compiled in. They are
//! written in Fluent, because plurals differ: a translator says them in the catalog, and the code knows nothing of
//! them. What programs read (JSON, the log, exit reasons) stays English: it is searched for and compared.

use std::sync::LazyLock;

use clap::ValueEnum;
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

/// A language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// English
    #[default]
    En,
    /// Portuguese, as in Brazil
    Pt,
    /// Spanish
    Es,
}

/// How the terminal speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Voice {
    /// The language.
    pub lang: Lang,
    /// Whether signs are words, for who listens rather than looks.
    pub plain: bool,
}

type Catalog = FluentBundle<FluentResource>;

/// The catalogs, read once.
static CATALOGS: LazyLock<[Catalog; 3]> = LazyLock::new(|| Lang::ALL.map(catalog));

/// The variables that name a language, the first one that is set counts (POSIX: Environment Variables, 8.2).
const VARIABLES: [&str; 3] = ["LC_ALL", "LC_MESSAGES", "LANG"];

/// The attribute of a message that stands for it where signs are words.
const PLAIN: &str = "plain";

/// Sentences that the core says in English, with their values in the order of the English sentence.
const REASONS: [(&str, &[&str]); 22] = [
    ("reason-silent", &["who", "ms", "limit"]),
    ("reason-closed", &["who", "ms"]),
    ("reason-suspended", &[]),
    ("reason-gathers", &["who"]),
    ("reason-new", &["who"]),
    ("reason-left", &["who"]),
    ("reason-not-formed", &[]),
    ("reason-starts", &[]),
    ("reason-leaving", &[]),
    ("reason-many-lines", &["count"]),
    ("reason-no-room", &["why"]),
    ("reason-no-answer", &["who"]),
    ("reason-still-differ", &[]),
    ("reason-no-key", &[]),
    ("reason-interface-down", &["interface", "why"]),
    ("reason-interface-up", &["interface"]),
    ("reason-slow-output", &["count"]),
    ("reason-nobody-restarts", &[]),
    ("reason-alone", &[]),
    ("reason-no-checkpoint", &[]),
    ("reason-cut-from-itself", &[]),
    ("reason-went-wrong", &[]),
];

/// Says a sentence of the catalog: `say!(voice, "nick", name = value)`.
macro_rules! say {
    ($voice:expr, $key:expr $(, $name:ident = $value:expr)* $(,)?) => {
        $voice.say($key, &[$((stringify!($name), ($value).into())),*])
    };
}
pub(crate) use say;

impl Lang {
    /// All of them, in the order of the catalogs.
    pub const ALL: [Lang; 3] = [Lang::En, Lang::Pt, Lang::Es];

    /// The one asked for, else that of the environment, else English.
    pub fn choose(asked: Option<Lang>, variable: impl Fn(&str) -> Option<String>) -> Lang {
        let set = VARIABLES
            .iter()
            .filter_map(|name| variable(name))
            .find(|value| !value.is_empty());
        let named = set.map(|value| {
            let end = value.find(|char: char| !char.is_ascii_alphabetic());
            value[..end.unwrap_or(value.len())].to_lowercase()
        });
        asked.unwrap_or(match named.as_deref() {
            Some("pt") => Lang::Pt,
            Some("es") => Lang::Es,
            _english_or_none_of_ours => Lang::En,
        })
    }

    fn catalog(self) -> &'static Catalog {
        let at = Lang::ALL.iter().position(|lang| *lang == self);
        &CATALOGS[at.expect("every language is one of all")]
    }

    /// The text of its catalog.
    fn source(self) -> &'static str {
        match self {
            Lang::En => include_str!("en.ftl"),
            Lang::Pt => include_str!("pt.ftl"),
            Lang::Es => include_str!("es.ftl"),
        }
    }

    /// The language whose plurals it has.
    fn identifier(self) -> LanguageIdentifier {
        let name = match self {
            Lang::En => "en",
            Lang::Pt => "pt-BR",
            Lang::Es => "es",
        };
        name.parse().expect("the name of a language")
    }
}

/// Reads a catalog. It is part of the program, so what is wrong with it is a bug, and a test finds it.
fn catalog(lang: Lang) -> Catalog {
    let mut bundle = FluentBundle::new_concurrent(vec![lang.identifier()]);
    // What others wrote has been made safe already; marks of direction would be shown as symbols.
    bundle.set_use_isolating(false);
    let resource = FluentResource::try_new(lang.source().to_string()).unwrap_or_else(|(good, _)| good);
    bundle.add_resource_overriding(resource);
    bundle
}

impl Voice {
    /// A sentence of the catalog, with its values. A key that is not there is said itself, rather than nothing.
    pub fn say(self, key: &str, values: &[(&'static str, FluentValue<'_>)]) -> String {
        let plain = self.plain.then(|| self.find(key, Some(PLAIN), values)).flatten();
        plain
            .or_else(|| self.find(key, None, values))
            .unwrap_or_else(|| key.to_string())
    }

    /// What stands beside a sentence under another name, if anything does.
    pub fn beside(self, key: &str, attribute: &str) -> Option<String> {
        self.find(key, Some(attribute), &[])
    }

    fn find(
        self,
        key: &str,
        attribute: Option<&str>,
        values: &[(&'static str, FluentValue<'_>)],
    ) -> Option<String> {
        let catalog = self.lang.catalog();
        let message = catalog.get_message(key)?;
        let pattern = match attribute {
            Some(name) => message.get_attribute(name)?.value(),
            None => message.value()?,
        };
        let mut args = FluentArgs::with_capacity(values.len());
        for (name, value) in values {
            args.set(*name, value.clone());
        }
        // A value that is lacking shows as its name; a test holds the catalogs to the values there are.
        Some(
            catalog
                .format_pattern(pattern, Some(&args), &mut Vec::new())
                .into_owned(),
        )
    }

    /// A sentence of the core in this language; as it is where the catalog does not know it.
    pub fn reason(self, english: &str) -> String {
        if self.lang == Lang::En {
            return english.to_string();
        }
        for (key, names) in REASONS {
            if let Some(values) = values_in(english, key, names) {
                let values: Vec<_> = names
                    .iter()
                    .copied()
                    .zip(values.into_iter().map(Into::into))
                    .collect();
                return self.say(key, &values);
            }
        }
        english.to_string()
    }
}

/// The values of an English sentence of this key, in the order of their names; `None` if it is another sentence.
fn values_in<'a>(sentence: &'a str, key: &str, names: &[&'static str]) -> Option<Vec<&'a str>> {
    // Nothing that is said has this character in it.
    const MARK: &str = "\0";
    let marks: Vec<(&'static str, FluentValue<'_>)> = names.iter().map(|name| (*name, MARK.into())).collect();
    let pattern = Voice::default().say(key, &marks);
    let mut pieces = pattern.split(MARK);
    let mut rest = sentence.strip_prefix(pieces.next()?)?;
    let mut values = Vec::new();
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        // The last piece must be the end, and an empty last piece takes all.
        let at = if pieces.peek().is_none() {
            rest.ends_with(piece).then(|| rest.len() - piece.len())
        } else {
            rest.find(piece)
        };
        let at = at?;
        values.push(&rest[..at]);
        rest = &rest[at + piece.len()..];
    }
    rest.is_empty().then_some(values)
}

#[cfg(test)]
mod tests;
