//! Sealed datagrams between three starts: what is believed, and what is not.

use std::net::Ipv4Addr;

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::super::key::GroupKey;
use super::super::{OVERHEAD_BYTES, SEALED_HEADER_BYTES, TAG_BYTES};
use super::*;
use crate::wire::{CommitRow, encode};
use crate::words::{Epoch, Hop, Incarnation, NodeId, RingId};

const GROUP: u32 = 0x0102_0304;

fn key(byte: u8) -> GroupKey {
    GroupKey::new(Zeroizing::new([byte; 32]))
}

fn keys(bytes: &[u8]) -> Keys {
    let text: String = bytes
        .iter()
        .map(|byte| key(*byte).to_line().to_string())
        .collect();
    Keys::from_text(&text).unwrap()
}

fn address(id: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, id as u8), 4_000 + id)
}

fn member(id: u16) -> Member {
    Member {
        id: NodeId(id),
        incarnation: Incarnation(1_000 + u64::from(id)),
    }
}

/// A start of a node; `seed` is what it drew.
fn start(id: u16, seed: u8, keys: Keys) -> Sessions {
    let settings = SealSettings {
        keys,
        seed: [seed; SEED_BYTES],
        address: address(id),
    };
    Sessions::new(GROUP, member(id), settings)
}

fn ring() -> RingId {
    RingId {
        epoch: Epoch(9),
        leader: member(1),
    }
}

fn beacon() -> Body {
    Body::Beacon { ring: ring() }
}

/// Delivers what both have to say to each other until nothing is left.
fn settle(now: Time, a: &mut Sessions, b: &mut Sessions) -> usize {
    let mut count = 0;
    loop {
        let (from_a, from_b) = (a.take_answers(), b.take_answers());
        if from_a.is_empty() && from_b.is_empty() {
            return count;
        }
        count += from_a.len() + from_b.len();
        assert!(count < 20, "greeting each other ends");
        for (_, bytes) in from_a {
            b.open(now, a.address, false, bytes).unwrap();
        }
        for (_, bytes) in from_b {
            a.open(now, b.address, false, bytes).unwrap();
        }
    }
}

/// Two that have confirmed each other.
fn met(a: &mut Sessions, b: &mut Sessions) {
    let bytes = a.seal(To::Group, &beacon());
    assert_eq!(b.open(Time(0), a.address, true, bytes), Err(Refused::NotFresh));
    assert_eq!(settle(Time(0), a, b), 3, "three datagrams are enough");
}

fn pair() -> (Sessions, Sessions) {
    let (mut a, mut b) = (start(1, 1, keys(&[7])), start(2, 2, keys(&[7])));
    met(&mut a, &mut b);
    (a, b)
}

/// What `to` makes of a multicast of `from`.
fn hear(to: &mut Sessions, from: &Sessions, bytes: &Bytes) -> Result<Opened, Refused> {
    to.open(Time(0), from.address, true, bytes.clone())
}

#[test]
fn who_has_met_is_heard_in_both_directions() {
    let (mut a, mut b) = pair();
    let bytes = a.seal(To::Group, &beacon());
    assert_eq!(hear(&mut b, &a, &bytes), Ok(Opened::Said(member(1), beacon())));
    let bytes = b.seal(To::Node(address(1)), &beacon());
    let heard = a.open(Time(0), address(2), false, bytes);
    assert_eq!(heard, Ok(Opened::Said(member(2), beacon())));
    assert_eq!((a.count(), b.count()), ((1, 1), (1, 1)));
}

#[test]
fn the_sealed_form_is_fixed() {
    let mut a = start(1, 1, keys(&[7]));
    let plain = encode(GROUP, member(1), &beacon());
    let sealed = a.seal(To::Group, &beacon());
    assert_eq!(sealed.len(), plain.len() + OVERHEAD_BYTES);
    assert_eq!(sealed[..18], plain[..18]);
    assert_eq!(sealed[18..20], [TAG_BYTES as u8, 0]);
    assert_eq!(sealed[20..24], key(7).name().0.to_le_bytes());
    assert_eq!(sealed[24..40], [1; 16]);
    assert_eq!(sealed[40..48], [0; 8]);
    // Known answer, computed once with another implementation of RFC 5869 and RFC 8439.
    let hex: String = sealed[SEALED_HEADER_BYTES..]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(hex, KNOWN);
}

