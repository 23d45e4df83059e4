//! Messages that do more than say something: their text begins as the command does that made them.
//!
//! `/me waves`, `/topic coffee`, `/away lunch` and `/away` travel and are kept as messages like all others, so that they are
//! ordered and reconciled like them: the topic of a room is the last one in canonical order. A reader that does not know
//! one of them shows its text, which says what was meant.

/// How a text begins that says what one does.
const ACTION: &str = "/me ";
/// How a text begins that gives its room a topic.
const TOPIC: &str = "/topic ";
/// How a text begins that says why one is away; alone, that one is back.
const AWAY: &str = "/away";

/// What a text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked<'a> {
    /// It is said.
    Plain(&'a str),
    /// Its sender does this.
    Action(&'a str),
    /// Its room has this topic from now on.
    Topic(&'a str),
    /// Its sender is away, for this reason.
    Away(&'a str),
    /// Its sender is back.
    Back,
}

impl Marked<'_> {
    /// Reads a text.
    pub fn read(text: &str) -> Marked<'_> {
        if let Some(action) = text.strip_prefix(ACTION) {
            Marked::Action(action)
        } else if let Some(topic) = text.strip_prefix(TOPIC) {
            Marked::Topic(topic)
        } else if let Some(reason) = text.strip_prefix(AWAY).filter(|rest| rest.starts_with(' ')) {
            Marked::Away(&reason[1..])
        } else if text == AWAY {
            Marked::Back
        } else {
            Marked::Plain(text)
        }
    }

    /// The text that is said for it.
    pub fn text(self) -> String {
        match self {
            Marked::Plain(text) => text.to_string(),
            Marked::Action(action) => format!("{ACTION}{action}"),
            Marked::Topic(topic) => format!("{TOPIC}{topic}"),
            Marked::Away(reason) => format!("{AWAY} {reason}"),
            Marked::Back => AWAY.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_comes_back_from_its_text() {
        let all = [
            Marked::Plain("oi /me"),
            Marked::Action("waves"),
            Marked::Topic("coffee  at four"),
            Marked::Away("lunch"),
            Marked::Back,
        ];
        for meant in all {
            assert_eq!(Marked::read(&meant.text()), meant);
        }
        assert_eq!(Marked::read("/awayward"), Marked::Plain("/awayward"));
        assert_eq!(Marked::read("/topic"), Marked::Plain("/topic"));
    }
}
