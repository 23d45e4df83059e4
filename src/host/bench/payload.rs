//! What the members of a benchmark say to each other: letters only, so that it can be a line of chat as well.
//!
//! A payload is a kind, the sender's id, two numbers, and filler. Numbers are written as letters `a` to `p`, four bits
//! each, highest first.

use bytes::{BufMut, Bytes, BytesMut};

use crate::words::{NodeId, Time};

/// The shortest payload of a message: its own fields.
pub const BYTES_MIN: usize = 1 + 4 + 16 + 16;

/// What a payload says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// "I am here, on this machine."
    Hello {
        /// Who.
        from: NodeId,
        /// The same for all processes of one running machine.
        machine: u64,
    },
    /// A message of the load.
    Message {
        /// Who.
        from: NodeId,
        /// 1 for the sender's first one.
        number: u64,
        /// When it was to be said, on the sender's clock.
        due: Time,
    },
    /// "These were all."
    End {
        /// Who.
        from: NodeId,
        /// How many messages it said.
        sent: u64,
    },
    /// What a member measured, as JSON.
    Outcome {
        /// Who.
        from: NodeId,
        /// The object.
        json: Vec<u8>,
    },
}

impl Payload {
    /// As bytes, taken out of `store`; a message has this size, the others what they need.
    pub fn to_bytes(&self, size: usize, store: &mut BytesMut) -> Bytes {
        store.reserve(size.max(BYTES_MIN));
        self.write(size, store);
        store.split().freeze()
    }

    fn write(&self, size: usize, out: &mut BytesMut) {
        match self {
            Payload::Hello { from, machine } => write_fields(out, b'H', *from, &[*machine]),
            Payload::Message { from, number, due } => {
                write_fields(out, b'M', *from, &[*number, due.0]);
                out.resize(size.max(BYTES_MIN), b'x');
            }
            Payload::End { from, sent } => write_fields(out, b'E', *from, &[*sent]),
            Payload::Outcome { from, json } => {
                write_fields(out, b'O', *from, &[]);
                json.iter().for_each(|byte| write_bits(out, u64::from(*byte), 8));
            }
        }
    }

    /// Reads a payload; `None` if it is none of a benchmark.
    pub fn read(bytes: &[u8]) -> Option<Payload> {
        let (kind, rest) = bytes.split_first()?;
        let (from, mut rest) = (NodeId(read_bits(rest.get(..4)?)? as u16), &rest[4..]);
        let mut number = || {
            let (field, behind) = rest.split_at_checked(16)?;
            rest = behind;
            read_bits(field)
        };
        Some(match kind {
            b'H' => Payload::Hello {
                from,
                machine: number()?,
            },
            b'M' => Payload::Message {
                from,
                number: number()?,
                due: Time(number()?),
            },
            b'E' => Payload::End {
                from,
                sent: number()?,
            },
            b'O' => {
                let bytes = rest.chunks(2).map(read_bits);
                let json = bytes
                    .map(|byte| byte.map(|byte| byte as u8))
                    .collect::<Option<_>>()?;
                Payload::Outcome { from, json }
            }
            _ => return None,
        })
    }
}

fn write_fields(out: &mut BytesMut, kind: u8, from: NodeId, numbers: &[u64]) {
    out.put_u8(kind);
    write_bits(out, u64::from(from.0), 16);
    numbers.iter().for_each(|number| write_bits(out, *number, 64));
}

fn write_bits(out: &mut BytesMut, value: u64, bits: u32) {
    let letters = (0..bits).step_by(4).rev();
    out.extend(letters.map(|shift| b'a' + ((value >> shift) & 15) as u8));
}

fn read_bits(letters: &[u8]) -> Option<u64> {
    letters.iter().try_fold(0, |value: u64, letter| {
        let bits = letter.wrapping_sub(b'a');
        (bits < 16).then(|| value << 4 | u64::from(bits))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_payload_survives_the_way_to_letters_and_back() {
        let from = NodeId(0xabcd);
        let (number, due) = (u64::MAX, Time(1_763_680_000_000_000));
        let all = [
            Payload::Hello { from, machine: 7 },
            Payload::Message { from, number, due },
            Payload::End { from, sent: 0 },
            Payload::Outcome {
                from,
                json: b"{\"a\":1}".to_vec(),
            },
        ];
        for payload in all {
            let bytes = payload.to_bytes(100, &mut BytesMut::new());
            assert!(bytes.iter().all(u8::is_ascii_alphabetic), "{bytes:?}");
            assert_eq!(Payload::read(&bytes), Some(payload));
        }
    }

    #[test]
    fn a_message_has_the_size_asked_for() {
        let message = Payload::Message {
            from: NodeId(1),
            number: 1,
            due: Time(1),
        };
        assert_eq!(message.to_bytes(100, &mut BytesMut::new()).len(), 100);
        assert_eq!(message.to_bytes(1, &mut BytesMut::new()).len(), BYTES_MIN);
    }

    #[test]
    fn what_is_no_payload_is_told_apart() {
        for bytes in [
            &b""[..],
            b"M",
            b"Mabcd",
            b"Zaaaaaaaaaaaaaaaaaaaaa",
            b"Mabc!aaaaaaaaaaaaaaaa",
        ] {
            assert_eq!(Payload::read(bytes), None, "{bytes:?}");
        }
    }
}