const KNOWN: &str = "ede4b9107ee8947eb0d329684b4cf420077e09bd6fde89388e392b5872fb87ff789b";

#[test]
fn no_byte_can_be_altered_and_nothing_cut() {
    let (mut a, b) = pair();
    let bytes = a.seal(To::Group, &beacon());
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut bad = bytes.to_vec();
            bad[at] ^= 1 << bit;
            let refused = hear(&mut b.clone(), &a, &bad.into());
            assert!(refused.is_err(), "byte {at}, bit {bit}: {refused:?}");
        }
        assert!(
            hear(&mut b.clone(), &a, &bytes.slice(..at)).is_err(),
            "cut at {at}"
        );
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(hear(&mut b.clone(), &a, &longer.into()), Err(Refused::Forged));
    assert!(hear(&mut b.clone(), &a, &bytes).is_ok());
}

#[test]
fn what_goes_another_way_does_not_verify() {
    let (mut a, mut b) = pair();
    let to_b = a.seal(To::Node(address(2)), &beacon());
    let all = a.seal(To::Group, &beacon());
    let forged = Err(Refused::Forged);
    assert_eq!(
        b.open(Time(0), address(1), true, to_b.clone()),
        forged,
        "through the group"
    );
    assert_eq!(
        b.open(Time(0), address(1), false, all.clone()),
        forged,
        "to the own port"
    );
    assert_eq!(
        b.open(Time(0), address(3), false, to_b.clone()),
        forged,
        "from elsewhere"
    );
    let mut c = start(3, 3, keys(&[7]));
    met(&mut a, &mut c);
    let to_b = a.seal(To::Node(address(2)), &beacon());
    let elsewhere = c.open(Time(0), address(1), false, to_b);
    assert_eq!(elsewhere, forged, "to somebody else");
    let mut other_group = all.to_vec();
    other_group[4] ^= 1;
    assert_eq!(hear(&mut b, &a, &other_group.into()), Err(Refused::ForeignGroup));
    b.group ^= 1;
    assert_eq!(hear(&mut b, &a, &all), Err(Refused::ForeignGroup));
}

#[test]
fn what_was_heard_is_not_heard_again() {
    let (mut a, mut b) = pair();
    let all: Vec<Bytes> = (0..100).map(|_| a.seal(To::Group, &beacon())).collect();
    for bytes in all.iter().rev() {
        assert!(hear(&mut b, &a, bytes).is_ok(), "the order does not matter");
    }
    for bytes in &all {
        assert_eq!(hear(&mut b, &a, bytes), Err(Refused::Replayed));
    }
}

#[test]
fn what_was_recorded_before_the_meeting_is_refused_for_ever() {
    let mut a = start(1, 1, keys(&[7]));
    let mut b = start(2, 2, keys(&[7]));
    let recorded: Vec<Bytes> = (0..10).map(|_| a.seal(To::Group, &beacon())).collect();
    met(&mut a, &mut b);
    for bytes in &recorded {
        assert_eq!(hear(&mut b, &a, bytes), Err(Refused::Replayed));
    }
    // Another start of the hearer knows nothing of that, and believes nothing of it.
    let mut again = start(2, 3, keys(&[7]));
    for bytes in &recorded {
        assert_eq!(hear(&mut again, &a, bytes), Err(Refused::NotFresh));
    }
    assert_eq!(again.count(), (0, 1));
}

