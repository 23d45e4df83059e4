//! Colours, or none: the few ways in which a line can look.

/// Whether and how text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    on: bool,
}

/// The colours of names, by node id: readable on dark and on light ground.
const NAME_COLOURS: [u8; 6] = [36, 33, 35, 32, 34, 31];

impl Style {
    /// No colours at all.
    pub const PLAIN: Style = Style { on: false };
    /// Colours.
    pub const COLOURED: Style = Style { on: true };

    /// Colours only on a terminal, unless `NO_COLOR` is set to something (<https://no-color.org>), `CLICOLOR` is 0
    /// (<https://bixense.com/clicolors>), or the terminal calls itself dumb. Nothing forces them: what goes to a pipe is
    /// for programs.
    pub fn choose(is_terminal: bool, variable: impl Fn(&str) -> Option<String>) -> Style {
        let refused = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
        let unwanted = variable("CLICOLOR").is_some_and(|value| value == "0");
        let dumb = variable("TERM").is_some_and(|value| value == "dumb");
        Style {
            on: is_terminal && !refused && !unwanted && !dumb,
        }
    }

    /// For what is there but should not draw the eye.
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// For what must be seen.
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// For what is wrong.
    pub fn alarm(self, text: &str) -> String {
        self.wrap("33", text)
    }

    /// For what calls the user.
    pub fn call(self, text: &str) -> String {
        self.wrap("1;33", text)
    }

    /// For the name of a node: the same colour for the same id.
    pub fn name(self, id: u16, text: &str) -> String {
        let colour = NAME_COLOURS[usize::from(id) % NAME_COLOURS.len()];
        self.wrap(&colour.to_string(), text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.on && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_need_a_terminal_and_consent() {
        let choose = |is_terminal, set: &[(&str, &str)]| {
            Style::choose(is_terminal, |name| {
                let found = set.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| value.to_string())
            })
        };
        assert_eq!(choose(true, &[("TERM", "xterm")]), Style::COLOURED);
        assert_eq!(
            choose(true, &[("NO_COLOR", ""), ("CLICOLOR", "1")]),
            Style::COLOURED
        );
        assert_eq!(
            choose(true, &[("NO_COLOR", "1"), ("TERM", "xterm")]),
            Style::PLAIN
        );
        assert_eq!(choose(true, &[("CLICOLOR", "0")]), Style::PLAIN);
        assert_eq!(choose(true, &[("TERM", "dumb")]), Style::PLAIN);
        assert_eq!(choose(false, &[("TERM", "xterm")]), Style::PLAIN);
        assert_eq!(choose(false, &[("CLICOLOR_FORCE", "1")]), Style::PLAIN);
    }

    #[test]
    fn plain_is_the_text_itself() {
        assert_eq!(Style::PLAIN.dim("x"), "x");
        assert_eq!(Style::COLOURED.dim("x"), "\u{1b}[2mx\u{1b}[0m");
        assert_eq!(Style::COLOURED.dim(""), "");
    }
}
