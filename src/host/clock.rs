//! The machine's clocks and its dice: read here, and handed to the core as numbers.
#![allow(clippy::disallowed_methods)] // This file is where the host reads the clock.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::TryRng;
use rand::rngs::SysRng;
use rustix::time::{ClockId, clock_gettime};

use crate::words::{Time, WallTime};

/// The clock that goes on while the machine sleeps, so that a laptop that wakes sees how long it was away.
#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCK: ClockId = ClockId::Boottime;
/// Elsewhere the monotonic clock; on macOS it goes on while the machine sleeps as well.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCK: ClockId = ClockId::Monotonic;

/// Microseconds since the machine started, sleep included. Never runs backwards.
pub fn now() -> Time {
    let read = clock_gettime(CLOCK);
    let seconds = u64::try_from(read.tv_sec).expect("time since the machine started is not negative");
    let part_us = u64::try_from(read.tv_nsec).expect("a part of a second is not negative") / 1_000;
    Time(seconds * 1_000_000 + part_us)
}

/// The wall clock, for people. A clock set before 1970 reads as 1970.
pub fn wall() -> WallTime {
    let ms = since_1970().as_millis();
    WallTime(u64::try_from(ms).unwrap_or(u64::MAX))
}

/// The wall clock in microseconds since 1970: what a new incarnation begins with.
pub fn wall_us() -> u64 {
    u64::try_from(since_1970().as_micros()).unwrap_or(u64::MAX)
}

/// A seed for the core's dice, from the operating system.
///
/// Fails only where the system has no random numbers to give.
pub fn seed() -> io::Result<u64> {
    SysRng.try_next_u64().map_err(io::Error::other)
}

fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_goes_forward_in_microseconds() {
        let before = now();
        std::thread::sleep(Duration::from_millis(5));
        let passed_us = now().since_us(before);
        assert!((5_000..5_000_000).contains(&passed_us), "{passed_us} µs");
    }

    #[test]
    fn both_wall_clocks_tell_the_same_time() {
        let ms = wall().0;
        assert!(ms > 1_700_000_000_000, "after 2023");
        assert!((wall_us() / 1_000).abs_diff(ms) < 5_000);
    }

    #[test]
    fn seeds_differ() {
        assert_ne!(seed().unwrap(), seed().unwrap());
    }
}
