//! Whether a text mentions somebody: the name as words of its own, in any case.

use unicode_segmentation::UnicodeSegmentation;

/// Whether this name is in this text. `ana` is in "oi, Ana!" and not in "banana".
pub fn mentions(text: &str, name: &str) -> bool {
    let lower = |text: &str| -> Vec<String> { text.unicode_words().map(str::to_lowercase).collect() };
    let (text_words, name_words) = (lower(text), lower(name));
    if name_words.is_empty() {
        // A name without a word in it, of emoji perhaps, can only be looked for as it is.
        return !name.trim().is_empty() && text.contains(name.trim());
    }
    text_words
        .windows(name_words.len())
        .any(|window| window == name_words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_as_a_word_in_any_case() {
        for text in [
            "ana",
            "oi, ANA!",
            "ana: e aí?",
            "(Ana)",
            "e a ana, hein",
            "@ana vem",
        ] {
            assert!(mentions(text, "ana"), "{text}");
        }
        for text in ["banana", "anabela", "", "an a", "ana_maria"] {
            assert!(!mentions(text, "ana"), "{text}");
        }
        assert!(mentions("bom dia, JOSÉ MARIA.", "José Maria"));
        assert!(!mentions("josé e maria", "José Maria"));
        assert!(mentions("oi 🦀", "🦀") && !mentions("oi", "🦀"));
        assert!(!mentions("oi", " "));
    }
}
