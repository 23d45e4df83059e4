//! Followers that come new, come back in time or too late, and do not keep up.

use super::*;

use crate::host::events::{Kind, Mark};
use crate::words::{NodeId, Time, WallTime, samples};

/// Long enough for a thread to be scheduled on a busy machine.
const LONG: Duration = Duration::from_secs(20);

fn told(n: u64, kind: Kind) -> Told {
    Told {
        mark: Mark {
            at: WallTime(1_763_680_000_482),
            n,
            node: NodeId(3),
            us: Time(n),
        },
        line: Arc::from(format!("{{\"n\":{n}}}")),
        kind,
    }
}

fn feed() -> Feed {
    Feed::start(Arc::new(|| {})).unwrap()
}

/// The numbers of the next events.
fn next(subscription: &mut Subscription, count: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        match subscription.next(LONG) {
            Next::Told(told) => numbers.push(told.n()),
            other @ (Next::Nothing | Next::Closed) => panic!("{other:?} after {numbers:?}"),
        }
    }
    numbers
}

/// All that a journal tells somebody first.
fn first(journal: &Journal, after: Option<u64>) -> Vec<(u64, String)> {
    let told = journal.since(after).into_iter();
    told.map(|told| (told.n(), told.line.to_string())).collect()
}

/// Nineteen of twenty events of the moment, the others kept.
fn kind_of(n: u64) -> Kind {
    if n.is_multiple_of(20) {
        Kind::Kept
    } else {
        Kind::Passing
    }
}

#[test]
fn who_comes_back_gets_all_of_both_kinds_in_their_order_and_then_what_happens() {
    let feed = feed();
    (1..=1_000).for_each(|n| feed.publish(told(n, kind_of(n))));
    for after in [0, 1, 19, 20, 21, 500, 999, 1_000] {
        let mut subscription = feed.subscribe(Some(after)).unwrap();
        let missed = (1_000 - after) as usize;
        assert_eq!(
            next(&mut subscription, missed),
            (after + 1..=1_000).collect::<Vec<_>>()
        );
        assert_eq!(subscription.next(Duration::ZERO), Next::Nothing);
    }
    let mut subscription = feed.subscribe(Some(990)).unwrap();
    (1_001..=1_010).for_each(|n| feed.publish(told(n, kind_of(n))));
    assert_eq!(next(&mut subscription, 20), (991..=1_010).collect::<Vec<_>>());
}

