//! A plan in words.

use std::fmt;

use super::{Deed, Midst};
use crate::sim::world::Weather;

/// A time in milliseconds.
struct Ms(u64);

impl fmt::Display for Ms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ms", self.0 as f64 / 1e3)
    }
}

impl fmt::Display for Midst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Midst::Recovery => "recovering",
            Midst::CatchingUp => "catching up",
            Midst::Reconciling => "reconciling",
        })
    }
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |of_thousand: u32| f64::from(of_thousand) / 10.0;
        let (loss, duplication, garbling) = (share(self.loss), share(self.duplication), share(self.garbling));
        let delay = Ms(self.delay_max_us);
        write!(
            f,
            "{loss} % lost, {duplication} % doubled, {garbling} % garbled, up to {delay} late"
        )
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Deed::Say { node, lines, long } => {
                write!(f, "{node} says {lines} lines, the first {long} times as long")
            }
            Deed::Crash {
                node,
                back_us,
                machine,
            } => {
                let what = if *machine { "the machine of " } else { "" };
                match back_us {
                    None => write!(f, "{what}{node} crashes"),
                    Some(us) => write!(f, "{what}{node} crashes and is back after {}", Ms(*us)),
                }
            }
            Deed::CrashIn { node, midst, back_us } => {
                write!(
                    f,
                    "{node} crashes when {midst} and is back after {}",
                    Ms(*back_us)
                )
            }
            Deed::Wipe(node) => write!(f, "{node} crashes and loses its disk"),
            Deed::Blackout(us) => write!(f, "the power goes everywhere, all are back after {}", Ms(*us)),
            Deed::BreakDisk(node, calls, fault) => {
                write!(f, "the disk of {node} breaks after {calls} calls: {fault:?}")
            }
            Deed::FillDisk(node, room, us) => {
                write!(f, "the disk of {node} has room for {room} bytes, for {}", Ms(*us))
            }
            Deed::Rot(node, us) => {
                write!(
                    f,
                    "{node} crashes, a bit of its disk rots, and it is back after {}",
                    Ms(*us)
                )
            }
            Deed::RotUnder(node) => write!(f, "a bit rots on the disk of {node}"),
            Deed::Start(node) => write!(f, "{node} starts"),
            Deed::Sleep(node) => write!(f, "{node} sleeps"),
            Deed::Wake => write!(f, "all wake"),
            Deed::Partition(left) => {
                let left: Vec<String> = left.iter().map(ToString::to_string).collect();
                write!(f, "{} are cut off from the others", left.join(", "))
            }
            Deed::OneWay(from, to) => write!(f, "nothing gets from {from} to {to}"),
            Deed::Deaf(node) => write!(f, "multicast does not reach {node}"),
            Deed::Clog(from, to, mean_us) => {
                write!(f, "from {from} to {to} it takes {} on average", Ms(*mean_us))
            }
            Deed::Mend => write!(f, "all links work"),
            Deed::Jump(node, us) => write!(f, "the clock of {node} jumps ahead by {}", Ms(*us)),
            Deed::Drift(node, millionths) => {
                write!(f, "the clock of {node} drifts by {millionths} millionths")
            }
            Deed::Wall(node, us) => write!(f, "the wall clock of {node} is set by {} s", us / 1_000_000),
            Deed::Forge(at, of) => write!(f, "{at} is told falsely that the port of {of} is closed"),
            Deed::Reconcile(node) => write!(f, "{node} asks for a reconciliation"),
            Deed::Weather(weather) => write!(f, "weather: {weather}"),
            Deed::Leave(node) => write!(f, "{node} leaves"),
            Deed::Nothing => write!(f, "(left out)"),
        }
    }
}
