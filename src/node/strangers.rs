//! Strangers: who on this address has another key, or none where there is one here. Their datagrams are not
//! understood, but that they are there explains why somebody is not in the ring. They are counted by address, and
//! told now and then.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::face::{Foreign, Notice, Stranger};
use crate::wire::Refused;
use crate::words::Time;

/// Strangers that are kept in mind; who comes on top is only counted by reason.
const STRANGERS_MAX: usize = 16;
/// How long datagrams are counted for one rate.
const SPAN_US: u64 = 1_000_000;
/// A stranger is told again only after this time.
const PAUSE_US: u64 = 60_000_000;
/// A stranger that was silent for so long makes room for another one.
const GONE_US: u64 = 60_000_000;
/// What shows that there is somebody who is not understood.
const FOREIGN: [(Refused, Foreign); 3] = [
    (Refused::Sealed, Foreign::WithKey),
    (Refused::NoKey, Foreign::WithoutKey),
    (Refused::OtherKey, Foreign::OtherKey),
];
/// A single datagram may be damage.
const TELL_MIN: u64 = 2;

/// What is known of one.
#[derive(Clone, Copy, Debug)]
struct Known {
    total: u64,
    /// Datagrams of the last span that is over, by its length.
    per_second: u64,
    /// The span that is being counted, and how many came in it.
    since: Option<Time>,
    count: u64,
    heard: Time,
    told: Option<Time>,
}

/// All that are kept in mind.
#[derive(Clone, Debug, Default)]
pub(super) struct Strangers {
    known: BTreeMap<(Ipv4Addr, Foreign), Known>,
}

impl Strangers {
    /// A datagram was refused; if that was for want of the right key, it is remembered from whom.
    pub(super) fn heard(&mut self, now: Time, from: Ipv4Addr, refused: Refused) {
        let Some((_, foreign)) = FOREIGN.iter().find(|(reason, _)| *reason == refused) else {
            return;
        };
        let foreign = *foreign;
        if !self.known.contains_key(&(from, foreign)) && self.known.len() >= STRANGERS_MAX {
            self.known.retain(|_, known| now.since_us(known.heard) < GONE_US);
        }
        if !self.known.contains_key(&(from, foreign)) && self.known.len() >= STRANGERS_MAX {
            return;
        }
        let known = self.known.entry((from, foreign)).or_insert(Known {
            total: 0,
            per_second: 0,
            since: None,
            count: 0,
            heard: now,
            told: None,
        });
        known.total += 1;
        known.count += 1;
        known.heard = now;
        known.since.get_or_insert(now);
    }

    /// When the next span is over.
    pub(super) fn deadline(&self) -> Option<Time> {
        let since = self.known.values().filter_map(|known| known.since).min();
        since.map(|since| since.after_us(SPAN_US))
    }

    /// Ends the spans that are over. Returns what is to be told.
    pub(super) fn tick(&mut self, now: Time) -> Vec<Notice> {
        let mut notices = Vec::new();
        for ((from, foreign), known) in &mut self.known {
            let Some(since) = known.since.filter(|since| since.after_us(SPAN_US) <= now) else {
                continue;
            };
            let passed_us = now.since_us(since).max(1);
            known.per_second = (known.count * 1_000_000).div_ceil(passed_us);
            let many = known.total >= TELL_MIN;
            (known.since, known.count) = (None, 0);
            let due = known.told.is_none_or(|told| now.since_us(told) >= PAUSE_US);
            if due && many {
                known.told = Some(now);
                notices.push(Notice::Stranger(stranger(*from, *foreign, known)));
            }
        }
        notices
    }

    /// All that are kept in mind.
    pub(super) fn list(&self) -> Vec<Stranger> {
        let known = self.known.iter();
        known
            .map(|((from, foreign), known)| stranger(*from, *foreign, known))
            .collect()
    }
}

fn stranger(from: Ipv4Addr, foreign: Foreign, known: &Known) -> Stranger {
    Stranger {
        from,
        foreign,
        per_second: known.per_second,
        total: known.total,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: Ipv4Addr = Ipv4Addr::LOCALHOST;

    #[test]
    fn a_stranger_is_told_with_its_rate_and_then_left_alone() {
        let mut strangers = Strangers::default();
        let mut told = Vec::new();
        for step in 0..240u64 {
            let now = Time(step * 500_000);
            strangers.heard(now, FROM, Refused::OtherKey);
            if strangers.deadline().is_some_and(|at| at <= now) {
                told.extend(strangers.tick(now).into_iter().map(|notice| (step / 2, notice)));
            }
        }
        let [(first, Notice::Stranger(stranger)), (second, _)] = &told[..] else {
            panic!("twice in two minutes: {told:?}");
        };
        assert_eq!((*first, *second), (1, 61));
        assert_eq!((stranger.foreign, stranger.per_second), (Foreign::OtherKey, 3));
        assert_eq!(strangers.list()[0].total, 240);
    }

    #[test]
    fn damage_is_no_stranger_and_crowds_are_bounded() {
        let mut strangers = Strangers::default();
        strangers.heard(Time(0), FROM, Refused::Sealed);
        strangers.heard(Time(0), FROM, Refused::WrongChecksum);
        assert_eq!(strangers.tick(Time(1_000_000)), []);
        for number in 0..1_000u32 {
            strangers.heard(Time(2_000_000), Ipv4Addr::from(number), Refused::NoKey);
        }
        assert_eq!(strangers.list().len(), STRANGERS_MAX);
        strangers.heard(Time(100_000_000), FROM, Refused::NoKey);
        assert_eq!(strangers.list().len(), 1, "who is silent makes room");
    }
}
