//! What one member measured, and what a group's members did together.

use serde::{Deserialize, Serialize};

use super::Mode;

/// Latencies in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of all took no longer.
    pub p50_us: u64,
    /// 99 of 100 took no longer.
    pub p99_us: u64,
    /// None took longer.
    pub max_us: u64,
}

impl Latency {
    /// Of each figure the larger one.
    fn or_worse(self, other: Latency) -> Latency {
        Latency {
            p50_us: self.p50_us.max(other.p50_us),
            p99_us: self.p99_us.max(other.p99_us),
            max_us: self.max_us.max(other.max_us),
        }
    }
}

/// What one member measured. It goes round the ring as JSON, so that every member can report for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The same for all processes of one running machine: their clocks are one.
    pub machine: u64,
    /// Messages of all senders that count, within the window: delivered, written, or held by all, by the mode.
    pub counted: u64,
    /// The window's length, in microseconds.
    pub window_us: u64,
    /// Until an own message was delivered here.
    pub own: Latency,
    /// Until a message of others was delivered here; only where all clocks are one.
    pub remote: Option<Latency>,
    /// Datagrams sent within the window.
    pub datagrams: u64,
    /// Their payload.
    pub bytes: u64,
    /// Processor time of this process within the window, in microseconds.
    pub cpu_us: u64,
    /// Parts of messages and tokens sent again, in the whole run.
    pub resent: u64,
    /// The token's rotation at the end, as the ring measured it.
    pub rotation_us: u64,
    /// Over all messages in the order of their delivery.
    pub digest: u64,
    /// Messages that were said and not delivered here.
    pub lost: u64,
    /// Breaks in the numbers of one sender.
    pub fifo_errors: u64,
    /// Rings that were formed after the load began.
    pub new_rings: u64,
    /// The longest time within the window in which nothing was delivered here.
    pub silence_us: u64,
    /// Resident memory at its peak, in KiB; 0 where the machine does not tell.
    pub peak_kib: u64,
}

/// What a group did together: the slowest member's rate, the worst member's latencies, the costs of all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Which promises about files were kept.
    pub mode: String,
    /// What was written and synced, in words.
    pub kept: String,
    /// Bytes of a message.
    pub size: usize,
    /// Messages a second each member was to say; none for as many as it can.
    pub rate: Option<u32>,
    /// Members that were asked for.
    pub members: usize,
    /// Members of which there is an outcome.
    pub nodes: usize,
    /// The window, in seconds.
    pub secs: f64,
    /// Messages a second, of all senders, at the slowest member.
    pub msgs_per_s: f64,
    /// The same in millions of bytes.
    pub mb_per_s: f64,
    /// Until an own message was delivered, half of them, at the worst member.
    pub own_p50_us: u64,
    /// The same, 99 of 100.
    pub own_p99_us: u64,
    /// The same, all.
    pub own_max_us: u64,
    /// Until a message of others was delivered; only where all clocks are one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rem_p50_us: Option<u64>,
    /// The same, 99 of 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rem_p99_us: Option<u64>,
    /// The same, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rem_max_us: Option<u64>,
    /// Datagrams sent by all, for each message.
    pub pkts_per_msg: f64,
    /// Payload sent by all, for each message.
    pub bytes_per_msg: f64,
    /// Processor time of all processes, for each message.
    pub cpu_us_per_msg: f64,
    /// Parts of messages and tokens sent again.
    pub resent: u64,
    /// The slowest rotation of the token at the end.
    pub rotation_us: u64,
    /// The digest of the order, as hexadecimal digits; of the first member, if they differ.
    pub order: String,
    /// Whether all delivered the same in the same order, and all of it.
    pub same_order: bool,
    /// Messages missing somewhere.
    pub lost: u64,
    /// Breaks in the numbers of one sender.
    pub fifo_err: u64,
    /// Rings formed after the load began.
    pub new_rings: u64,
    /// The longest time in which nothing was delivered, at the worst member.
    pub silence_us: u64,
    /// Peak memory of the biggest process, in KiB.
    pub peak_kib: u64,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// How many members there are to be.
    pub members: usize,
    /// Which promises about files are kept.
    pub mode: Mode,
    /// Bytes of a message.
    pub size: usize,
    /// Messages a second of each member; none for as many as it can.
    pub rate: Option<u32>,
}

