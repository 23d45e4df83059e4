//! Chaos on purpose: loses, doubles and delays what arrives, so that a calm network behaves like a bad one.
//!
//! It acts on what is received, on both sockets, before the core sees it. Given the same seed and the same
//! arrivals it does the same again.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};

use crate::host::net::Received;
use crate::words::Time;

/// Shares are counted in millionths.
const WHOLE_PPM: u32 = 1_000_000;
/// The longest delay that can be asked for: more would only look like a hang.
const DELAY_US_MAX: u64 = 60_000_000;
/// How many delayed datagrams are kept; what comes on top is lost, as a full router would lose it.
const DELAYED_MAX: usize = 4_096;

/// What chaos to make: `drop=5%,dup=1%,delay=0..20ms,seed=7`, each part optional.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChaosPlan {
    /// How many of a million datagrams are lost.
    pub drop_ppm: u32,
    /// How many of a million come twice.
    pub dup_ppm: u32,
    /// The shortest delay, in microseconds.
    pub delay_min_us: u64,
    /// The longest delay, in microseconds.
    pub delay_max_us: u64,
    /// The seed, if it was given.
    pub seed: Option<u64>,
}

/// What is wrong with a `--chaos` text. Each names the text that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChaosError {
    /// A part is not `key=value`, or its key is none of ours.
    UnknownPart(String),
    /// A key is there twice.
    Twice(String),
    /// Not a share such as `5%`.
    NotAShare(String),
    /// Not a delay such as `20ms` or `0..20ms`.
    NotADelay(String),
    /// Not a whole number.
    NotASeed(String),
}

impl fmt::Display for ChaosError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChaosError::UnknownPart(part) => write!(
                f,
                "--chaos {part:?}: the parts are drop=, dup=, delay= and seed=, \
                 such as drop=5%,dup=1%,delay=0..20ms,seed=7"
            ),
            ChaosError::Twice(key) => write!(f, "--chaos gives {key}= twice; give it once"),
            ChaosError::NotAShare(text) => {
                write!(f, "--chaos {text:?}: a share is 0% to 100%, such as 5% or 0.5%")
            }
            ChaosError::NotADelay(text) => write!(
                f,
                "--chaos {text:?}: a delay is a time or a range with a unit (us, ms, s) up to 60s, \
                 such as 20ms or 0..20ms"
            ),
            ChaosError::NotASeed(text) => {
                write!(f, "--chaos {text:?}: a seed is a whole number up to {}", u64::MAX)
            }
        }
    }
}

impl std::error::Error for ChaosError {}

impl FromStr for ChaosPlan {
    type Err = ChaosError;

    fn from_str(text: &str) -> Result<ChaosPlan, ChaosError> {
        let mut plan = ChaosPlan::default();
        let mut seen = Vec::new();
        for part in text.split(',').map(str::trim) {
            let Some((key, value)) = part.split_once('=') else {
                return Err(ChaosError::UnknownPart(part.to_string()));
            };
            if seen.contains(&key) {
                return Err(ChaosError::Twice(key.to_string()));
            }
            seen.push(key);
            match key {
                "drop" => plan.drop_ppm = share(value).ok_or(ChaosError::NotAShare(part.to_string()))?,
                "dup" => plan.dup_ppm = share(value).ok_or(ChaosError::NotAShare(part.to_string()))?,
                "delay" => {
                    let (min_us, max_us) = delay(value).ok_or(ChaosError::NotADelay(part.to_string()))?;
                    (plan.delay_min_us, plan.delay_max_us) = (min_us, max_us);
                }
                "seed" => {
                    let seed = value
                        .parse()
                        .map_err(|_| ChaosError::NotASeed(part.to_string()))?;
                    plan.seed = Some(seed);
                }
                _ => return Err(ChaosError::UnknownPart(part.to_string())),
            }
        }
        Ok(plan)
    }
}

impl fmt::Display for ChaosPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |ppm: u32| f64::from(ppm) / 10_000.0;
        let ms = |us: u64| us as f64 / 1_000.0;
        let (drop, dup) = (percent(self.drop_ppm), percent(self.dup_ppm));
        let (min, max) = (ms(self.delay_min_us), ms(self.delay_max_us));
        write!(f, "drop={drop}%,dup={dup}%,delay={min}ms..{max}ms")?;
        match self.seed {
            Some(seed) => write!(f, ",seed={seed}"),
            None => Ok(()),
        }
    }
}

