//! The catalogs against each other, and against the code.
#![allow(clippy::disallowed_methods, clippy::wildcard_enum_match_arm)] // Reads the catalogs, and what of them is in use.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};

use super::*;

fn voice(lang: Lang) -> Voice {
    Voice { lang, plain: false }
}

/// The values that a text asks for.
fn placeholders(pattern: &Pattern<&str>, into: &mut BTreeSet<String>) {
    for element in &pattern.elements {
        if let PatternElement::Placeable { expression } = element {
            in_expression(expression, into);
        }
    }
}

fn in_expression(expression: &Expression<&str>, into: &mut BTreeSet<String>) {
    match expression {
        Expression::Inline(inline) => in_inline(inline, into),
        Expression::Select { selector, variants } => {
            in_inline(selector, into);
            variants
                .iter()
                .for_each(|variant| placeholders(&variant.value, into));
        }
    }
}

fn in_inline(inline: &InlineExpression<&str>, into: &mut BTreeSet<String>) {
    match inline {
        InlineExpression::VariableReference { id } => {
            into.insert(id.name.to_string());
        }
        InlineExpression::Placeable { expression } => in_expression(expression, into),
        InlineExpression::StringLiteral { .. } | InlineExpression::NumberLiteral { .. } => {}
        other => panic!("the catalogs do without {other:?}"),
    }
}

/// The texts of a catalog, `key` and `key.attribute`, each with the values it asks for.
fn texts(lang: Lang) -> BTreeMap<String, BTreeSet<String>> {
    let resource = FluentResource::try_new(lang.source().to_string()).expect("the catalog can be read");
    let mut texts = BTreeMap::new();
    let mut add = |key: String, pattern: &Pattern<&str>| {
        let mut names = BTreeSet::new();
        placeholders(pattern, &mut names);
        assert!(
            texts.insert(key.clone(), names).is_none(),
            "{key} stands twice in {lang:?}"
        );
    };
    for entry in resource.entries() {
        let Entry::Message(message) = entry else { continue };
        let key = message.id.name.to_string();
        if let Some(value) = &message.value {
            add(key.clone(), value);
        }
        for attribute in &message.attributes {
            add(format!("{key}.{}", attribute.id.name), &attribute.value);
        }
    }
    texts
}

