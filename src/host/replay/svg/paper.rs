//! What a picture is written with: elements, escaped text, and labels that keep clear of each other.

use std::fmt::Write as _;

use crate::host::terminal::visible;

/// How wide a letter is, in parts of its height: the mean of the fonts that `system-ui` stands for.
const LETTER: f64 = 0.56;

/// A picture in the making.
#[derive(Debug, Default)]
pub struct Paper {
    text: String,
    taken: Vec<[f64; 4]>,
}

/// Text as XML: what has a meaning there is escaped, and what must not be there at all is made visible.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in visible::line(text).chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Allowed in strings, and in no XML.
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(char),
        }
    }
    escaped
}

/// How wide a text is, about.
pub fn width(text: &str, size: f64) -> f64 {
    visible::width(text) as f64 * size * LETTER
}

impl Paper {
    /// What was written.
    pub fn into_text(self) -> String {
        self.text
    }

    /// Writes what is XML already.
    pub fn raw(&mut self, xml: &str) {
        self.text.push_str(xml);
        self.text.push('\n');
    }

    /// A straight line.
    pub fn line(&mut self, class: &str, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) {
        self.titled(
            &format!("<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\""),
            "line",
            "",
        );
    }

    /// The same, as an arrow with a tooltip; `head` names the marker.
    pub fn arrow(&mut self, class: &str, head: &str, [from, to]: [[f64; 2]; 2], title: &str) {
        let ([x1, y1], [x2, y2]) = (from, to);
        self.titled(
            &format!(
                "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" \
                 marker-end=\"url(#{head})\""
            ),
            "line",
            title,
        );
    }

    /// A rectangle with round corners.
    pub fn band(&mut self, class: &str, [x, y, wide, high]: [f64; 4], round: f64, title: &str) {
        self.titled(
            &format!(
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{high:.1}\" rx=\"{round}\"",
                wide.max(0.0)
            ),
            "rect",
            title,
        );
    }

    /// A path at a place.
    pub fn path(&mut self, class: &str, [x, y]: [f64; 2], path: &str, title: &str) {
        self.titled(
            &format!("<path class=\"{class}\" transform=\"translate({x:.1} {y:.1})\" d=\"{path}\""),
            "path",
            title,
        );
    }

    /// A circle.
    pub fn dot(&mut self, class: &str, [x, y]: [f64; 2], radius: f64, title: &str) {
        self.titled(
            &format!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\""),
            "circle",
            title,
        );
    }

    fn titled(&mut self, begin: &str, name: &str, title: &str) {
        let written = if title.is_empty() {
            writeln!(self.text, "{begin}/>")
        } else {
            let title = escape(title);
            writeln!(self.text, "{begin}><title>{title}</title></{name}>")
        };
        written.expect("writing to a string succeeds");
    }

    /// A text, wherever others are.
    pub fn words(&mut self, class: &str, [x, y]: [f64; 2], text: &str) {
        let text = escape(text);
        writeln!(
            self.text,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"
        )
        .expect("writing to a string succeeds");
    }

    /// A label, if there is room for it. Whether there was.
    pub fn label(&mut self, class: &str, size: f64, at: [f64; 2], text: &str) -> bool {
        let wide = width(text, size);
        let taken = self.take([at[0] - 1.0, at[1] - size, wide + 3.0, size + 2.0]);
        if taken {
            self.words(class, at, text);
        }
        taken
    }

    /// Keeps a place free of labels. Whether it was free.
    pub fn take(&mut self, place: [f64; 4]) -> bool {
        let [x, y, wide, high] = place;
        let meets = |[ox, oy, owide, ohigh]: &[f64; 4]| {
            x < ox + owide && *ox < x + wide && y < oy + ohigh && *oy < y + high
        };
        if self.taken.iter().any(meets) {
            return false;
        }
        self.taken.push(place);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_becomes_markup() {
        let text = escape("<script>&\"'\u{1b}\u{0}\u{202e}\u{ffff}");
        assert_eq!(text, "&lt;script&gt;&amp;&quot;&#39;␛␀⟨U+202E⟩⟨U+FFFF⟩");
    }

    #[test]
    fn labels_keep_clear_of_each_other() {
        let mut paper = Paper::default();
        assert!(paper.label("a", 10.0, [0.0, 10.0], "first"));
        assert!(!paper.label("a", 10.0, [5.0, 12.0], "second"));
        assert!(paper.label("a", 10.0, [0.0, 40.0], "third"));
        let text = paper.into_text();
        assert!(text.contains("first") && !text.contains("second") && text.contains("third"));
    }
}