impl Report {
    /// What the members did together; there is at least one.
    pub fn of(asked: Asked, outcomes: &[Outcome]) -> Report {
        let (first, rest) = outcomes
            .split_first()
            .expect("who reports has an outcome of its own");
        let sum = |of: fn(&Outcome) -> u64| outcomes.iter().map(of).sum::<u64>();
        let most = |of: fn(&Outcome) -> u64| outcomes.iter().map(of).max().unwrap_or(0);
        let rate_of = |outcome: &Outcome| outcome.counted as f64 * 1e6 / outcome.window_us.max(1) as f64;
        let slowest = outcomes.iter().map(rate_of).fold(f64::INFINITY, f64::min);
        let counted = outcomes.iter().map(|outcome| outcome.counted).min().unwrap_or(0);
        let each = |total: u64| rounded(total as f64 / counted.max(1) as f64);
        let own = rest
            .iter()
            .fold(first.own, |own, outcome| own.or_worse(outcome.own));
        let one_clock = outcomes.iter().all(|outcome| outcome.machine == first.machine);
        let remote = outcomes.iter().filter_map(|outcome| outcome.remote);
        let remote = remote.reduce(Latency::or_worse).filter(|_| one_clock);
        let (lost, fifo_err) = (sum(|outcome| outcome.lost), sum(|outcome| outcome.fifo_errors));
        let alike = rest.iter().all(|outcome| outcome.digest == first.digest);
        Report {
            mode: asked.mode.name().to_string(),
            kept: asked.mode.kept().to_string(),
            size: asked.size,
            rate: asked.rate,
            members: asked.members,
            nodes: outcomes.len(),
            secs: rounded(first.window_us as f64 / 1e6),
            msgs_per_s: rounded(slowest),
            mb_per_s: rounded(slowest * asked.size as f64 / 1e6),
            own_p50_us: own.p50_us,
            own_p99_us: own.p99_us,
            own_max_us: own.max_us,
            rem_p50_us: remote.map(|remote| remote.p50_us),
            rem_p99_us: remote.map(|remote| remote.p99_us),
            rem_max_us: remote.map(|remote| remote.max_us),
            pkts_per_msg: each(sum(|outcome| outcome.datagrams)),
            bytes_per_msg: each(sum(|outcome| outcome.bytes)),
            cpu_us_per_msg: each(sum(|outcome| outcome.cpu_us)),
            resent: sum(|outcome| outcome.resent),
            rotation_us: most(|outcome| outcome.rotation_us),
            order: format!("{:016x}", first.digest),
            same_order: alike && lost == 0 && fifo_err == 0,
            lost,
            fifo_err,
            new_rings: most(|outcome| outcome.new_rings),
            silence_us: most(|outcome| outcome.silence_us),
            peak_kib: most(|outcome| outcome.peak_kib),
        }
    }

    /// The report for people.
    pub fn lines(&self) -> Vec<String> {
        let rate = self.rate.map_or("as fast as it can".to_string(), |rate| {
            format!("{rate} messages/s")
        });
        let mut lines = vec![
            format!(
                "{} of {} members, {} bytes a message, each says {rate}, {} s",
                self.nodes, self.members, self.size, self.secs
            ),
            format!("mode {}: {}", self.mode, self.kept),
            format!(
                "{:.0} messages/s at the slowest member, {} MB/s",
                self.msgs_per_s, self.mb_per_s
            ),
            format!(
                "own message until it is delivered: p50 {}, p99 {}, max {} µs",
                self.own_p50_us, self.own_p99_us, self.own_max_us
            ),
        ];
        let remote = self.rem_p50_us.zip(self.rem_p99_us).zip(self.rem_max_us);
        lines.push(match remote {
            Some(((p50, p99), max)) => {
                format!("other's message until it is delivered: p50 {p50}, p99 {p99}, max {max} µs")
            }
            None => "other's message until it is delivered: not known, the machines' clocks differ".into(),
        });
        lines.push(format!(
            "for each message: {} datagrams, {} bytes, {} µs of processor",
            self.pkts_per_msg, self.bytes_per_msg, self.cpu_us_per_msg
        ));
        lines.push(format!(
            "sent again {}, rotation {} µs, longest silence {} µs, new rings {}, peak memory {} KiB",
            self.resent, self.rotation_us, self.silence_us, self.new_rings, self.peak_kib
        ));
        lines.push(match self.same_order {
            true => format!("the same order everywhere, nothing lost: {}", self.order),
            false => format!(
                "NOT the same everywhere: {} lost, {} breaks in the numbers of one sender",
                self.lost, self.fifo_err
            ),
        });
        lines
    }
}

/// Three digits behind the point are more than a measurement is good for.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked = Asked {
        members: 2,
        mode: Mode::Order,
        size: 100,
        rate: None,
    };

    fn outcome(counted: u64, p50_us: u64, machine: u64) -> Outcome {
        let latency = Latency {
            p50_us,
            p99_us: 2 * p50_us,
            max_us: 3 * p50_us,
        };
        Outcome {
            machine,
            counted,
            window_us: 2_000_000,
            own: latency,
            remote: Some(latency),
            datagrams: 50,
            bytes: 5_000,
            cpu_us: 1_000,
            digest: 7,
            ..Outcome::default()
        }
    }

    #[test]
    fn the_slowest_member_counts_and_costs_are_summed_up() {
        let report = Report::of(ASKED, &[outcome(2_000, 10, 1), outcome(1_000, 20, 1)]);
        assert_eq!((report.nodes, report.secs, report.msgs_per_s), (2, 2.0, 500.0));
        assert_eq!((report.own_p50_us, report.rem_max_us), (20, Some(60)));
        assert_eq!(
            (report.pkts_per_msg, report.bytes_per_msg, report.cpu_us_per_msg),
            (0.1, 10.0, 2.0)
        );
        assert!(report.same_order);
        assert_eq!(report.order, "0000000000000007");
    }

    #[test]
    fn machines_with_clocks_of_their_own_have_no_remote_latency() {
        let report = Report::of(ASKED, &[outcome(1, 10, 1), outcome(1, 10, 2)]);
        assert_eq!(report.rem_p50_us, None);
        assert!(report.lines().iter().any(|line| line.contains("clocks differ")));
        assert!(!serde_json::to_string(&report).unwrap().contains("rem_p50_us"));
    }

    #[test]
    fn another_order_or_a_loss_anywhere_is_told() {
        let mut other = outcome(1, 10, 1);
        other.digest = 8;
        assert!(!Report::of(ASKED, &[outcome(1, 10, 1), other.clone()]).same_order);
        other.digest = 7;
        other.lost = 3;
        let report = Report::of(ASKED, &[outcome(1, 10, 1), other]);
        assert!(!report.same_order);
        assert!(report.lines().last().unwrap().contains("3 lost"));
    }
}
