//! A record: one message at its position, and its line in a replica file.
//!
//! A line is the content with four keys before it and one after it, always in this order and spelling, so that
//! equal records are equal bytes and a line can be read without a JSON parser:
//!
//! ```json
//! {"v":1,"id":"3-1763680000000000-17","ring":"4.1.1763680000000000","seq":42,"from":3,…,"sum":"9f3a61c2"}
//! ```
//!
//! `sum` is the CRC-32 of all bytes before `,"sum"`, as eight lower-case hexadecimal digits. It vouches for what
//! stands between: whether a content is a JSON object with the right keys is checked once, where it comes in
//! from the network or the keyboard, not with every reading of the file.

use std::fmt;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use super::content::CONTENT_BYTES_MAX;
use crate::bugs::{self, Bug};
use crate::words::{Epoch, Incarnation, Member, MessageId, NodeId, Position, RingId, Seq};

/// The version of the line format that this program writes and reads.
pub const VERSION: u64 = 1;
/// The longest line without its newline: a content, and generously the keys around it (they need 200 bytes).
pub const LINE_BYTES_MAX: usize = CONTENT_BYTES_MAX + 1024;
/// How the sum begins, after the last key of the content.
const SUM_KEY: &[u8] = b",\"sum\":\"";
/// How many hexadecimal digits a sum has.
const SUM_DIGITS: usize = 8;
/// What follows the sum.
const SUM_END: &[u8] = b"\"}";
/// The length of the sum with its key and the end of the line.
const SUM_BYTES: usize = SUM_KEY.len() + SUM_DIGITS + SUM_END.len();

/// One message at its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The message's name.
    pub id: MessageId,
    /// Where it stands.
    pub position: Position,
    /// Its content as it travelled: a JSON object that begins with `from`.
    pub content: Bytes,
}

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// The line ends before its sum: it was cut.
    Torn,
    /// The sum does not fit the line: bytes of it have changed.
    WrongSum {
        /// The sum as written.
        written: u32,
        /// The sum of what is there.
        computed: u32,
    },
    /// The line is not UTF-8.
    NotUtf8 {
        /// The offset of the first wrong byte in the line.
        at: usize,
    },
    /// The line is of a version of the format that this program does not know.
    UnknownVersion(u64),
    /// The line is no record: what was expected.
    NotARecord(&'static str),
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordError::Torn => write!(f, "the line is cut before its sum"),
            RecordError::WrongSum { written, computed } => {
                write!(
                    f,
                    "the line's sum is {written:08x}, but its bytes sum up to {computed:08x}"
                )
            }
            RecordError::NotUtf8 { at } => write!(f, "byte {at} of the line is not UTF-8"),
            RecordError::UnknownVersion(version) => {
                write!(
                    f,
                    "the line is of format version {version}; this program knows only {VERSION}"
                )
            }
            RecordError::NotARecord(expected) => write!(f, "not a record: expected {expected}"),
        }
    }
}

impl std::error::Error for RecordError {}

impl Record {
    /// A record of a content that came from elsewhere, if it can stand in a line: UTF-8 on one line, not too
    /// long, an object whose first key is `from` with the id of the sender.
    pub fn new(id: MessageId, position: Position, content: Bytes) -> Result<Record, RecordError> {
        if content.len() > CONTENT_BYTES_MAX {
            return Err(RecordError::NotARecord(
                "a content of at most CONTENT_BYTES_MAX bytes",
            ));
        }
        utf8(&content)?;
        let body = content
            .strip_prefix(b"{")
            .and_then(|rest| rest.strip_suffix(b"}"));
        let body = body.ok_or(RecordError::NotARecord("a content in braces"))?;
        if memchr::memchr(b'\n', &content).is_some() {
            return Err(RecordError::NotARecord("a content on one line"));
        }
        check_from(body, id)?;
        Ok(Record {
            id,
            position,
            content,
        })
    }

    /// The line of the record in a replica file, without the newline.
    pub fn line(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(self.content.len() + 200);
        self.write_line(&mut line);
        line.pop();
        line
    }