/// `5%` or `0.5%` in millionths.
fn share(text: &str) -> Option<u32> {
    let percent: f64 = decimal(text.strip_suffix('%')?)?;
    (percent <= 100.0).then(|| (percent * 10_000.0).round() as u32)
}

/// `20ms`, `0..20ms` or `500us..1s` in microseconds. A bare number takes the unit of the other end.
fn delay(text: &str) -> Option<(u64, u64)> {
    let (min, max) = text.split_once("..").unwrap_or((text, text));
    let unit = max.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let max_us = time_us(max)?;
    let min_us = time_us(min).or_else(|| time_us(&format!("{min}{unit}")))?;
    (min_us <= max_us && max_us <= DELAY_US_MAX).then_some((min_us, max_us))
}

/// A time with its unit; zero needs none.
fn time_us(text: &str) -> Option<u64> {
    let (number, unit_us) = match text {
        "0" => ("0", 1.0),
        _ if text.ends_with("us") => (text.strip_suffix("us")?, 1.0),
        _ if text.ends_with("ms") => (text.strip_suffix("ms")?, 1_000.0),
        _ => (text.strip_suffix('s')?, 1_000_000.0),
    };
    Some((decimal(number)? * unit_us).round() as u64)
}

/// Digits with at most one point: no sign, no exponent, no `inf`.
fn decimal(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if plain { text.parse().ok() } else { None }
}

/// What chaos did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChaosCounters {
    /// Datagrams that came in.
    pub arrived: u64,
    /// Datagrams lost on purpose.
    pub dropped: u64,
    /// Datagrams doubled on purpose.
    pub doubled: u64,
    /// Datagrams lost because too many were delayed at once.
    pub overflowed: u64,
}

/// Makes the chaos of a plan.
#[derive(Debug)]
pub struct Chaos {
    plan: ChaosPlan,
    dice: Xoshiro256PlusPlus,
    /// By the time they are due, then by the order of arrival.
    delayed: BTreeMap<(Time, u64), Received>,
    arrivals: u64,
    counters: ChaosCounters,
}

impl Chaos {
    /// Chaos by `plan`; `seed` counts where the plan names none.
    pub fn new(plan: ChaosPlan, seed: u64) -> Chaos {
        assert!(
            plan.delay_min_us <= plan.delay_max_us,
            "a plan's delay is a range"
        );
        Chaos {
            dice: Xoshiro256PlusPlus::seed_from_u64(plan.seed.unwrap_or(seed)),
            plan,
            delayed: BTreeMap::new(),
            arrivals: 0,
            counters: ChaosCounters::default(),
        }
    }

    /// Takes a datagram that arrived: it is lost, or due once or twice at some time from `now` on.
    pub fn arrive(&mut self, now: Time, datagram: Received) {
        self.counters.arrived += 1;
        // The dice are thrown alike for each datagram, so that one's fate does not shift the next one's.
        let [drop, dup] = [(); 2].map(|()| (self.dice.next_u64() % u64::from(WHOLE_PPM)) as u32);
        let due = [(); 2].map(|()| now.after_us(self.delay_us()));
        if drop < self.plan.drop_ppm {
            self.counters.dropped += 1;
            return;
        }
        if dup < self.plan.dup_ppm {
            self.counters.doubled += 1;
            self.keep(due[1], datagram.clone());
        }
        self.keep(due[0], datagram);
    }

    /// The next datagram that is due.
    pub fn due(&mut self, now: Time) -> Option<Received> {
        let entry = self.delayed.first_entry()?;
        let (due, _) = *entry.key();
        (due <= now).then(|| entry.remove())
    }

    /// When the next datagram is due.
    pub fn deadline(&self) -> Option<Time> {
        self.delayed.keys().next().map(|(due, _)| *due)
    }

    /// What was done so far.
    pub fn counters(&self) -> ChaosCounters {
        self.counters
    }

    fn delay_us(&mut self) -> u64 {
        let span = self.plan.delay_max_us - self.plan.delay_min_us + 1;
        self.plan.delay_min_us + self.dice.next_u64() % span
    }

