//! Every interval of the protocol, derived from the token timeout.
//!
//! | interval | formula | at 200 ms |
//! |---|---|---|
//! | token loss, while somebody waits | T, at least 8 × the longest recent rotation, at most 10 T; at least members × T / 40 | 200 ms up to 40 |
//! | token loss, while nobody waits | that + members × idle rest | 950 ms for 3 |
//! | consensus (the silent count as failed) | T / 2, at least present × T / 40 | 100 ms up to 20 |
//! | commit and recovery without progress | T, at least members × T / 20 | 200 ms up to 20 |
//! | commit token sent again | as the token in a ring whose rotation is not known | 5 ms up to 10 |
//! | join sent again | T / 8, at least present × T / 100 | 25 ms up to 12 |
//! | join sent because the view changed | at once; no sooner after the last one than T / 1,000 for each present beyond eight | 0; 38 ms for 200 |
//! | request sent again | as the token, while somebody waits | 5 ms |
//! | token sent again, while somebody waits | 4 × the shortest recent rotation, between T / 40 and T / 4 (or a quarter of members × T / 40), doubling; before one is known members × T / 400 | 5 ms up to 10 |
//! | the same, while somebody lacks something and nobody waits | 4 × that | 20 ms |
//! | chunks asked for again | T / 40, doubling up to T / 4 | 5 ms |
//! | idle rest of a token | 1.25 T, at least 250 ms, for each member, all of them at the first: 4 passes a second | 750 ms for 3 |
//! | rest while messages are being written | T / 8, at most T / members | 25 ms up to 8 |
//! | beacon of a ring | the larger of 1 s and 5 T | 1 s |
//! | probe without answer | T / 4; the same sender again after 1 s, doubling up to 32 s | 50 ms |
//! | probe of a member whose port is closed, without answer | the token timeout in force / 8; the same member again after 1 s, doubling up to 32 s | 25 ms |
//! | first beacon of a ring that others left out | T / 8 | 25 ms |
//! | epoch of the next ring stored | T after a ring is installed; where more than eight gather, as soon as they agree | 200 ms |
//!
//! What is measured by rotations takes a hop for each member. Where no rotation is known yet, a hop counts as 5 ms before the
//! token is lost (10 ms where it may wait for a disk), and as half a millisecond before something is sent again.

use crate::words::Time;

/// The intervals, in microseconds.
#[derive(Clone, Debug)]
pub struct Timing {
    token_timeout_us: u64,
    /// Members of the ring, installed or being formed.
    members: u64,
    /// The longest of the recent rotations, fading.
    rotation_peak_us: u64,
    /// The shortest of them, rising; 0 before the first.
    rotation_low_us: u64,
    /// The last rotation.
    pub rotation_us: u64,
    last_visit: Option<Time>,
}

impl Timing {
    /// All intervals from the one knob.
    pub fn new(token_timeout_us: u64) -> Timing {
        assert!(
            token_timeout_us >= 1_000,
            "a token timeout of {token_timeout_us} us is no timeout"
        );
        Timing {
            token_timeout_us,
            members: 1,
            rotation_peak_us: 0,
            rotation_low_us: 0,
            rotation_us: 0,
            last_visit: None,
        }
    }

    /// A ring of so many members is being formed.
    pub fn ring_of(&mut self, members: usize) {
        self.members = members as u64;
    }

    /// The shortest token timeout of a ring of this size.
    fn base(&self) -> u64 {
        self.token_timeout_us
            .max(self.members * self.token_timeout_us / 40)
    }

    /// The token timeout of a ring of whatever size: adapts upward to the rotation it measures.
    fn adapted(&self) -> u64 {
        let shortest = self.token_timeout_us;
        (self.rotation_peak_us * 8).clamp(shortest, shortest * 10)
    }

    /// The token timeout in force.
    pub fn token_timeout(&self) -> u64 {
        self.adapted().max(self.base())
    }

    /// Without progress for this long while nobody waits, the token counts as lost.
    pub fn lazy_token_timeout(&self, members: usize) -> u64 {
        self.token_timeout() + members as u64 * self.idle_rest()
    }

