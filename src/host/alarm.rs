//! A wait that ends at a microsecond. What the driver waits with counts in milliseconds and rounds up; on Linux a timer
//! that is one of its sources (`timerfd`) ends the wait before. Elsewhere waits end at whole milliseconds.

use mio::{Registry, Token};

use crate::words::Time;

/// The timer, and for when it is set.
#[derive(Debug)]
pub struct Alarm {
    timer: Option<machine::Timer>,
    set: Option<Time>,
}

impl Alarm {
    /// A timer that wakes whoever polls this registry. A machine that has none is no worse than a coarse one.
    pub fn open(registry: &Registry, token: Token) -> Alarm {
        let timer = machine::open(registry, token)
            .inspect_err(|error| log::debug!("waits end at whole milliseconds: {error}"))
            .ok();
        Alarm { timer, set: None }
    }

    /// Wakes at this moment of [`crate::host::clock::now`], and at no other.
    pub fn set(&mut self, at: Option<Time>) {
        if at == self.set {
            return;
        }
        self.set = at;
        if let Some(timer) = &self.timer {
            machine::set(timer, at);
        }
    }
}

#[cfg(target_os = "linux")]
mod machine {
    use std::io;
    use std::os::fd::{AsRawFd, OwnedFd};

    use mio::unix::SourceFd;
    use mio::{Interest, Registry, Token};
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };

    use crate::words::Time;

    pub type Timer = OwnedFd;

    pub fn open(registry: &Registry, token: Token) -> io::Result<Timer> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Boottime, flags)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
        Ok(timer)
    }

    /// Each expiry is an edge of its own, so the timer need not be read.
    pub fn set(timer: &Timer, at: Option<Time>) {
        // A moment of zero would stop it.
        let us = at.map_or(0, |at| at.0.max(1));
        let spec = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: Timespec {
                tv_sec: i64::try_from(us / 1_000_000).unwrap_or(i64::MAX),
                tv_nsec: (us % 1_000_000 * 1_000) as i64,
            },
        };
        if let Err(error) = timerfd_settime(timer, TimerfdTimerFlags::ABSTIME, &spec) {
            log::debug!("a wait ends at a whole millisecond: {error}");
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod machine {
    use std::io;

    use mio::{Registry, Token};

    use crate::words::Time;

    #[derive(Debug)]
    pub enum Timer {}

    pub fn open(_registry: &Registry, _token: Token) -> io::Result<Timer> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn set(timer: &Timer, _at: Option<Time>) {
        match *timer {}
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::time::Duration;

    use mio::{Events, Poll};

    use super::*;
    use crate::host::clock;

    const ALARM: Token = Token(7);

    fn woken_within(poll: &mut Poll, wait: Duration) -> bool {
        let mut events = Events::with_capacity(4);
        poll.poll(&mut events, Some(wait)).unwrap();
        events.iter().any(|event| event.token() == ALARM)
    }

    #[test]
    fn it_wakes_at_each_moment_that_it_is_set_for_and_never_before() {
        let mut poll = Poll::new().unwrap();
        let mut alarm = Alarm::open(poll.registry(), ALARM);
        for ahead_us in [0, 700, 2_500] {
            let at = clock::now().after_us(ahead_us);
            alarm.set(Some(at));
            assert!(woken_within(&mut poll, Duration::from_secs(10)));
            assert!(clock::now() >= at);
        }
    }

    #[test]
    fn it_wakes_nobody_for_what_was_taken_back() {
        let mut poll = Poll::new().unwrap();
        let mut alarm = Alarm::open(poll.registry(), ALARM);
        alarm.set(Some(clock::now().after_us(20_000)));
        alarm.set(None);
        assert!(!woken_within(&mut poll, Duration::from_millis(60)));
    }
}
