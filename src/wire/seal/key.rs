//! The group key: 256 random bits that all members have, and what is derived from it.
//!
//! Its file is text: a line `roda-key-1` and 64 hexadecimal digits for each key, at most eight; empty lines and
//! lines that begin with `#` say nothing. The first key is used for sending, all are accepted.

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Cipher;

/// The length of a group key.
pub const KEY_BYTES: usize = 32;
/// How many keys can be accepted at a time: one is enough, two while keys are being changed.
pub const KEYS_MAX: usize = 8;
/// What a line of a key file begins with.
const PREFIX: &str = "roda-key-1";

/// The name of a group key: tells keys apart, and nothing about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyName(pub u32);

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// A group key. Cleared from memory when it is dropped, and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupKey {
    secret: Zeroizing<[u8; KEY_BYTES]>,
    name: KeyName,
}

impl fmt::Debug for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupKey({})", self.name)
    }
}

impl GroupKey {
    /// The key of these bytes, which must be random.
    pub fn new(secret: Zeroizing<[u8; KEY_BYTES]>) -> GroupKey {
        let mut name = [0; 4];
        expand(&secret[..], &[], b"roda 1 key name", &mut name);
        GroupKey {
            secret,
            name: KeyName(u32::from_le_bytes(name)),
        }
    }

    /// Its name.
    pub fn name(&self) -> KeyName {
        self.name
    }

    /// The line of a key file, with the end of the line.
    pub fn to_line(&self) -> Zeroizing<String> {
        // Made at its full length: a string that grows leaves copies of itself behind.
        let mut line = Zeroizing::new(String::with_capacity(PREFIX.len() + 2 + 2 * KEY_BYTES));
        line.push_str(PREFIX);
        line.push(' ');
        for byte in self.secret.iter() {
            for digit in [byte >> 4, byte & 15] {
                line.push(char::from_digit(digit.into(), 16).expect("half a byte is a digit"));
            }
        }
        line.push('\n');
        line
    }

    /// A key for one purpose, which `info` names.
    pub(super) fn derive(&self, salt: &[u8], info: &[u8]) -> Cipher {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        expand(&self.secret[..], salt, info, &mut key[..]);
        Cipher::new(&key)
    }
}

/// HKDF-SHA256.
fn expand(secret: &[u8], salt: &[u8], info: &[u8], out: &mut [u8]) {
    let expanded = Hkdf::<Sha256>::new(Some(salt), secret).expand(info, out);
    expanded.expect("what is derived is shorter than HKDF's limit of 8,160 bytes");
}

/// Why a key file cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// It holds no key.
    None,
    /// It holds more than [`KEYS_MAX`].
    TooMany,
    /// This line, counted from 1, is no key.
    Line(usize),
    /// This line holds a key that stands above already.
    Again(usize),
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyFault::None => write!(f, "there is no key in it"),
            KeyFault::TooMany => write!(f, "there are more than {KEYS_MAX} keys in it"),
            // What stands there may be a key with a slip of the pen: it is not shown.
            KeyFault::Line(line) => write!(
                f,
                "line {line} is no key; it should be {PREFIX} and {} hexadecimal digits",
                2 * KEY_BYTES
            ),
            KeyFault::Again(line) => write!(f, "the key of line {line} stands in it twice"),
        }
    }
}

impl std::error::Error for KeyFault {}

/// The keys that are accepted, 1 to [`KEYS_MAX`]; the first is used for sending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys(Vec<GroupKey>);

impl Keys {
    /// One key.
    pub fn one(key: GroupKey) -> Keys {
        Keys(vec![key])
    }

    /// Reads a key file's text.
    pub fn from_text(text: &str) -> Result<Keys, KeyFault> {
        let mut keys: Vec<GroupKey> = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = key_of(line).ok_or(KeyFault::Line(number))?;
            if keys.iter().any(|other| other.name == key.name) {
                return Err(KeyFault::Again(number));
            }
            keys.push(key);
            if keys.len() > KEYS_MAX {
                return Err(KeyFault::TooMany);
            }
        }
        if keys.is_empty() {
            return Err(KeyFault::None);
        }
        Ok(Keys(keys))
    }

    /// The key that is used for sending.
    pub fn first(&self) -> &GroupKey {
        &self.0[0]
    }

    /// The key of this name, if it is accepted.
    pub fn by_name(&self, name: KeyName) -> Option<&GroupKey> {
        self.0.iter().find(|key| key.name == name)
    }

    /// The names, that of the key used for sending first.
    pub fn names(&self) -> impl Iterator<Item = KeyName> + '_ {
        self.0.iter().map(GroupKey::name)
    }
}

/// The key on a line of a key file.
fn key_of(line: &str) -> Option<GroupKey> {
    let digits = line.strip_prefix(PREFIX)?.trim_start().as_bytes();
    if digits.len() != 2 * KEY_BYTES || line.as_bytes().get(PREFIX.len()) != Some(&b' ') {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut secret = Zeroizing::new([0; KEY_BYTES]);
    for (byte, pair) in secret.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    Some(GroupKey::new(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> GroupKey {
        GroupKey::new(Zeroizing::new([byte; KEY_BYTES]))
    }

    #[test]
    fn hkdf_is_that_of_rfc_5869() {
        // Appendix A.1, the first 32 of its 42 bytes.
        let salt: Vec<u8> = (0..13).collect();
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        let mut out = [0; 32];
        expand(&[0x0b; 22], &salt, &info, &mut out);
        let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf";
        let hex: String = out.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn a_key_survives_the_way_to_its_file_and_back() {
        let text = format!("# ours\n\n{}{}", *key(7).to_line(), *key(8).to_line());
        let keys = Keys::from_text(&text).unwrap();
        assert_eq!(keys.first(), &key(7));
        assert_eq!(keys.names().collect::<Vec<_>>(), [key(7).name(), key(8).name()]);
        assert_ne!(key(7).name(), key(8).name());
        assert_eq!(keys.by_name(key(9).name()), None);
    }

    #[test]
    fn what_is_no_key_file_is_refused_by_line() {
        let line = key(7).to_line();
        let fault = |text: &str| Keys::from_text(text).unwrap_err();
        assert_eq!(fault(""), KeyFault::None);
        assert_eq!(fault("# nothing\n"), KeyFault::None);
        assert_eq!(fault(&format!("{}secret", *line)), KeyFault::Line(2));
        assert_eq!(fault(&line[..line.len() - 2]), KeyFault::Line(1));
        assert_eq!(fault(&line.replace("key-1", "key-2")), KeyFault::Line(1));
        assert_eq!(fault(&line.replace('7', "g")), KeyFault::Line(1));
        assert_eq!(fault(&format!("{0}{0}", *line)), KeyFault::Again(2));
        let many: String = (0..=KEYS_MAX as u8)
            .map(|byte| key(byte).to_line().to_string())
            .collect();
        assert_eq!(fault(&many), KeyFault::TooMany);
    }

    #[test]
    fn a_key_is_never_shown() {
        let shown = format!("{:?} {}", Keys::one(key(0xab)), KeyFault::Line(3));
        assert!(!shown.contains("abab"), "{shown}");
    }
}