    /// Appends the line of the record, with the newline.
    pub fn write_line(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let Position { ring, seq } = self.position;
        let body = self
            .content
            .strip_prefix(b"{")
            .and_then(|rest| rest.strip_suffix(b"}"));
        let body = body.expect("a record's content is an object: Record::new checks it");
        // By hand, because each message passes here twice at every node: for its digest and for its file.
        let leader = ring.leader;
        out.extend_from_slice(b"{\"v\":");
        put_number(out, VERSION);
        out.extend_from_slice(b",\"id\":\"");
        put_id(out, self.id);
        out.extend_from_slice(b"\",\"ring\":\"");
        put_numbers(
            out,
            b'.',
            [ring.epoch.0, leader.id.0.into(), leader.incarnation.0],
        );
        out.extend_from_slice(b"\",\"seq\":");
        put_number(out, seq.0);
        out.push(b',');
        out.extend_from_slice(body);
        let sum = crc32fast::hash(&out[start..]);
        out.extend_from_slice(SUM_KEY);
        out.extend_from_slice(&sum_digits(sum));
        out.extend_from_slice(SUM_END);
        out.push(b'\n');
    }

    /// Reads a line, given without its newline. Strict: there is one spelling of every record.
    pub fn parse(line: &[u8]) -> Result<Record, RecordError> {
        let view = RecordView::parse(line)?;
        let mut content = Vec::with_capacity(view.body.len() + 2);
        content.push(b'{');
        content.extend_from_slice(view.body);
        content.push(b'}');
        Ok(Record {
            id: view.id,
            position: view.position,
            content: Bytes::from(content),
        })
    }

    /// A 64-bit hash (XXH3) of the record's line, for digests. Fast, not a defence against forgery.
    pub fn hash(&self) -> u64 {
        hash_line(&self.line())
    }
}

/// Writes an id as it is displayed, `3-1763680000000000-17`.
pub fn put_id(out: &mut Vec<u8>, id: MessageId) {
    let sender = id.sender;
    put_numbers(out, b'-', [sender.id.0.into(), sender.incarnation.0, id.counter]);
}

/// A sum as it is written: eight lower-case hexadecimal digits.
pub fn sum_digits(sum: u32) -> [u8; SUM_DIGITS] {
    std::array::from_fn(|at| b"0123456789abcdef"[(sum >> (4 * (SUM_DIGITS - 1 - at)) & 15) as usize])
}

fn put_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Three numbers with a sign between them.
fn put_numbers(out: &mut Vec<u8>, between: u8, numbers: [u64; 3]) {
    put_number(out, numbers[0]);
    for number in &numbers[1..] {
        out.push(between);
        put_number(out, *number);
    }
}

/// The hash of a record whose line is at hand; see [`Record::hash`].
pub fn hash_line(line: &[u8]) -> u64 {
    xxh3_64(line)
}

/// A checked line, with its parts where they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordView<'a> {
    /// The message's name.
    pub id: MessageId,
    /// Where it stands.
    pub position: Position,
    /// The content without its braces.
    pub body: &'a [u8],
}