#[test]
fn a_busy_token_pushes_out_no_message_and_what_is_forgotten_of_it_is_counted() {
    let mut journal = Journal::default();
    let all = 30_000;
    (1..=all).for_each(|n| journal.add(told(n, kind_of(n))));
    let missed = first(&journal, Some(10));
    let kept = missed.iter().filter(|(n, _)| n % 20 == 0 && *n > 10);
    assert_eq!(kept.count(), 1_500);
    let forgotten = all - 10 - (missed.len() as u64 - 1);
    assert_eq!(forgotten, 28_500 - 20_000 - 10);
    assert!(
        missed[0]
            .1
            .contains(&format!(r#""event":10,"node":3,"us":30000,"count":{forgotten}"#))
    );
    assert!(missed.windows(2).all(|pair| pair[0].0 < pair[1].0));
}

#[test]
fn who_comes_back_too_late_or_from_another_life_begins_anew() {
    let mut journal = Journal::default();
    (1..=3)
        .zip([Kind::Start, Kind::Story, Kind::Ring])
        .for_each(|(n, kind)| journal.add(told(n, kind)));
    (4..=30_000).for_each(|n| journal.add(told(n, Kind::Kept)));
    for after in [3, 5_000, 30_001] {
        let told = first(&journal, Some(after));
        assert!(
            told[0].1.starts_with(r#"{"v":1,"type":"reset","at":"#),
            "{:?}",
            told[0]
        );
        assert!(
            told[0]
                .1
                .contains(r#""reason":"what happened meanwhile is no longer"#)
        );
        let numbers: Vec<u64> = told.iter().map(|(n, _)| *n).collect();
        assert_eq!(numbers[..4], [0, 1, 2, 3]);
        assert_eq!((numbers[4], numbers.len()), (29_501, 504));
    }
    assert_eq!(
        first(&journal, Some(29_999)),
        [(30_000, r#"{"n":30000}"#.to_string())]
    );
    let forgotten = 30_000 - 20_000;
    assert_eq!(first(&journal, Some(forgotten)).len(), 20_000);
    assert!(first(&journal, Some(forgotten - 1))[0].1.contains("reset"));
}

#[test]
fn who_comes_new_is_told_what_stands_once_and_in_order() {
    let mut journal = Journal::default();
    let (one, two) = (samples::id(3, 1), samples::id(3, 2));
    let kinds = [
        Kind::Start,
        Kind::Story,
        Kind::Status,
        Kind::Token,
        Kind::Ring,
        Kind::Pending(one),
        Kind::Passing,
        Kind::Pending(two),
        Kind::Ordered(one),
        Kind::Status,
        Kind::Token,
        Kind::Ring,
    ];
    (1..).zip(kinds).for_each(|(n, kind)| journal.add(told(n, kind)));
    let numbers = |journal: &Journal| journal.since(None).iter().map(Told::n).collect::<Vec<_>>();
    // The last events are told whether they stand or not; of the moment only what stands.
    assert_eq!(numbers(&journal), [1, 2, 5, 6, 8, 9, 10, 11, 12]);
    (13..=1_000).for_each(|n| journal.add(told(n, Kind::Kept)));
    let all = numbers(&journal);
    assert_eq!(all[..6], [1, 2, 8, 10, 11, 12]);
    assert_eq!((all[6], all.len()), (501, 506));
}

#[test]
fn memory_is_bounded_by_bytes_too() {
    let mut journal = Journal::default();
    let long: Arc<str> = Arc::from("x".repeat(1 << 20));
    for n in 1..=20 {
        let line = long.clone();
        journal.add(Told {
            line,
            ..told(n, Kind::Kept)
        });
    }
    assert_eq!(journal.since(Some(12)).len(), 8);
    assert!(journal.since(Some(11))[0].line.contains("reset"));
}

#[test]
fn who_does_not_keep_up_is_dropped_and_the_publisher_does_not_wait() {
    let feed = feed();
    let mut slow = feed.subscribe(None).unwrap();
    let mut quick = feed.subscribe(None).unwrap();
    // More than any channel holds: if the publisher waited for the slow one, this would not end.
    for n in 1..=10 * FOLLOWER_MAX as u64 {
        feed.publish(told(n, Kind::Kept));
        assert_eq!(next(&mut quick, 1), [n]);
    }
    let seen = next(&mut slow, FOLLOWER_MAX);
    assert_eq!(seen, (1..=FOLLOWER_MAX as u64).collect::<Vec<_>>());
    assert_eq!(slow.next(LONG), Next::Closed);
    let mut again = feed.subscribe(seen.last().copied()).unwrap();
    let rest = next(&mut again, 9 * FOLLOWER_MAX);
    assert_eq!(rest[0], FOLLOWER_MAX as u64 + 1);
    assert_eq!(rest.last(), Some(&(10 * FOLLOWER_MAX as u64)));
}

#[test]
fn followers_are_counted_bounded_and_told_of_when_the_first_comes_and_the_last_goes() {
    let (changed, changes) = crossbeam_channel::unbounded();
    let feed = Feed::start(Arc::new(move || changed.send(()).unwrap_or_default())).unwrap();
    let one = feed.subscribe(None).unwrap();
    let two = feed.subscribe(None).unwrap();
    assert_eq!((feed.followers(), changes.len()), (2, 1));
    drop(one);
    assert_eq!((feed.followers(), changes.len()), (1, 1));
    drop(two);
    assert_eq!((feed.followers(), changes.len()), (0, 2));
    let all: Vec<Subscription> = (0..FOLLOWERS_MAX)
        .map(|_| feed.subscribe(None).unwrap())
        .collect();
    assert!(feed.subscribe(None).is_none());
    drop(all);
    assert!(feed.subscribe(None).is_some());
}

#[test]
fn the_end_of_the_node_ends_every_subscription_behind_what_was_told() {
    let feed = feed();
    let mut subscription = feed.subscribe(None).unwrap();
    feed.publish(told(1, Kind::Kept));
    drop(feed);
    assert_eq!(next(&mut subscription, 1), [1]);
    assert_eq!(subscription.next(LONG), Next::Closed);
}