    /// Who is silent or disagrees for this long while gathering counts as failed.
    pub fn consensus(&self, present: usize) -> u64 {
        (self.token_timeout_us / 2).max(present as u64 * self.token_timeout_us / 40)
    }

    /// Commit and recovery are given up without progress for this long: a round of the commit token, on which members
    /// may have to store the epoch.
    pub fn forming(&self) -> u64 {
        self.token_timeout_us
            .max(self.members * self.token_timeout_us / 20)
    }

    /// Between two joins. Each goes to all who are present, so all of them together would drown in what each repeats.
    pub fn join_again(&self, present: usize) -> u64 {
        (self.token_timeout_us / 8).max(present as u64 * self.token_timeout_us / 100)
    }

    /// Between two joins because the view changed: where many start at once, each hears of many others one after the
    /// other, and need not tell all of each.
    pub fn join_apart(&self, present: usize) -> u64 {
        let beyond = present.saturating_sub(8) as u64;
        beyond * self.token_timeout_us / 1_000
    }

    /// Before the first repetition of a request: it is answered as soon as the token can be here.
    pub fn request_again(&self) -> u64 {
        self.token_again()
    }

    /// Before the first repetition of a token that somebody is in want of. A rotation in which something was lost says nothing
    /// of how long one takes (Karn and Partridge, 1987), so the shortest recent one counts.
    pub fn token_again(&self) -> u64 {
        let known = match self.rotation_low_us {
            0 => self.members * self.token_timeout_us / 400,
            low => low * 4,
        };
        known.clamp(self.token_timeout_us / 40, self.again_max())
    }

    /// Before chunks are asked for again.
    pub fn nack_again(&self) -> u64 {
        self.token_timeout_us / 40
    }

    /// The longest interval between repetitions.
    pub fn again_max(&self) -> u64 {
        self.base() / 4
    }

    /// How long the token rests for each member when nothing is left to do.
    pub fn idle_rest(&self) -> u64 {
        (self.token_timeout_us / 4 * 5).max(250_000)
    }

    /// How long it rests while messages are being written.
    pub fn settling_rest(&self) -> u64 {
        self.token_timeout_us / self.members.max(8)
    }

    /// How long it rests when it goes fast and nothing changed since its last visit.
    pub fn spin_rest(&self) -> u64 {
        self.token_timeout_us / 200
    }

    /// Between two beacons.
    pub fn beacon(&self) -> u64 {
        (self.token_timeout_us * 5).max(1_000_000)
    }

    /// How long a probed member may take to answer.
    pub fn probe(&self) -> u64 {
        self.token_timeout_us / 4
    }

    /// How long a member whose port was said to be closed may take to answer.
    pub fn suspicion(&self) -> u64 {
        self.adapted() / 8
    }

    /// After a ring was installed, before the epoch of the next one is stored.
    pub fn reserve(&self) -> u64 {
        self.token_timeout_us
    }

    /// The first pause before the same foreign sender is probed again.
    pub fn probe_again(&self) -> u64 {
        1_000_000
    }

    /// Multicast counts as filtered when none came for this long although messages were sent.
    pub fn filtered(&self) -> u64 {
        self.token_timeout_us * 10
    }

    /// The token is here: measures the rotation, if it was asked for and when. A token that nobody waits for
    /// rests on its way, and its last hop does not tell; so only the time since the request counts.
    pub fn visited(&mut self, now: Time, asked_at: Option<Time>) {
        if let (Some(last), Some(asked_at)) = (self.last_visit, asked_at) {
            self.rotation_us = now.since_us(last.max(asked_at));
            let risen = match self.rotation_low_us {
                0 => u64::MAX,
                low => low + low / 4 + 1,
            };
            self.rotation_low_us = risen.min(self.rotation_us);
            let faded = self.rotation_peak_us - self.rotation_peak_us / 16;
            let counted = self.rotation_us.min(self.token_timeout_us * 2);
            self.rotation_peak_us = faded.max(counted);
        }
        self.last_visit = Some(now);
    }

    /// A new ring begins: its rotation is not known yet.
    pub fn forget_rotation(&mut self) {
        self.last_visit = None;
        (self.rotation_us, self.rotation_low_us) = (0, 0);
    }
}

