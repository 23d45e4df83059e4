//! Sealed lines: a JSON object on one line that says its version first and its own sum last.
//!
//! Shape: `{"v":1,…,"sum":"9f3a61c2"}`; `sum` is the CRC-32 of all bytes before `,"sum":`, as eight hexadecimal
//! digits. Later versions keep this frame, so that a flipped bit is never taken for a newer version.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::replica::record::sum_digits;

/// How every sealed line begins.
const HEAD: &[u8] = b"{\"v\":";
/// What stands before the sum.
const BEFORE_SUM: &[u8] = b",\"sum\":\"";
/// Digits of a sum.
const SUM_DIGITS: usize = 8;
/// What stands after the sum.
const AFTER_SUM: &[u8] = b"\"}";

/// Why bytes are not a sealed line of the version asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealError {
    /// There are no bytes.
    Empty,
    /// It ends before its sum: the write was cut.
    Cut,
    /// Its bytes do not have the sum it says.
    WrongSum,
    /// It is whole, and of this version, which this program does not know.
    Future(u64),
    /// It is not what was looked for; why.
    Foreign(String),
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SealError::Empty => write!(f, "it is empty"),
            SealError::Cut => write!(f, "it is cut off"),
            SealError::WrongSum => write!(f, "its sum does not match"),
            SealError::Future(version) => {
                write!(
                    f,
                    "it has version {version}, which this program does not know; use a newer roda"
                )
            }
            SealError::Foreign(why) => write!(f, "{why}"),
        }
    }
}

impl std::error::Error for SealError {}

/// Seals an object whose first field is `v`; the line ends with a newline.
pub fn seal<T: Serialize>(object: &T) -> Vec<u8> {
    let mut line = serde_json::to_vec(object).expect("plain data always becomes JSON");
    assert_eq!(line.pop(), Some(b'}'), "only objects are sealed");
    seal_open(line)
}

/// Seals the text of an object that lacks its closing brace; the line ends with a newline.
pub fn seal_open(mut line: Vec<u8>) -> Vec<u8> {
    seal_behind(&mut line, 0);
    line
}

/// Seals such a text that begins there, behind other lines.
pub fn seal_behind(lines: &mut Vec<u8>, start: usize) {
    let line = &lines[start..];
    assert!(line.starts_with(HEAD), "a sealed line says its version first");
    let sum = crc32fast::hash(line);
    lines.extend_from_slice(BEFORE_SUM);
    lines.extend_from_slice(&sum_digits(sum));
    lines.extend_from_slice(AFTER_SUM);
    lines.push(b'\n');
}

/// Whether a line, with or without its newline, is sealed and its sum is right.
pub fn is_sealed(line: &[u8]) -> bool {
    body_of(line.strip_suffix(b"\n").unwrap_or(line)).is_ok()
}

/// Reads a sealed line, with or without its newline: its sum first, then its version, then its fields.
pub fn unseal<'a, T: Deserialize<'a>>(line: &'a [u8], version: u64) -> Result<T, SealError> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let body = body_of(line)?;
    let found = version_of(body).ok_or_else(|| SealError::Foreign("it names no version".into()))?;
    if found != version {
        return Err(SealError::Future(found));
    }
    serde_json::from_slice(line).map_err(|error| SealError::Foreign(error.to_string()))
}

/// The bytes that the sum covers, once the sum is right.
fn body_of(line: &[u8]) -> Result<&[u8], SealError> {
    if line.is_empty() {
        return Err(SealError::Empty);
    }
    let begins = line.len().min(HEAD.len());
    if line[..begins] != HEAD[..begins] {
        return Err(SealError::Foreign("it does not begin with {\"v\":".into()));
    }
    let (body, sum) = line
        .strip_suffix(AFTER_SUM)
        .and_then(|rest| rest.split_at_checked(rest.len().checked_sub(SUM_DIGITS)?))
        .and_then(|(rest, sum)| Some((rest.strip_suffix(BEFORE_SUM)?, sum)))
        .ok_or(SealError::Cut)?;
    if sum_digits(crc32fast::hash(body)) != sum {
        return Err(SealError::WrongSum);
    }
    Ok(body)
}

/// The number after `{"v":`.
fn version_of(body: &[u8]) -> Option<u64> {
    let digits = body.strip_prefix(HEAD)?;
    let end = digits
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(digits.len());
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Example {
        v: u64,
        word: String,
    }

    fn example(v: u64) -> Example {
        Example {
            v,
            word: "oi, \"sum\"".into(),
        }
    }

    #[test]
    fn what_is_sealed_comes_back() {
        let line = seal(&example(1));
        assert!(line.ends_with(b"\"}\n"));
        assert_eq!(unseal::<Example>(&line, 1), Ok(example(1)));
    }

    #[test]
    fn a_line_cut_anywhere_is_empty_or_cut() {
        let line = seal(&example(1));
        for end in 0..line.len() - 1 {
            let expected = if end == 0 {
                SealError::Empty
            } else {
                SealError::Cut
            };
            assert_eq!(unseal::<Example>(&line[..end], 1), Err(expected), "cut at {end}");
        }
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let line = seal(&example(1));
        for bit in 0..(line.len() - 1) * 8 {
            let mut flipped = line.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let found = unseal::<Example>(&flipped, 1);
            assert!(
                matches!(
                    found,
                    Err(SealError::WrongSum | SealError::Cut | SealError::Foreign(_))
                ),
                "bit {bit}: {found:?}"
            );
        }
    }

    #[test]
    fn a_whole_line_of_another_version_is_from_the_future() {
        assert_eq!(
            unseal::<Example>(&seal(&example(7)), 1),
            Err(SealError::Future(7))
        );
    }

    #[test]
    fn other_text_and_other_fields_are_foreign() {
        assert!(matches!(
            unseal::<Example>(b"hello", 1),
            Err(SealError::Foreign(_))
        ));
        let other = seal_open(b"{\"v\":1,\"other\":2".to_vec());
        assert!(matches!(unseal::<Example>(&other, 1), Err(SealError::Foreign(_))));
    }

    #[test]
    fn what_is_wrong_is_told_in_words() {
        let told = [
            (SealError::Empty, "it is empty"),
            (SealError::Cut, "it is cut off"),
            (SealError::WrongSum, "its sum does not match"),
            (
                SealError::Future(7),
                "it has version 7, which this program does not know; use a newer roda",
            ),
            (
                SealError::Foreign("its ring is \"x\"".into()),
                "its ring is \"x\"",
            ),
        ];
        for (error, words) in told {
            assert_eq!(error.to_string(), words);
        }
    }
}