impl<'a> RecordView<'a> {
    /// Reads and checks a line, given without its newline, and copies nothing.
    pub fn parse(line: &'a [u8]) -> Result<RecordView<'a>, RecordError> {
        let mut cursor = Cursor(line);
        check_version(&mut cursor, line)?;
        let summed = check_sum(line)?;
        utf8(summed)?;
        let keys = cursor.0.len().checked_sub(SUM_BYTES);
        cursor.0 = &cursor.0[..keys.ok_or(RecordError::NotARecord("keys between version and sum"))?];
        let id = cursor.id()?;
        let position = cursor.position()?;
        check_from(cursor.0, id)?;
        if line.len() > LINE_BYTES_MAX {
            return Err(RecordError::NotARecord("a line of at most LINE_BYTES_MAX bytes"));
        }
        Ok(RecordView {
            id,
            position,
            body: cursor.0,
        })
    }
}

/// Passes the version. A foreign version is told from a damaged one: with the right version put in, the sum of
/// a damaged line fits again. Where more than the version may be damaged, one that is a flipped bit away from ours is
/// believed only if the line's sum fits, or if nothing else in the line is like ours; and 0 never is: nobody wrote it.
fn check_version(cursor: &mut Cursor<'_>, line: &[u8]) -> Result<(), RecordError> {
    const OURS: &[u8] = b"{\"v\":1,";
    if cursor.skip(OURS) {
        return Ok(());
    }
    let torn_or = |error| {
        if OURS.starts_with(line) {
            RecordError::Torn
        } else {
            error
        }
    };
    let not_a_record = RecordError::NotARecord("{\"v\":1, at the beginning");
    if !cursor.skip(b"{\"v\":") {
        return Err(torn_or(damaged_or(line, not_a_record)));
    }
    let version = cursor
        .number()
        .map_err(|_| torn_or(damaged_or(line, not_a_record)))?;
    if !matches!(cursor.0.first(), Some(b',' | b'}')) {
        return Err(torn_or(damaged_or(line, not_a_record)));
    }
    let behind = cursor.0.strip_prefix(b",").unwrap_or_default();
    let repaired = [OURS, behind].concat();
    if check_sum(&repaired).is_ok() {
        return Err(damaged_or(line, RecordError::Torn));
    }
    let like_ours = has_sum(line) || behind.starts_with(b"\"id\":\"");
    let slipped = one_bit_from_ours(version) && like_ours && !is_whole(line);
    match version == 0 || slipped {
        true => Err(damaged_or(line, not_a_record)),
        false => Err(RecordError::UnknownVersion(version)),
    }
}

/// Whether a version is written like ours but for one bit.
fn one_bit_from_ours(version: u64) -> bool {
    // The digits 0 to 9 are 0x30 to 0x39, so their lowest four bits are the number.
    version < 10 && (version ^ VERSION).count_ones() == 1
}

/// Whether a line ends as one with a sum does, be it right or wrong.
fn has_sum(line: &[u8]) -> bool {
    let end = line.len().checked_sub(SUM_BYTES).map(|at| &line[at..]);
    end.is_some_and(|end| end.starts_with(SUM_KEY) && end.ends_with(SUM_END))
}

/// Whether a line ends with a sum that fits, whatever version it is of.
pub(super) fn is_whole(line: &[u8]) -> bool {
    check_sum(line).is_ok()
}

/// What is wrong with a line that does not begin as it should: its sum or its encoding if they are wrong, which
/// says more to the reader, or else `error`.
fn damaged_or(line: &[u8], error: RecordError) -> RecordError {
    match check_sum(line).and_then(utf8) {
        Ok(()) | Err(RecordError::Torn) => error,
        Err(damage) => damage,
    }
}

/// Checks the sum at the end of a line. Returns what it sums up.
fn check_sum(line: &[u8]) -> Result<&[u8], RecordError> {
    let (summed, end) = line
        .split_at_checked(line.len().wrapping_sub(SUM_BYTES))
        .ok_or(RecordError::Torn)?;
    let digits = end
        .strip_prefix(SUM_KEY)
        .and_then(|rest| rest.strip_suffix(SUM_END));
    let digits = digits.ok_or(RecordError::Torn)?;
    let computed = crc32fast::hash(summed);
    if digits == sum_digits(computed) {
        return Ok(summed);
    }
    let written = hexadecimal(digits).ok_or(RecordError::Torn)?;
    if bugs::on(Bug::SumIgnored) {
        return Ok(summed);
    }
    utf8(summed)?;
    Err(RecordError::WrongSum { written, computed })
}

/// The value of lower-case hexadecimal digits.
fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value: u32, digit| match digit {
        b'0'..=b'9' => Some(value << 4 | u32::from(digit - b'0')),
        b'a'..=b'f' => Some(value << 4 | u32::from(digit - b'a' + 10)),
        _ => None,
    })
}

/// Checks that bytes are UTF-8.
fn utf8(bytes: &[u8]) -> Result<(), RecordError> {
    match std::str::from_utf8(bytes) {
        Ok(_) => Ok(()),
        Err(error) => Err(RecordError::NotUtf8 {
            at: error.valid_up_to(),
        }),
    }
}

/// Checks that a content without its braces begins with the sender's id.
fn check_from(body: &[u8], id: MessageId) -> Result<(), RecordError> {
    let mut cursor = Cursor(body);
    cursor.expect(b"\"from\":", "\"from\" as the first key of the content")?;
    let from = cursor.number()?;
    if !matches!(cursor.0.first(), Some(b',') | None) {
        return Err(RecordError::NotARecord("a number after \"from\""));
    }
    if from != u64::from(id.sender.id.0) {
        return Err(RecordError::NotARecord("the same sender in \"from\" and \"id\""));
    }
    Ok(())
}