#[test]
fn a_recorded_greeting_confirms_nobody() {
    let (mut a, mut b) = (start(1, 1, keys(&[7])), start(2, 2, keys(&[7])));
    let join = a.seal(To::Group, &beacon());
    hear(&mut b, &a, &join).unwrap_err();
    // The whole conversation, as somebody on the network records it.
    let mut to_b = vec![(true, join)];
    for (_, bytes) in b.take_answers() {
        a.open(Time(0), address(2), false, bytes).unwrap();
    }
    to_b.extend(a.take_answers().into_iter().map(|(_, bytes)| (false, bytes)));
    to_b.push((true, a.seal(To::Group, &beacon())));
    let mut again = start(2, 3, keys(&[7]));
    for round in 0..3 {
        for (multicast, bytes) in &to_b {
            let heard = again.open(Time(round * 1_000_000), address(1), *multicast, bytes.clone());
            assert!(!matches!(heard, Ok(Opened::Said(..))), "{heard:?}");
        }
    }
    assert_eq!(again.count(), (0, 1));
    assert!(
        again.take_answers().len() <= 3 * to_b.len(),
        "no more is sent than came"
    );
}

#[test]
fn a_lost_greeting_is_made_up_for() {
    let (mut a, mut b) = (start(1, 1, keys(&[7])), start(2, 2, keys(&[7])));
    let mut dice = SmallRng::seed_from_u64(3);
    let mut now = Time(0);
    let mut heard = 0;
    // Of everything either of them sends, a third arrives.
    for _ in 0..200 {
        now = now.after_us(10_000);
        let (all_a, all_b) = (a.seal(To::Group, &beacon()), b.seal(To::Group, &beacon()));
        let mut mail: Vec<(bool, bool, Bytes)> = vec![(true, true, all_a), (false, true, all_b)];
        mail.extend(
            a.take_answers()
                .into_iter()
                .map(|(_, bytes)| (true, false, bytes)),
        );
        mail.extend(
            b.take_answers()
                .into_iter()
                .map(|(_, bytes)| (false, false, bytes)),
        );
        for (to_b, multicast, bytes) in mail {
            if dice.random_range(0..3) > 0 {
                continue;
            }
            let opened = match to_b {
                true => b.open(now, address(1), multicast, bytes),
                false => a.open(now, address(2), multicast, bytes),
            };
            heard += u32::from(matches!(opened, Ok(Opened::Said(..))));
        }
    }
    assert!(heard > 50, "{heard} heard");
    assert_eq!((a.count(), b.count()), ((1, 1), (1, 1)));
}

#[test]
fn no_start_repeats_a_salt_with_its_counter() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let mut a = start(1, seed, keys(&[7]));
        for _ in 0..50 {
            let bytes = a.seal(To::Group, &beacon());
            assert!(seen.insert(bytes[24..48].to_vec()));
        }
        a.rename(Member {
            incarnation: Incarnation(5),
            ..member(1)
        });
        a.rekey(keys(&[8]));
        let bytes = a.seal(To::Group, &beacon());
        assert!(seen.insert(bytes[24..48].to_vec()), "the counter goes on");
    }
}

#[test]
fn other_keys_are_told_apart_from_forgeries() {
    let (_a, mut b) = pair();
    let mut stranger = start(3, 3, keys(&[8]));
    let foreign = stranger.seal(To::Group, &beacon());
    assert_eq!(hear(&mut b, &stranger, &foreign), Err(Refused::OtherKey));
    let mut forged = foreign.to_vec();
    forged[20..24].copy_from_slice(&key(7).name().0.to_le_bytes());
    assert_eq!(hear(&mut b, &stranger, &forged.into()), Err(Refused::Forged));
    let plain = encode(GROUP, member(3), &beacon());
    assert_eq!(hear(&mut b, &stranger, &plain), Err(Refused::NoKey));
    assert_eq!(b.count(), (1, 1), "strangers leave no trace");
}

#[test]
fn keys_change_while_talk_goes_on() {
    let (mut a, mut b) = pair();
    let heard = |a: &mut Sessions, b: &mut Sessions| {
        let bytes = a.seal(To::Group, &beacon());
        matches!(hear(b, a, &bytes), Ok(Opened::Said(..)))
    };
    let steps: [(&[u8], &[u8]); 5] = [
        (&[7, 8], &[7]),
        (&[7, 8], &[7, 8]),
        (&[8, 7], &[7, 8]),
        (&[8, 7], &[8, 7]),
        (&[8], &[8]),
    ];
    for (of_a, of_b) in steps {
        a.rekey(keys(of_a));
        b.rekey(keys(of_b));
        assert!(
            heard(&mut a, &mut b) && heard(&mut b, &mut a),
            "{of_a:?} {of_b:?}"
        );
    }
    let mut late = start(3, 3, keys(&[7]));
    let bytes = a.seal(To::Group, &beacon());
    assert_eq!(
        hear(&mut late, &a, &bytes),
        Err(Refused::OtherKey),
        "the old key is of no use"
    );
}