/// All code of the host that says something.
fn code(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            code(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("lang/tests.rs") {
            into.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn the_catalogs_have_the_same_keys_and_values() {
    let english = texts(Lang::En);
    assert!(english.len() > 150, "{}", english.len());
    for lang in [Lang::Pt, Lang::Es] {
        assert_eq!(texts(lang), english, "{lang:?}");
    }
}

#[test]
fn every_key_is_used_and_every_key_that_is_used_is_there() {
    let mut all = String::new();
    code(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/host"), &mut all);
    let english = texts(Lang::En);
    for key in english.keys().filter(|key| !key.contains('.')) {
        let by_name = key
            .strip_prefix("command-")
            .is_some_and(|name| super::super::command::find(name).is_some());
        assert!(
            by_name || all.contains(&format!("\"{key}\"")),
            "nobody says {key}"
        );
    }
    for said in all.split("say!(").skip(1) {
        let arguments = &said[..said.find(';').unwrap_or(said.len())];
        let Some(key) = arguments.split('"').nth(1) else {
            continue;
        };
        let is_key = key.chars().all(|char| char.is_ascii_lowercase() || char == '-');
        assert!(
            !is_key || key.is_empty() || english.contains_key(key),
            "{key} is in no catalog"
        );
    }
    for entry in &super::super::command::COMMANDS {
        assert!(
            english.contains_key(&format!("command-{}", entry.name)),
            "{}",
            entry.name
        );
    }
}

#[test]
fn every_text_can_be_said_with_its_values() {
    for lang in Lang::ALL {
        for (text, names) in texts(lang) {
            let (key, attribute) = text
                .split_once('.')
                .map_or((text.as_str(), None), |(k, a)| (k, Some(a)));
            let names: Vec<&'static str> = names.into_iter().map(|name| &*name.leak()).collect();
            for number in [0, 1, 2, 1_000_000] {
                let values: Vec<_> = names.iter().map(|name| (*name, number.into())).collect();
                let said = voice(lang).find(key, attribute, &values).expect("it is there");
                assert!(
                    !said.contains('{') && !said.contains("  : "),
                    "{lang:?} {text}: {said}"
                );
            }
        }
    }
}

#[test]
fn plurals_follow_the_language() {
    let said = |lang, count: u64| say!(voice(lang), "late-many", count = count);
    assert_eq!(
        said(Lang::En, 1),
        "1 earlier message came late; /history shows them"
    );
    assert_eq!(
        said(Lang::En, 0),
        "0 earlier messages came late; /history shows them"
    );
    assert_eq!(
        said(Lang::Pt, 2),
        "2 mensagens anteriores chegaram tarde; /historico mostra"
    );
    assert!(said(Lang::Pt, 0).starts_with("0 mensagem anterior chegou"));
    assert!(said(Lang::Es, 1).starts_with("1 mensaje anterior llegó"));
    assert!(said(Lang::Es, 1_234_567).starts_with("1234567 mensajes"));
}

#[test]
fn the_language_is_the_one_asked_for_else_that_of_the_environment() {
    let choose = |asked, set: &[(&str, &str)]| {
        Lang::choose(asked, |name| {
            let found = set.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| value.to_string())
        })
    };
    assert_eq!(choose(None, &[]), Lang::En);
    assert_eq!(choose(None, &[("LANG", "pt_BR.UTF-8")]), Lang::Pt);
    assert_eq!(choose(None, &[("LANG", "es")]), Lang::Es);
    assert_eq!(choose(None, &[("LC_ALL", "C"), ("LANG", "es_AR")]), Lang::En);
    assert_eq!(
        choose(None, &[("LC_ALL", ""), ("LC_MESSAGES", "es-MX"), ("LANG", "pt")]),
        Lang::Es
    );
    assert_eq!(choose(None, &[("LANG", "de_DE")]), Lang::En);
    assert_eq!(choose(Some(Lang::Es), &[("LANG", "pt_BR")]), Lang::Es);
}

#[test]
fn signs_become_words_where_they_are_listened_to() {
    let plain = Voice {
        lang: Lang::En,
        plain: true,
    };
    assert_eq!(say!(plain, "alarm", text = "x"), "warning: x");
    assert_eq!(say!(plain, "nobody"), "nobody", "what has no signs is the same");
    // No sign is left in any text that is listened to.
    for lang in Lang::ALL {
        for (text, _) in texts(lang) {
            let has_plain = texts(lang).contains_key(&format!("{text}.plain"));
            if has_plain || text.contains(".arguments") {
                continue;
            }
            let (key, attribute) = text
                .split_once('.')
                .map_or((text.as_str(), None), |(k, a)| (k, Some(a)));
            let said = voice(lang).find(key, attribute, &[]).unwrap();
            let sign = said.find(['·', '✓', '—', '│', '←']).or(said.find("<-"));
            assert_eq!(sign, None, "{lang:?} {text}: {said}");
        }
    }
}

#[test]
fn what_the_core_says_in_english_is_known_and_said_in_the_language() {
    let pt = voice(Lang::Pt);
    assert_eq!(
        pt.reason("no word from 2 for 310 ms, limit 300"),
        "nenhum sinal de 2 há 310 ms, limite 300"
    );
    assert_eq!(pt.reason("3 gathers"), "3 está reunindo o anel");
    assert_eq!(
        pt.reason("the port of 2, 3 is closed, and no answer for 25 ms"),
        "a porta de 2, 3 está fechada, e nenhuma resposta há 25 ms"
    );
    assert_eq!(pt.reason("this node starts"), "este nó está começando");
    assert_eq!(pt.reason("something else"), "something else");
    assert_eq!(voice(Lang::En).reason("3 gathers"), "3 gathers");
    for (key, names) in REASONS {
        let known = &texts(Lang::En)[key];
        assert_eq!(
            known.iter().map(String::as_str).collect::<BTreeSet<_>>(),
            names.iter().copied().collect()
        );
    }
}
