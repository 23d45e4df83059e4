//! Lines from a pipe: read as bytes, one line one message, with a bound on what is under way.
//!
//! Control characters, escape sequences and carriage returns are data and pass through, an empty line is an
//! empty message, and the last line needs no end. What cannot be a message unchanged (over 64 KiB, or not UTF-8)
//! is refused with its number and the rest goes on: a program's words are never altered.

use std::io::{self, BufRead, Read};

use crate::replica::content::TEXT_BYTES_MAX;

/// A line of the input, by its number from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PipedLine {
    /// To be said.
    Say {
        /// Its number.
        number: u64,
        /// Its text.
        text: String,
    },
    /// Not to be said.
    Refused {
        /// Its number.
        number: u64,
        /// Why, and what to do.
        reason: String,
    },
}

/// Reads lines with bounded memory, however long they are.
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// Lines from `input`, from its first byte.
    pub fn new(input: R) -> Lines<R> {
        Lines { input, number: 0 }
    }

    /// The next line; `None` at the end.
    fn read(&mut self) -> io::Result<Option<PipedLine>> {
        let mut bytes = Vec::new();
        let bound = TEXT_BYTES_MAX as u64 + 1;
        if self.input.by_ref().take(bound).read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        let ended = bytes.last() == Some(&b'\n');
        if ended {
            bytes.pop();
        } else if bytes.len() > TEXT_BYTES_MAX {
            let length = bytes.len() as u64 + self.skip_line()?;
            return Ok(Some(self.refused(too_long(length))));
        }
        Ok(Some(match String::from_utf8(bytes) {
            Ok(text) => PipedLine::Say {
                number: self.number,
                text,
            },
            Err(error) => self.refused(not_utf8(error.utf8_error().valid_up_to())),
        }))
    }

    /// Reads past the end of the line and counts its bytes, the end itself not among them.
    fn skip_line(&mut self) -> io::Result<u64> {
        let mut skipped = 0;
        loop {
            let buffer = match self.input.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let (of_line, used) = end.map_or((buffer.len(), buffer.len()), |at| (at, at + 1));
            self.input.consume(used);
            skipped += of_line as u64;
            if end.is_some() || used == 0 {
                return Ok(skipped);
            }
        }
    }

    fn refused(&self, reason: String) -> PipedLine {
        PipedLine::Refused {
            number: self.number,
            reason,
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<PipedLine>;

    fn next(&mut self) -> Option<io::Result<PipedLine>> {
        self.read().transpose()
    }
}

fn too_long(bytes: u64) -> String {
    format!("it has {bytes} bytes, more than the {TEXT_BYTES_MAX} of one message; send it in parts")
}

fn not_utf8(valid: usize) -> String {
    format!("it is not UTF-8 from byte {} on; convert it first", valid + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<PipedLine> {
        // A tiny buffer, so that every line crosses its end.
        let reader = io::BufReader::with_capacity(7, input);
        Lines::new(reader).map(Result::unwrap).collect()
    }

    fn say(number: u64, text: &str) -> PipedLine {
        PipedLine::Say {
            number,
            text: text.into(),
        }
    }

    #[test]
    fn one_line_is_one_message() {
        assert_eq!(lines(b"a\nb\nc\n"), [say(1, "a"), say(2, "b"), say(3, "c")]);
        assert_eq!(lines(b"a\n\nlast"), [say(1, "a"), say(2, ""), say(3, "last")]);
        assert_eq!(lines(b""), []);
        assert_eq!(lines(b"/quit\n"), [say(1, "/quit")]);
    }

    #[test]
    fn control_characters_are_data() {
        assert_eq!(lines(b"a\0\x1b[2J\r\nb"), [say(1, "a\0\u{1b}[2J\r"), say(2, "b")]);
    }

    #[test]
    fn a_line_that_is_too_long_is_refused_and_the_rest_goes_on() {
        let fits = "x".repeat(TEXT_BYTES_MAX);
        for length in [1, 2, 100_000] {
            let input = format!("{fits}\n{fits}{}\nlast", "y".repeat(length));
            let read = lines(input.as_bytes());
            let bytes = TEXT_BYTES_MAX + length;
            assert_eq!(read.len(), 3, "{length}");
            assert_eq!(read[0], say(1, &fits));
            let PipedLine::Refused { number: 2, reason } = &read[1] else {
                panic!("{length}: must be refused");
            };
            assert!(reason.contains(&format!("{bytes} bytes")), "{reason}");
            assert_eq!(read[2], say(3, "last"));
        }
    }

    #[test]
    fn the_longest_line_is_said_with_and_without_an_end() {
        let fits = "x".repeat(TEXT_BYTES_MAX);
        assert_eq!(lines(fits.as_bytes()), [say(1, &fits)]);
        let unended = format!("{fits}y");
        assert!(matches!(
            lines(unended.as_bytes())[..],
            [PipedLine::Refused { number: 1, .. }]
        ));
    }

    #[test]
    fn what_is_not_utf8_is_refused_and_never_altered() {
        let read = lines(b"ok\nbad\xff\xfe\nok");
        let reason = "it is not UTF-8 from byte 4 on; convert it first".to_string();
        let refused = PipedLine::Refused { number: 2, reason };
        assert_eq!(read, [say(1, "ok"), refused, say(3, "ok")]);
    }
}