    fn keep(&mut self, due: Time, datagram: Received) {
        if self.delayed.len() >= DELAYED_MAX {
            self.counters.overflowed += 1;
            return;
        }
        self.arrivals += 1;
        self.delayed.insert((due, self.arrivals), datagram);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use bytes::Bytes;

    fn plan(text: &str) -> ChaosPlan {
        text.parse().unwrap()
    }

    fn datagram(number: u32) -> Received {
        Received {
            from: "127.0.0.1:9".parse().unwrap(),
            multicast: true,
            bytes: Bytes::copy_from_slice(&number.to_le_bytes()),
        }
    }

    /// Feeds numbered datagrams, one each millisecond, and returns what comes out, with its time.
    fn run(plan: ChaosPlan, seed: u64, count: u32) -> (Vec<(Time, u32)>, ChaosCounters) {
        let mut chaos = Chaos::new(plan, seed);
        let mut out = Vec::new();
        for at_ms in 0..count + 100 {
            let now = Time(u64::from(at_ms) * 1_000);
            if at_ms < count {
                chaos.arrive(now, datagram(at_ms));
            }
            while let Some(due) = chaos.due(now) {
                out.push((now, u32::from_le_bytes(due.bytes[..].try_into().unwrap())));
            }
        }
        assert_eq!(chaos.deadline(), None);
        (out, chaos.counters())
    }

    #[test]
    fn a_plan_is_read_in_any_order_and_part() {
        let whole = plan("drop=5%,dup=1%,delay=0..20ms,seed=7");
        assert_eq!((whole.drop_ppm, whole.dup_ppm), (50_000, 10_000));
        assert_eq!((whole.delay_min_us, whole.delay_max_us), (0, 20_000));
        assert_eq!(whole.seed, Some(7));
        assert_eq!(plan("drop=0.5%").drop_ppm, 5_000);
        let range = plan("delay=5..20ms");
        assert_eq!((range.delay_min_us, range.delay_max_us), (5_000, 20_000));
        let fixed = plan("delay=500us");
        assert_eq!((fixed.delay_min_us, fixed.delay_max_us), (500, 500));
        assert_eq!(plan(&whole.to_string()), whole);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |text: &str| text.parse::<ChaosPlan>().unwrap_err();
        assert_eq!(error("loss=5%"), ChaosError::UnknownPart("loss=5%".into()));
        assert_eq!(error(""), ChaosError::UnknownPart("".into()));
        assert_eq!(error("drop=1%,drop=2%"), ChaosError::Twice("drop".into()));
        for text in ["drop=5", "drop=101%", "drop=-1%", "drop=%", "dup=NaN%"] {
            assert_eq!(error(text), ChaosError::NotAShare(text.into()));
        }
        for text in [
            "delay=20",
            "delay=20..10ms",
            "delay=61s",
            "delay=..",
            "delay=1e3ms",
        ] {
            assert_eq!(error(text), ChaosError::NotADelay(text.into()));
        }
        assert_eq!(error("seed=x"), ChaosError::NotASeed("seed=x".into()));
        assert!(error("drop=101%").to_string().contains("\"drop=101%\""));
    }

    #[test]
    fn shares_come_out_as_asked() {
        let (out, counters) = run(plan("drop=20%,dup=10%"), 1, 10_000);
        assert!((1_800..2_200).contains(&counters.dropped), "{counters:?}");
        assert!((650..950).contains(&counters.doubled), "{counters:?}");
        let expected = counters.arrived - counters.dropped + counters.doubled;
        assert_eq!(out.len() as u64, expected);
    }

    #[test]
    fn delays_stay_in_range_and_reorder() {
        let (out, _) = run(plan("delay=5..20ms"), 1, 1_000);
        assert_eq!(out.len(), 1_000);
        for (at, number) in &out {
            let delay_us = at.0 - u64::from(*number) * 1_000;
            assert!((5_000..=21_000).contains(&delay_us), "{delay_us} µs");
        }
        assert!(!out.is_sorted_by_key(|(_, number)| *number));
    }

    #[test]
    fn the_same_seed_does_the_same_again() {
        let plan = plan("drop=30%,dup=30%,delay=0..20ms");
        assert_eq!(run(plan, 5, 500), run(plan, 5, 500));
        assert_ne!(run(plan, 5, 500), run(plan, 6, 500));
        let fixed = ChaosPlan {
            seed: Some(5),
            ..plan
        };
        assert_eq!(run(fixed, 6, 500), run(plan, 5, 500));
    }

    #[test]
    fn no_chaos_changes_nothing() {
        let (out, _) = run(ChaosPlan::default(), 1, 100);
        let numbers: Vec<u32> = out.into_iter().map(|(_, number)| number).collect();
        assert_eq!(numbers, (0..100).collect::<Vec<u32>>());
    }

    #[test]
    fn the_delayed_are_bounded() {
        let mut chaos = Chaos::new(plan("delay=1s"), 1);
        for number in 0..DELAYED_MAX as u32 + 10 {
            chaos.arrive(Time(0), datagram(number));
        }
        assert_eq!(chaos.counters().overflowed, 10);
    }
}
