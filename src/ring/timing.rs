//! Every interval of the protocol, derived from the token timeout.
//!
//! | interval | formula | at 200 ms |
//! |---|---|---|
//! | token loss, while somebody waits | T, at least 8 × the longest recent rotation, at most 10 T | 200 ms |
//! | token loss, while nobody waits | that + members × idle rest | 950 ms for 3 |
//! | consensus (the silent count as failed) | T / 2 | 100 ms |
//! | commit and recovery without progress | T | 200 ms |
//! | join sent again | T / 8 | 25 ms |
//! | request sent again | T / 20, doubling up to T / 4 | 10 ms |
//! | token sent again, while somebody waits | 4 × rotation, between T / 40 and T / 4, doubling | 5 ms |
//! | the same, while somebody lacks something and nobody waits | 4 × that | 20 ms |
//! | chunks asked for again | T / 40, doubling up to T / 4 | 5 ms |
//! | idle rest of a token | 1.25 T, at least 250 ms, for each member, all of them at the first: 4 passes a second | 750 ms for 3 |
//! | rest while messages are being written | T / 8 | 25 ms |
//! | beacon of a ring | the larger of 1 s and 5 T | 1 s |
//! | probe without answer | T / 4; the same sender again after 1 s, doubling up to 32 s | 50 ms |
//! | probe of a member whose port is closed, without answer | the token timeout in force / 8; the same member again after 1 s, doubling up to 32 s | 25 ms |
//! | first beacon of a ring that others left out | T / 8 | 25 ms |
//! | epoch of the next ring stored | T after a ring is installed | 200 ms |

use crate::words::Time;

/// The intervals, in microseconds.
#[derive(Clone, Debug)]
pub struct Timing {
    token_timeout_us: u64,
    /// The longest of the recent rotations, fading.
    rotation_peak_us: u64,
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
            rotation_peak_us: 0,
            rotation_us: 0,
            last_visit: None,
        }
    }

    /// The token timeout in force: adapts upward to the rotation it measures.
    pub fn token_timeout(&self) -> u64 {
        let base = self.token_timeout_us;
        (self.rotation_peak_us * 8).clamp(base, base * 10)
    }

    /// Without progress for this long while nobody waits, the token counts as lost.
    pub fn lazy_token_timeout(&self, members: usize) -> u64 {
        self.token_timeout() + members as u64 * self.idle_rest()
    }

    /// Who is silent or disagrees for this long while gathering counts as failed.
    pub fn consensus(&self) -> u64 {
        self.token_timeout_us / 2
    }

    /// Commit and recovery are given up without progress for this long.
    pub fn forming(&self) -> u64 {
        self.token_timeout_us
    }

    /// Between two joins.
    pub fn join_again(&self) -> u64 {
        self.token_timeout_us / 8
    }

    /// Before the first repetition of a request.
    pub fn request_again(&self) -> u64 {
        self.token_timeout_us / 20
    }

    /// Before the first repetition of a token that somebody is in want of.
    pub fn token_again(&self) -> u64 {
        (self.rotation_us * 4).clamp(self.token_timeout_us / 40, self.token_timeout_us / 4)
    }

    /// Before chunks are asked for again.
    pub fn nack_again(&self) -> u64 {
        self.token_timeout_us / 40
    }

    /// The longest interval between repetitions.
    pub fn again_max(&self) -> u64 {
        self.token_timeout_us / 4
    }

    /// How long the token rests for each member when nothing is left to do.
    pub fn idle_rest(&self) -> u64 {
        (self.token_timeout_us / 4 * 5).max(250_000)
    }

    /// How long it rests while messages are being written.
    pub fn settling_rest(&self) -> u64 {
        self.token_timeout_us / 8
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
        self.token_timeout() / 8
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
            let faded = self.rotation_peak_us - self.rotation_peak_us / 16;
            let counted = self.rotation_us.min(self.token_timeout_us * 2);
            self.rotation_peak_us = faded.max(counted);
        }
        self.last_visit = Some(now);
    }

    /// A new ring begins: its rotation is not known yet.
    pub fn forget_rotation(&mut self) {
        self.last_visit = None;
        self.rotation_us = 0;
    }
}

/// A repetition that waits twice as long each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// When it is due.
    pub at: Time,
    /// The pause after that.
    pub pause_us: u64,
}

impl Repeat {
    /// The first repetition is due after `pause_us`.
    pub fn first(now: Time, pause_us: u64) -> Repeat {
        Repeat {
            at: now.after_us(pause_us),
            pause_us,
        }
    }

    /// The one after it, at most `pause_max_us` later.
    pub fn again(self, now: Time, pause_max_us: u64) -> Repeat {
        Repeat::first(now, (self.pause_us * 2).min(pause_max_us.max(self.pause_us)))
    }
}