#[test]
fn a_commit_token_is_for_the_starts_it_was_made_for() {
    let commit = || {
        let rows = [1, 2].map(|id| CommitRow {
            member: member(id),
            old: None,
        });
        Body::Commit(Commit {
            ring: ring(),
            hop: Hop(1),
            rows: rows.to_vec(),
        })
    };
    let (mut a, mut b) = pair();
    let bytes = a.seal(To::Node(address(2)), &commit());
    let heard = b.open(Time(0), address(1), false, bytes);
    assert_eq!(heard, Ok(Opened::Said(member(1), commit())));
    // The same incarnation started once more, as from a copied machine: a does not know of it.
    let mut copy = start(2, 4, keys(&[7]));
    met(&mut a, &mut copy);
    a.confirmed.insert(member(2), b.salt);
    let bytes = a.seal(To::Node(address(2)), &commit());
    let heard = copy.open(Time(0), address(1), false, bytes);
    assert_eq!(heard, Err(Refused::OtherNonces));
}

#[test]
fn memory_stays_bounded_whoever_comes() {
    let mut b = start(2, 2, keys(&[7]));
    for number in 0..2_000u16 {
        let settings = SealSettings {
            keys: keys(&[7]),
            seed: std::array::from_fn(|at| if at < 2 { number.to_le_bytes()[at] } else { 9 }),
            address: address(1),
        };
        let mut dead = Sessions::new(GROUP, member(number % 500 + 3), settings);
        let bytes = dead.seal(To::Group, &beacon());
        assert_eq!(hear(&mut b, &dead, &bytes), Err(Refused::NotFresh));
        if number % 2 == 0 {
            settle(Time(0), &mut dead, &mut b);
        }
        b.take_answers();
    }
    let (confirmed, all) = b.count();
    assert!(confirmed <= CONFIRMED_MAX && all - confirmed <= UNCONFIRMED_MAX);
    assert!(confirmed >= 250);
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digits).collect()
}

#[test]
fn a_sealed_datagram_is_what_the_protocol_says_byte_for_byte() {
    // Computed from PROTOCOL.md with another implementation of HKDF and ChaCha20-Poly1305.
    let expected = bytes_of(
        "726f0107040302010200ea0300000000000010001522923c\
         050505050505050505050505050505050100000000000000\
         811fcdd2689f4a24b0e0d1f4ca9d74a12c64\
         3058f08a477f1c4a973b4ea7a3601feb",
    );
    let mut b = start(2, 5, keys(&[7]));
    b.seal(To::Group, &beacon());
    let sealed = b.seal(To::Node(address(1)), &beacon());
    assert_eq!(sealed, expected);
}

#[test]
fn the_cipher_is_that_of_rfc_8439() {
    // Section 2.8.2.
    let cipher = Cipher::new(&std::array::from_fn(|at| 0x80 + at as u8));
    let nonce = bytes_of("070000004041424344454647").try_into().unwrap();
    let associated = bytes_of("50515253c0c1c2c3c4c5c6c7");
    let text =
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
        sunscreen would be it.";
    let mut buffer = text.to_vec();
    let tag = cipher.seal(nonce, &associated, &mut buffer);
    assert_eq!(buffer[..16], bytes_of("d31a8d34648e60db7b86afbc53ef7ec2"));
    assert_eq!(tag[..], bytes_of("1ae10b594f09e26a7e902ecbd0600691"));
    assert_eq!(cipher.open(nonce, &associated, &mut buffer, tag), Ok(()));
    assert_eq!(buffer, text);
}
