//! Signals of the operating system, taken by a thread of their own.
//!
//! SIGINT, SIGTERM and SIGHUP ask the node to leave. Once that is asked, a SIGINT ends the process at once with
//! exit code 130. SIGTSTP tells the node first, so that it can pass the token, and then stops the process.

use std::io;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use rustix::process::{Signal, getpid, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::{Handle, Signals};

/// How long a node may take to pass the token before its process stops. A pass takes a few milliseconds; a
/// user who types Ctrl-Z does not notice this.
const SUSPEND_WAIT: Duration = Duration::from_millis(100);
/// Exit code of a process that was forced to end.
const EXIT_FORCED: i32 = 130;

/// What the operating system, or the user through it, wants of this process.
#[derive(Clone, Debug)]
pub enum HostSignal {
    /// Leave the ring and end.
    Leave,
    /// The process ends when the callback returns, with exit code 130: time to put the terminal in order.
    Force,
    /// The process is about to stop: pass the token. The process stops once this sender is used or dropped, or
    /// after a tenth of a second.
    Suspend(Sender<()>),
    /// The process goes on after a stop.
    Resumed,
}

/// Takes signals while it exists.
#[derive(Debug)]
pub struct SignalWatch {
    handle: Handle,
}

impl Drop for SignalWatch {
    fn drop(&mut self) {
        self.handle.close();
    }
}

/// Starts the thread that takes signals and hands them to `deliver`.
///
/// `deliver` runs on that thread; while it does, no further signal is seen, so it must not wait for long.
/// Dropping the watch does not give signals their usual effect back: that is for the end of the process.
pub fn watch(deliver: impl FnMut(HostSignal) + Send + 'static) -> io::Result<SignalWatch> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGTSTP])?;
    let handle = signals.handle();
    thread::Builder::new()
        .name("signals".to_string())
        .spawn(move || {
            let mut ladder = Ladder {
                leaving: false,
                deliver,
            };
            for signal in &mut signals {
                ladder.take(signal);
            }
        })?;
    Ok(SignalWatch { handle })
}

/// From asking to forcing.
#[derive(Debug)]
struct Ladder<F> {
    /// A leave was asked for already.
    leaving: bool,
    deliver: F,
}

impl<F: FnMut(HostSignal)> Ladder<F> {
    fn take(&mut self, signal: i32) {
        match signal {
            SIGTSTP => self.suspend(),
            SIGINT if self.leaving => {
                (self.deliver)(HostSignal::Force);
                std::process::exit(EXIT_FORCED);
            }
            // Being asked again by other signals changes nothing.
            _ if self.leaving => {}
            _ => {
                self.leaving = true;
                (self.deliver)(HostSignal::Leave);
            }
        }
    }

    fn suspend(&mut self) {
        let (passed, wait) = bounded(1);
        (self.deliver)(HostSignal::Suspend(passed));
        // Used, dropped or not in time: the process stops in any case.
        let _ = wait.recv_timeout(SUSPEND_WAIT);
        if let Err(error) = kill_process(getpid(), Signal::STOP) {
            log::warn!("cannot stop this process: {error}");
        }
        // Here the process was stopped, and goes on.
        (self.deliver)(HostSignal::Resumed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    use rustix::process::{Pid, WaitOptions, waitpid};

    /// Set in the process that a test starts to have signals sent to it.
    const CHILD: &str = "RODA_SIGNALS_TEST_CHILD";

    /// Not a test in itself: the process that signals are sent to. It prints what was delivered.
    #[test]
    fn child() {
        if std::env::var_os(CHILD).is_none() {
            return;
        }
        let _watch = watch(|signal| match signal {
            HostSignal::Suspend(passed) => {
                println!("suspend");
                passed.send(()).unwrap();
            }
            HostSignal::Leave | HostSignal::Force | HostSignal::Resumed => println!("{signal:?}"),
        })
        .unwrap();
        println!("ready");
        loop {
            thread::park();
        }
    }

    /// Starts a process that takes signals, and waits until it does.
    fn start() -> (Child, impl FnMut(&str)) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "host::signals::tests::child", "--nocapture"])
            .env(CHILD, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The test runner may print something before, also on the same line.
        let mut expect = move |wanted: &str| {
            let found = lines.by_ref().any(|line| line.unwrap().ends_with(wanted));
            assert!(found, "the process ended without saying {wanted:?}");
        };
        expect("ready");
        (child, expect)
    }

    fn send(child: &Child, signal: Signal) {
        kill_process(pid(child), signal).unwrap();
    }

    fn pid(child: &Child) -> Pid {
        Pid::from_child(child)
    }

    #[test]
    fn the_second_interrupt_forces() {
        let (mut child, mut expect) = start();
        send(&child, Signal::INT);
        expect("Leave");
        send(&child, Signal::INT);
        expect("Force");
        assert_eq!(child.wait().unwrap().code(), Some(EXIT_FORCED));
    }

    #[test]
    fn any_ending_signal_asks_once_and_an_interrupt_forces() {
        let (mut child, mut expect) = start();
        send(&child, Signal::TERM);
        expect("Leave");
        send(&child, Signal::HUP);
        send(&child, Signal::INT);
        expect("Force");
        assert_eq!(child.wait().unwrap().code(), Some(EXIT_FORCED));
    }

    #[test]
    fn a_stop_is_told_before_and_after() {
        let (mut child, mut expect) = start();
        send(&child, Signal::TSTP);
        expect("suspend");
        let status = waitpid(Some(pid(&child)), WaitOptions::UNTRACED)
            .unwrap()
            .unwrap()
            .1;
        assert_eq!(status.stopping_signal(), Some(Signal::STOP.as_raw()));
        send(&child, Signal::CONT);
        expect("Resumed");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
