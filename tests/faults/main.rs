//! Real nodes under faults: each on a host of its own, on a network that this program carries frame by frame.
//!
//! Each test breaks something while people talk, mends it, and lets [`circle::Circle::quiet`] check that all find
//! each other, that the replicas become equal, that each acknowledged line is in each of them exactly once, and
//! that what was told (numbers, order, ticks) was true. `RODA_FAULTS=all` repeats each fault more often.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // Tests read clocks and files, and end where they fail.

mod circle;
mod network;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use circle::{Circle, last_for};
use network::Link;
use rustix::process::Signal;
use support::table::{may_all, row, thorough};

const CUT: Link = Link {
    cut: true,
    loss_percent: 0,
    doubled_percent: 0,
    delay_ms_max: 0,
};

/// How often a fault is tried: some times in an ordinary run, more often in a thorough one.
fn runs((ordinary, all): (usize, usize)) -> usize {
    if thorough() { all } else { ordinary }
}

/// Breaks something so often among so many nodes, which find each other again each time, and then checks all in quiet.
/// The row of the table has what held beside that, and the median of the times that `once` took for the next line.
fn break_it(
    fault: &str,
    often: (usize, usize),
    hosts: u16,
    held: &str,
    mut once: impl FnMut(&mut Circle, usize) -> Option<Duration>,
) {
    if !may_all(&["ip", "ethtool"]) {
        return;
    }
    let runs = runs(often);
    let mut circle = Circle::of(hosts);
    let mut times = Vec::new();
    for run in 0..runs {
        times.extend(once(&mut circle, run));
        let hosts = usize::from(hosts);
        circle.nodes.iter_mut().for_each(|node| node.wait_ring_of(hosts));
    }
    let lines = circle.quiet();
    let time = if times.is_empty() {
        String::new()
    } else {
        format!("next line after {:.0?} (median); ", median(times))
    };
    let held = format!("all; {time}{held}{lines} lines acknowledged, each there once");
    row(fault, runs, &held);
}

