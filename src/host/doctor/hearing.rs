//! What the clear header of a datagram of the protocol tells to who only listens: of any version, with any key.

use crate::wire::seal::key::KeyName;
use crate::wire::{HEADER_BYTES, VERSION};
use crate::words::{Incarnation, Member, NodeId};

/// The kinds that a reconciler sends, which is no node.
const RECONCILE_KINDS: [u8; 2] = [15, 16];

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// The version of the protocol.
    pub version: u8,
    /// Who said it, if it is this version.
    pub member: Option<Member>,
    /// The key that seals it.
    pub key: Option<KeyName>,
}

/// Reads a datagram that came to the group; `None` if it is none of a node of this group.
pub fn read(group: u32, bytes: &[u8]) -> Option<Said> {
    let version = *bytes.strip_prefix(b"ro")?.first()?;
    if version != VERSION {
        // Where the rest stands in other versions nobody knows.
        return Some(Said {
            version,
            member: None,
            key: None,
        });
    }
    let header: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
    let ours = header[4..8] == group.to_le_bytes() && !RECONCILE_KINDS.contains(&header[3]);
    let incarnation = header[10..18].try_into().expect("eight bytes are eight");
    let name = header[20..24].try_into().expect("four bytes are four");
    let is_sealed = header[18] != 0;
    ours.then(|| Said {
        version,
        member: Some(Member {
            id: NodeId(u16::from_le_bytes([header[8], header[9]])),
            incarnation: Incarnation(u64::from_le_bytes(incarnation)),
        }),
        key: is_sealed.then(|| KeyName(u32::from_le_bytes(name))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Body, encode};
    use crate::words::{Epoch, RingId};

    #[test]
    fn a_beacon_tells_who_and_with_which_key() {
        let member = Member {
            id: NodeId(3),
            incarnation: Incarnation(8),
        };
        let ring = RingId {
            epoch: Epoch(4),
            leader: member,
        };
        let beacon = encode(9, member, &Body::Beacon { ring });
        let said = read(9, &beacon).unwrap();
        assert_eq!(
            (said.version, said.member, said.key),
            (VERSION, Some(member), None)
        );
        assert_eq!(read(10, &beacon), None, "another group");
        assert_eq!(read(9, &beacon[..20]), None, "cut off");
        let mut sealed = beacon.to_vec();
        (sealed[18], sealed[20]) = (16, 7);
        assert!(read(9, &sealed).unwrap().key.is_some());
        let mut newer = beacon.to_vec();
        newer[2] = VERSION + 1;
        let said = read(9, &newer).unwrap();
        assert_eq!((said.version, said.member), (VERSION + 1, None));
        assert_eq!(read(9, b"ro"), None);
        assert_eq!(read(9, b"hail"), None);
    }
}