/// The number that decimal digits are, if it fits.
fn written_number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The number that eight decimal digits are, worked out side by side in one word: pairs of digits, then pairs of
/// those, then both halves (Langdale and Lemire, "Parsing Gigabytes of JSON per Second", 2019). Most of what a line is
/// read for are numbers of sixteen digits.
fn eight_digits(digits: [u8; 8]) -> Option<u64> {
    const HIGH_HALVES: u64 = 0xf0f0_f0f0_f0f0_f0f0;
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    let word = u64::from_le_bytes(digits);
    // '0' to '9' are 0x30 to 0x39: six more leaves the high half of each as it is, and of no other byte that has it.
    let are_digits = word & HIGH_HALVES == ZEROS && (word + 0x0606_0606_0606_0606) & HIGH_HALVES == ZEROS;
    let pairs = (word & 0x0f0f_0f0f_0f0f_0f0f).wrapping_mul(10 << 8 | 1) >> 8;
    let fours = (pairs & 0x00ff_00ff_00ff_00ff).wrapping_mul(100 << 16 | 1) >> 16;
    let eight = (fours & 0x0000_ffff_0000_ffff).wrapping_mul(10_000 << 32 | 1) >> 32;
    are_digits.then_some(eight)
}

/// What is left to read of a line.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    /// Passes these bytes if they come next. Inlined, so that a key is compared as the few bytes it is.
    #[inline(always)]
    fn skip(&mut self, bytes: &[u8]) -> bool {
        match self.0.strip_prefix(bytes) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// Passes these bytes, which must come next.
    #[inline(always)]
    fn expect(&mut self, bytes: &[u8], expected: &'static str) -> Result<(), RecordError> {
        if self.skip(bytes) {
            Ok(())
        } else {
            Err(RecordError::NotARecord(expected))
        }
    }

    /// A decimal number in its one spelling: no sign, no leading zero.
    #[inline]
    fn number(&mut self) -> Result<u64, RecordError> {
        let line = self.0;
        let (mut value, mut digits) = (0u64, 0);
        while let Some(eight) = line[digits..].first_chunk().and_then(|next| eight_digits(*next)) {
            value = value.wrapping_mul(100_000_000).wrapping_add(eight);
            digits += 8;
        }
        while let Some(digit @ b'0'..=b'9') = line.get(digits) {
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            digits += 1;
        }
        let (number, rest) = line.split_at(digits);
        self.0 = rest;
        // Nineteen digits always fit.
        let fits = digits < 20 || written_number(number) == Some(value);
        if fits && (digits == 1 || digits > 1 && number[0] != b'0') {
            Ok(value)
        } else {
            Err(RecordError::NotARecord(
                "a number below 2^64 without leading zeros",
            ))
        }
    }

    /// An epoch or a sequence number: the top bits stay free, so that arithmetic on it cannot overflow.
    fn bounded(&mut self) -> Result<u64, RecordError> {
        let number = self.number()?;
        let free = number >> 62 == 0;
        free.then_some(number)
            .ok_or(RecordError::NotARecord("an epoch or number below 2^62"))
    }

    /// Two numbers of a member's name.
    fn member(&mut self, separator: &'static [u8]) -> Result<Member, RecordError> {
        let id = u16::try_from(self.number()?).ok().filter(|&id| id > 0);
        let id = NodeId(id.ok_or(RecordError::NotARecord("a node id from 1 to 65535"))?);
        self.expect(separator, "an incarnation after the node id")?;
        let incarnation = Incarnation(self.number()?);
        Ok(Member { id, incarnation })
    }

    /// The key `id` and the comma after it.
    fn id(&mut self) -> Result<MessageId, RecordError> {
        self.expect(b"\"id\":\"", "\"id\" as the second key")?;
        let sender = self.member(b"-")?;
        self.expect(b"-", "a counter in the message id")?;
        let counter = self.number()?;
        self.expect(b"\",", "the end of the message id")?;
        Ok(MessageId { sender, counter })
    }

    /// The keys `ring` and `seq` and the comma after them.
    fn position(&mut self) -> Result<Position, RecordError> {
        self.expect(b"\"ring\":\"", "\"ring\" as the third key")?;
        let epoch = Epoch(self.bounded()?);
        self.expect(b".", "a leader in the ring id")?;
        let leader = self.member(b".")?;
        self.expect(b"\",\"seq\":", "\"seq\" as the fourth key")?;
        let seq = Seq(self.bounded()?);
        self.expect(b",", "a content after \"seq\"")?;
        Ok(Position {
            ring: RingId { epoch, leader },
            seq,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(content: &'static str) -> Record {
        Record {
            id: "3-1763680000000000-17".parse().unwrap(),
            position: Position {
                ring: "4.1.1763680000000000".parse().unwrap(),
                seq: Seq(42),
            },
            content: Bytes::from_static(content.as_bytes()),
        }
    }

    fn sample() -> Record {
        record("{\"from\":3,\"name\":\"ana\",\"room\":\"geral\",\"text\":\"olá\",\"new\":[1]}")
    }

    /// A line with this text before its sum.
    fn summed(text: &str) -> Vec<u8> {
        let sum = crc32fast::hash(text.as_bytes());
        format!("{text},\"sum\":\"{sum:08x}\"}}").into_bytes()
    }

    #[test]
    fn a_line_has_the_documented_form_and_is_json() {
        let line = String::from_utf8(record("{\"from\":3,\"text\":\"oi\"}").line()).unwrap();
        let keys = "{\"v\":1,\"id\":\"3-1763680000000000-17\",\"ring\":\"4.1.1763680000000000\",\"seq\":42,";
        assert_eq!(
            line,
            format!("{keys}\"from\":3,\"text\":\"oi\",\"sum\":\"0936095c\"}}")
        );
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(json["seq"], 42);
    }

    #[test]
    fn a_record_comes_back_with_unknown_keys() {
        assert_eq!(Record::parse(&sample().line()), Ok(sample()));
        let shortest = record("{\"from\":3}");
        assert_eq!(Record::parse(&shortest.line()), Ok(shortest));
        let mut two_lines = Vec::new();
        sample().write_line(&mut two_lines);
        sample().write_line(&mut two_lines);
        assert_eq!(two_lines.len(), 2 * (sample().line().len() + 1));
        assert_eq!(sample().hash(), hash_line(&two_lines[..sample().line().len()]));
    }

    #[test]
    fn every_cut_is_torn() {
        let line = sample().line();
        for length in 0..line.len() {
            assert_eq!(
                Record::parse(&line[..length]),
                Err(RecordError::Torn),
                "cut at {length}"
            );
        }
    }

    #[test]
    fn every_flipped_bit_is_damage_and_never_a_foreign_version() {
        let line = sample().line();
        for bit in 0..line.len() * 8 {
            let mut flipped = line.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let error = Record::parse(&flipped).expect_err("a flipped bit is found");
            assert!(
                !matches!(error, RecordError::UnknownVersion(_)),
                "bit {bit}: {error}"
            );
        }
    }

    #[test]
    fn a_damaged_version_in_a_line_that_is_damaged_elsewhere_is_no_foreign_one() {
        let line = sample().line();
        let version_at = b"{\"v\":".len();
        for version in [b'0', b'3', b'5', b'9'] {
            for bit in 8 * (version_at + 1)..8 * line.len() {
                let (mut damaged, at) = (line.clone(), bit / 8);
                damaged[version_at] = version;
                damaged[at] ^= 1 << (bit % 8);
                let error = Record::parse(&damaged).expect_err("a flipped bit is found");
                assert!(
                    !matches!(error, RecordError::UnknownVersion(_)),
                    "byte {at}: {error}"
                );
            }
        }
        // No program ever wrote version 0, whatever else the line says.
        let error = Record::parse(b"{\"v\":0}").expect_err("no record");
        assert!(matches!(error, RecordError::NotARecord(_)), "{error}");
    }

    #[test]
    fn a_foreign_version_is_believed_for_its_sum_or_for_having_nothing_of_ours() {
        for version in [2, 3, 5, 9, 17] {
            let foreign = Err(RecordError::UnknownVersion(version));
            let own_sum = summed(&format!("{{\"v\":{version},\"id\":\"3-1-17\""));
            assert_eq!(Record::parse(&own_sum), foreign);
            assert_eq!(
                Record::parse(format!("{{\"v\":{version},\"x\":1}}").as_bytes()),
                foreign
            );
        }
        // A version that no single bit makes of ours is believed whatever its sum.
        let wrong = b"{\"v\":2,\"id\":\"3-1-17\",\"sum\":\"00000000\"}";
        assert_eq!(Record::parse(wrong), Err(RecordError::UnknownVersion(2)));
    }

    #[test]
    fn a_foreign_version_is_named_whatever_follows() {
        for line in ["{\"v\":2,\"frames\":[]}", "{\"v\":2}", "{\"v\":2,\"half a li"] {
            assert_eq!(
                Record::parse(line.as_bytes()),
                Err(RecordError::UnknownVersion(2)),
                "{line}"
            );
        }
        let summed = summed("{\"v\":12,\"id\":\"3-1-17\"");
        assert_eq!(Record::parse(&summed), Err(RecordError::UnknownVersion(12)));
    }

    #[test]
    fn invalid_utf8_is_named_with_its_place() {
        let mut line = sample().line();
        let at = line.iter().position(|&byte| byte == 0xc3).unwrap();
        line[at] = 0xff;
        assert_eq!(Record::parse(&line), Err(RecordError::NotUtf8 { at }));
    }

    #[test]
    fn a_right_sum_does_not_excuse_a_wrong_form() {
        let forms = [
            "{\"v\":1,\"id\":\"3-1-17\",\"ring\":\"4.1.1\",\"seq\":42,\"from\":4",
            "{\"v\":1,\"id\":\"3-1-17\",\"ring\":\"4.1.1\",\"seq\":42,\"name\":3",
            "{\"v\":1,\"id\":\"3-1-17\",\"ring\":\"4.1.1\",\"seq\":042,\"from\":3",
            "{\"v\":1,\"id\":\"3-1-17\",\"ring\":\"4.1.1\",\"seq\":,\"from\":3",
            "{\"v\":1,\"id\":\"3-1-17\",\"ring\":\"4.1.1\",\"seq\":18446744073709551616,\"from\":3",
            "{\"v\":1,\"id\":\"0-1-17\",\"ring\":\"4.1.1\",\"seq\":42,\"from\":0",
            "{\"v\":1,\"id\":\"65536-1-17\",\"ring\":\"4.1.1\",\"seq\":42,\"from\":65536",
            "{\"v\":1,\"id\":\"3-1\",\"ring\":\"4.1.1\",\"seq\":42,\"from\":3",
            "{\"v\":1,\"ring\":\"4.1.1\",\"id\":\"3-1-17\",\"seq\":42,\"from\":3",
            "{\"v\":1,\"id\":\"3-1-17\",\"ring\":\"4.1.1\",\"seq\":42,\"from\":3x",
            "{\"v\":1",
            "",
        ];
        for form in forms {
            let error = Record::parse(&summed(form)).expect_err(form);
            assert!(matches!(error, RecordError::NotARecord(_)), "{form}: {error}");
        }
    }

    #[test]
    fn a_content_from_elsewhere_is_checked_before_it_becomes_a_record() {
        let new = |content: &'static [u8]| {
            let Record { id, position, .. } = sample();
            Record::new(id, position, Bytes::from_static(content)).is_ok()
        };
        assert!(new(b"{\"from\":3,\"text\":\"oi\"}"));
        assert!(!new(b"{\"from\":4,\"text\":\"oi\"}"));
        assert!(!new(b"{\"from\":3,\"text\":\"a\nb\"}"));
        assert!(!new(b"{\"from\":3,\"text\":\"\xff\"}"));
        assert!(!new(b"{\"from\":3,\"text\":\"oi\""));
        assert!(!new(b"{"));
        assert!(!new(b""));
    }

    #[test]
    fn an_epoch_and_a_number_leave_their_top_bits_free() {
        let parse = |epoch: u64, seq: u64| {
            let keys =
                format!("{{\"v\":1,\"id\":\"3-1-17\",\"ring\":\"{epoch}.1.1\",\"seq\":{seq},\"from\":3");
            Record::parse(&summed(&keys)).map(|record| (record.position.ring.epoch.0, record.position.seq.0))
        };
        let largest = (1 << 62) - 1;
        assert_eq!(parse(largest, largest), Ok((largest, largest)));
        let refused = Err(RecordError::NotARecord("an epoch or number below 2^62"));
        assert_eq!(parse(largest + 1, 1), refused);
        assert_eq!(parse(1, largest + 1), refused);
    }

    #[test]
    fn the_longest_content_and_the_longest_line_are_good_and_one_byte_more_is_not() {
        let Record { id, position, .. } = sample();
        let content = |length: usize| {
            let text = "x".repeat(length - "{\"from\":3,\"text\":\"\"}".len());
            Bytes::from(format!("{{\"from\":3,\"text\":\"{text}\"}}"))
        };
        let longest = Record::new(id, position, content(CONTENT_BYTES_MAX)).unwrap();
        assert_eq!(Record::parse(&longest.line()), Ok(longest.clone()));
        let longer = Record::new(id, position, content(CONTENT_BYTES_MAX + 1));
        let most = "a content of at most CONTENT_BYTES_MAX bytes";
        assert_eq!(longer, Err(RecordError::NotARecord(most)));
        let around = longest.line().len() - CONTENT_BYTES_MAX;
        let of_length = |length: usize| {
            Record {
                id,
                position,
                content: content(length - around),
            }
            .line()
        };
        let line = of_length(LINE_BYTES_MAX);
        assert_eq!((line.len(), Record::parse(&line).is_ok()), (LINE_BYTES_MAX, true));
        let most = "a line of at most LINE_BYTES_MAX bytes";
        let refused = Record::parse(&of_length(LINE_BYTES_MAX + 1));
        assert_eq!(refused, Err(RecordError::NotARecord(most)));
    }

    #[test]
    fn what_is_wrong_is_told_in_words() {
        let told = [
            (RecordError::Torn, "the line is cut before its sum"),
            (
                RecordError::WrongSum {
                    written: 0xab,
                    computed: 0xcd,
                },
                "the line's sum is 000000ab, but its bytes sum up to 000000cd",
            ),
            (RecordError::NotUtf8 { at: 7 }, "byte 7 of the line is not UTF-8"),
            (
                RecordError::UnknownVersion(2),
                "the line is of format version 2; this program knows only 1",
            ),
            (RecordError::NotARecord("a seq"), "not a record: expected a seq"),
        ];
        for (error, words) in told {
            assert_eq!(error.to_string(), words);
        }
    }

    #[test]
    fn numbers_of_any_length_are_read_as_they_are_written() {
        let read = |text: &str| {
            let mut cursor = Cursor(text.as_bytes());
            cursor.number().map(|number| (number, cursor.0.len()))
        };
        let mut number = 0u64;
        for digit in (1..=9).chain(0..=9) {
            number = number * 10 + digit;
            for behind in [
                "",
                ",",
                "/1234567",
                ":12345678",
                "-123456789",
                "\u{b9}\u{b9}\u{b9}\u{b9}",
            ] {
                assert_eq!(read(&format!("{number}{behind}")), Ok((number, behind.len())));
                assert!(read(&format!("0{number}{behind}")).is_err());
            }
        }
        assert_eq!(read("0"), Ok((0, 0)));
        assert_eq!(read(&u64::MAX.to_string()), Ok((u64::MAX, 0)));
        for refused in [
            "",
            "-1",
            "00000000",
            "18446744073709551616",
            "100000000000000000000",
            "99999999999999999999999999",
        ] {
            assert!(read(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn eight_bytes_are_a_number_only_if_all_are_digits() {
        assert_eq!(eight_digits(*b"12345678"), Some(12_345_678));
        assert_eq!(
            (eight_digits(*b"00000000"), eight_digits(*b"99999999")),
            (Some(0), Some(99_999_999))
        );
        for place in 0..8 {
            for byte in (0..=u8::MAX).filter(|byte| !byte.is_ascii_digit()) {
                let mut digits = *b"12345678";
                digits[place] = byte;
                assert_eq!(eight_digits(digits), None, "{byte} at {place}");
            }
        }
    }
}