/// A repetition that waits twice as long each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// When it is due.
    pub at: Time,
    /// The pause after that.
    pub pause_us: u64,
    /// How many there were before it.
    pub times: u32,
}

impl Repeat {
    /// The first repetition is due after `pause_us`.
    pub fn first(now: Time, pause_us: u64) -> Repeat {
        Repeat {
            at: now.after_us(pause_us),
            pause_us,
            times: 0,
        }
    }

    /// The one after it, at most `pause_max_us` later.
    pub fn again(self, now: Time, pause_max_us: u64) -> Repeat {
        let pause_us = (self.pause_us * 2).min(pause_max_us.max(self.pause_us));
        Repeat {
            times: self.times.saturating_add(1),
            ..Repeat::first(now, pause_us)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interval_is_what_the_table_says() {
        let timing = Timing::new(200_000);
        assert_eq!(timing.token_timeout(), 200_000);
        assert_eq!(timing.lazy_token_timeout(3), 950_000);
        assert_eq!((timing.consensus(1), timing.consensus(20)), (100_000, 100_000));
        assert_eq!(timing.forming(), 200_000);
        assert_eq!((timing.join_again(1), timing.join_again(12)), (25_000, 25_000));
        assert_eq!(timing.request_again(), 5_000);
        assert_eq!(timing.token_again(), 5_000);
        assert_eq!(timing.nack_again(), 5_000);
        assert_eq!(timing.again_max(), 50_000);
        assert_eq!(timing.idle_rest(), 250_000);
        assert_eq!(timing.settling_rest(), 25_000);
        assert_eq!(timing.spin_rest(), 1_000);
        assert_eq!(timing.beacon(), 1_000_000);
        assert_eq!(timing.probe(), 50_000);
        assert_eq!(timing.probe_again(), 1_000_000);
        assert_eq!(timing.filtered(), 2_000_000);
        assert_eq!((timing.suspicion(), timing.reserve()), (25_000, 200_000));
    }

    #[test]
    fn what_goes_round_is_given_time_for_each_member_and_what_does_not_is_not() {
        let ring_of = |members| {
            let mut timing = Timing::new(200_000);
            timing.ring_of(members);
            timing
        };
        let small = ring_of(8);
        assert_eq!((small.token_timeout(), small.forming()), (200_000, 200_000));
        assert_eq!((small.token_again(), small.settling_rest()), (5_000, 25_000));
        assert_eq!(
            (ring_of(40).token_timeout(), ring_of(20).forming()),
            (200_000, 200_000)
        );
        let large = ring_of(200);
        assert_eq!((large.token_timeout(), large.forming()), (1_000_000, 2_000_000));
        assert_eq!((large.token_again(), large.again_max()), (100_000, 250_000));
        assert_eq!((large.settling_rest(), large.suspicion()), (1_000, 25_000));
        assert_eq!(
            (large.consensus(200), large.join_again(200)),
            (1_000_000, 400_000)
        );
        let apart = [3, 8, 9, 64, 200].map(|present| large.join_apart(present));
        assert_eq!(apart, [0, 0, 200, 11_200, 38_400]);
    }

    #[test]
    fn a_large_ring_whose_rotation_is_known_goes_by_that() {
        let mut timing = after(30_000);
        timing.ring_of(200);
        assert_eq!(
            (timing.token_timeout(), timing.token_again()),
            (1_000_000, 120_000)
        );
        let mut timing = after(200_000);
        timing.ring_of(200);
        assert_eq!((timing.token_timeout(), timing.suspicion()), (1_600_000, 200_000));
    }

    #[test]
    fn a_longer_timeout_rests_longer_and_a_shorter_one_keeps_the_floors() {
        let (long, short) = (Timing::new(1_000_000), Timing::new(20_000));
        assert_eq!((long.idle_rest(), long.beacon()), (1_250_000, 5_000_000));
        assert_eq!((short.idle_rest(), short.beacon()), (250_000, 1_000_000));
    }

    #[test]
    #[should_panic(expected = "999 us is no timeout")]
    fn less_than_a_millisecond_is_refused() {
        assert_eq!(Timing::new(1_000).token_timeout(), 1_000);
        Timing::new(999);
    }

    /// Timing of 200 ms whose token was here at 1 s and again after so long.
    fn after(rotation_us: u64) -> Timing {
        let mut timing = Timing::new(200_000);
        timing.visited(Time(1_000_000), None);
        timing.visited(Time(1_000_000 + rotation_us), Some(Time(900_000)));
        timing
    }

    #[test]
    fn the_timeout_rises_to_eight_rotations_and_no_higher_than_ten_times_itself() {
        assert_eq!(after(25_000).token_timeout(), 200_000);
        assert_eq!(after(25_001).token_timeout(), 200_008);
        assert_eq!(after(100_000).token_timeout(), 800_000);
        assert_eq!(after(10_000_000).token_timeout(), 2_000_000);
        assert_eq!(after(100_000).lazy_token_timeout(2), 1_300_000);
    }

    #[test]
    fn a_token_is_sent_again_after_four_rotations_within_bounds() {
        assert_eq!(after(1_000).token_again(), 5_000);
        assert_eq!(after(2_000).token_again(), 8_000);
        assert_eq!(after(2_000).request_again(), 8_000);
        assert_eq!(after(90_000).token_again(), 50_000);
    }

    #[test]
    fn a_rotation_in_which_something_was_lost_hardly_delays_the_next_repetition() {
        let mut timing = after(2_000);
        let mut now = Time(1_002_000);
        let mut visit = |rotation_us: u64| {
            now = now.after_us(rotation_us);
            timing.visited(now, Some(Time(0)));
            timing.token_again()
        };
        assert_eq!(visit(40_000), 4 * 2_501);
        assert_eq!(visit(1_500), 6_000);
        // Rotations that stay long are believed before long.
        let believed = (0..20).position(|_| visit(10_000) == 40_000);
        assert_eq!(believed, Some(8));
    }

    #[test]
    fn only_a_rotation_that_was_asked_for_is_measured_and_from_then_on() {
        let mut timing = Timing::new(200_000);
        timing.visited(Time(1_000_000), Some(Time(0)));
        assert_eq!(timing.rotation_us, 0, "the first visit ends no rotation");
        timing.visited(Time(1_500_000), None);
        assert_eq!((timing.rotation_us, timing.token_timeout()), (0, 200_000));
        timing.visited(Time(1_600_000), Some(Time(1_560_000)));
        assert_eq!((timing.rotation_us, timing.token_timeout()), (40_000, 320_000));
        timing.forget_rotation();
        assert_eq!((timing.rotation_us, timing.token_timeout()), (0, 320_000));
        timing.visited(Time(9_000_000), Some(Time(8_000_000)));
        assert_eq!(timing.rotation_us, 0, "the old ring's last visit does not count");
    }

    #[test]
    fn a_long_rotation_fades_by_a_sixteenth_a_visit() {
        let mut timing = after(160_000);
        assert_eq!(timing.token_timeout(), 1_280_000);
        timing.visited(Time(1_161_000), Some(Time(0)));
        assert_eq!((timing.rotation_us, timing.token_timeout()), (1_000, 1_200_000));
        timing.visited(Time(1_162_000), Some(Time(0)));
        assert_eq!(timing.token_timeout(), 8 * 140_625);
        // However long the token was away, it counts as twice the timeout, so that it fades before long.
        let mut timing = after(10_000_000);
        for visit in 1..=8 {
            timing.visited(Time(11_000_000 + visit), Some(Time(0)));
        }
        assert_eq!(timing.token_timeout(), 1_909_520);
    }

    #[test]
    fn a_repetition_waits_twice_as_long_up_to_a_bound_that_is_not_below_the_first() {
        let first = Repeat::first(Time(100), 10);
        assert_eq!((first.at, first.pause_us), (Time(110), 10));
        let second = first.again(Time(200), 25);
        assert_eq!((second.at, second.pause_us), (Time(220), 20));
        let third = second.again(Time(300), 25);
        assert_eq!((third.at, third.pause_us), (Time(325), 25));
        assert_eq!(third.again(Time(400), 7).pause_us, 25);
        assert_eq!([first, second, third].map(|repeat| repeat.times), [0, 1, 2]);
    }
}