/// The three nodes in another order each time: whom a fault hits, and two others.
fn turn(run: usize) -> [u16; 3] {
    [0, 1, 2].map(|step| ((run + step) % 3) as u16 + 1)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Says a line and waits until the listener sees it.
fn next_line(circle: &mut Circle, speaker: u16, listener: u16, since: Instant) -> Duration {
    let text = circle.say(speaker, "after it");
    circle.see(&[listener], &[text]);
    since.elapsed()
}

#[test]
fn the_holder_is_killed() {
    let fault = "SIGKILL of the token's holder, started again";
    break_it(fault, (3, 60), 3, "", |circle, run| {
        let [victim, speaker, listener] = turn(run);
        circle.chat(&[1, 2, 3], "before a kill", 2);
        circle.hand_token_to(victim);
        circle.kill(victim);
        let time = next_line(circle, speaker, listener, Instant::now());
        circle.check_ticks();
        circle.restart(victim);
        Some(time)
    });
}

#[test]
fn a_host_is_gone_with_its_holder() {
    let fault = "the holder's host gone (link cut, then killed), started again";
    break_it(fault, (2, 40), 3, "", |circle, run| {
        let [victim, speaker, listener] = turn(run);
        circle.chat(&[1, 2, 3], "before a host goes", 2);
        circle.hand_token_to(victim);
        let since = Instant::now();
        circle.network.between(&[victim], &[1, 2, 3], CUT);
        circle.kill(victim);
        let time = next_line(circle, speaker, listener, since);
        circle.check_ticks();
        circle.network.everywhere(Link::default());
        circle.restart(victim);
        Some(time)
    });
}

#[test]
fn the_holder_is_stopped_for_three_seconds() {
    let fault = "SIGSTOP of the holder for 3 s, then SIGCONT";
    break_it(fault, (1, 12), 3, "", |circle, run| {
        let [victim, speaker, listener] = turn(run);
        circle.hand_token_to(victim);
        let since = Instant::now();
        circle.node(victim).signal(Signal::STOP);
        circle.say(victim, "while stopped");
        next_line(circle, speaker, listener, since);
        circle.chat(&[speaker, listener], "without the stopped one", 3);
        last_for(Duration::from_secs(3).saturating_sub(since.elapsed()));
        circle.check_ticks();
        circle.node(victim).signal(Signal::CONT);
        None
    });
}

#[test]
fn an_interface_goes_down_and_up() {
    let fault = "a node's interface down, then up";
    break_it(fault, (1, 12), 3, "", |circle, run| {
        let [victim, speaker, listener] = turn(run);
        circle.chat(&[1, 2, 3], "before", 2);
        circle.network.interface(victim, "down");
        circle.say(victim, "without a network");
        next_line(circle, speaker, listener, Instant::now());
        circle.chat(&[1, 2, 3], "apart", 3);
        circle.node(victim).wait_ring_of(1);
        circle.check_ticks();
        circle.network.interface(victim, "up");
        None
    });
}

/// One direction of all links of a node is cut while all talk.
fn one_way(fault: &str, cut: impl Fn(&Circle, u16, u16)) {
    break_it(
        fault,
        (1, 12),
        3,
        "the others went on meanwhile; ",
        |circle, run| {
            let [victim, speaker, listener] = turn(run);
            circle.chat(&[1, 2, 3], "before", 2);
            cut(circle, victim, speaker);
            cut(circle, victim, listener);
            circle.chat(&[1, 2, 3], "while it is cut", 3);
            next_line(circle, speaker, listener, Instant::now());
            circle.check_ticks();
            circle.network.everywhere(Link::default());
            None
        },
    );
}

#[test]
fn a_node_is_heard_and_hears_nothing() {
    one_way("one way cut: a node hears nobody", |circle, victim, other| {
        circle.network.one_way(other, victim, CUT);
    });
}

#[test]
fn a_node_hears_and_is_not_heard() {
    one_way("one way cut: nobody hears a node", |circle, victim, other| {
        circle.network.one_way(victim, other, CUT);
    });
}

#[test]
fn a_network_splits_and_becomes_one_again() {
    let fault = "a network of four splits in two, and becomes one again";
    break_it(fault, (1, 12), 4, "both halves went on; ", |circle, run| {
        let (these, those): ([u16; 2], [u16; 2]) = match run % 3 {
            0 => ([1, 2], [3, 4]),
            1 => ([1, 3], [2, 4]),
            _ => ([1, 4], [2, 3]),
        };
        circle.chat(&[1, 2, 3, 4], "together", 2);
        circle.network.between(&these, &those, CUT);
        circle.chat(&[1, 2, 3, 4], "while it splits", 2);
        circle.nodes.iter_mut().for_each(|node| node.wait_ring_of(2));
        for half in [these, those] {
            let said = circle.chat(&half, "in one half", 3);
            circle.see(&half, &said);
        }
        circle.check_ticks();
        circle.network.everywhere(Link::default());
        None
    });
}

#[test]
fn a_link_flaps_and_delays() {
    let fault = "frames delayed by 0 to 30 ms and out of order; one host's link cut 5 times for 300 ms";
    let slow = Link {
        delay_ms_max: 30,
        ..Link::default()
    };
    break_it(fault, (1, 12), 3, "", |circle, run| {
        let [victim, ..] = turn(run);
        circle.network.everywhere(slow);
        for link in [CUT, slow].into_iter().cycle().take(10) {
            circle.network.between(&[victim], &[1, 2, 3], link);
            circle.chat(&[1, 2, 3], "while it flaps", 1);
            last_for(Duration::from_millis(300));
        }
        circle.check_ticks();
        None
    });
}

#[test]
fn every_third_frame_is_lost_and_every_second_comes_twice() {
    if !may_all(&["ip", "ethtool"]) {
        return;
    }
    let mut circle = Circle::of(3);
    circle.network.everywhere(Link {
        loss_percent: 30,
        doubled_percent: 50,
        ..Link::default()
    });
    let before = circle.network.counts();
    let mut times = Vec::new();
    for number in 0..runs((30, 600)) {
        let since = Instant::now();
        let said = circle.say(number as u16 % 3 + 1, "alone in the noise");
        circle.see(&[1, 2, 3], &[said]);
        times.push(since.elapsed());
    }
    let since = Instant::now();
    let said = circle.chat(&[1, 2, 3], "through the noise", runs((500, 5_000)));
    circle.see(&[1, 2, 3], &said);
    let per_second = said.len() as f64 / since.elapsed().as_secs_f64();
    let counts = circle.network.counts();
    let (lost, passed) = (counts.lost - before.lost, counts.passed - before.passed);
    let share = lost as f64 / (lost + passed) as f64;
    assert!((0.2..0.4).contains(&share), "{share} of the frames were lost");
    let lines = circle.quiet();
    let (time, frames) = (median(times), lost + passed);
    row(
        "30 % of all frames lost, 50 % of the others doubled, on every link",
        1,
        &format!(
            "all; {per_second:.0} messages/s ordered and seen by all three; a single line by all after {time:.0?} \
             (median); {lost} of {frames} frames lost; {lines} lines acknowledged, each there once"
        ),
    );
}

#[test]
fn wall_clocks_are_an_hour_apart() {
    if !may_all(&["ip", "ethtool", "faketime"]) {
        return;
    }
    let runs = runs((1, 12));
    let mut circle = Circle::dressed(3, |id, command| {
        let library = "/usr/$LIB/faketime/libfaketime.so.1";
        let shift = ["+0s", "+1h", "-1h"][usize::from(id) - 1];
        command
            .env("LD_PRELOAD", library)
            .env("FAKETIME", shift)
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("FAKETIME_DONT_RESET", "1");
    });
    let pids: Vec<u32> = circle.nodes.iter().map(|node| node.child.id()).collect();
    let mut apart = Vec::new();
    for node in &circle.nodes {
        let at = node.events[0]["at"].as_str().unwrap().to_string();
        apart.push(at[..16].to_string());
    }
    assert!(
        apart[2] < apart[0] && apart[0] < apart[1],
        "the clocks are apart: {apart:?}"
    );
    for run in 0..runs {
        let [victim, speaker, listener] = turn(run + 1);
        let said = circle.chat(&[1, 2, 3], "at different times", 3);
        circle.see(&[1, 2, 3], &said);
        circle.kill(victim);
        next_line(&mut circle, speaker, listener, Instant::now());
        // Its clock is right now, an hour before or after the one of its life before.
        circle.restart(victim);
        circle.nodes.iter_mut().for_each(|node| node.wait_ring_of(3));
    }
    let lines = circle.quiet();
    for pid in pids {
        // What the library leaves behind when its process is killed.
        for name in [format!("faketime_shm_{pid}"), format!("sem.faketime_sem_{pid}")] {
            std::fs::remove_file(Path::new("/dev/shm").join(name)).unwrap_or_default();
        }
    }
    row(
        "wall clocks an hour apart, one of which jumps back at a restart",
        runs,
        &format!("all; {lines} lines acknowledged, each there once"),
    );
}
