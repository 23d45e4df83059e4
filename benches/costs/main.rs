//! What the parts cost, each alone: `cargo bench`, or `cargo bench -- ring` for some of them.
//!
//! `node bench` measures the whole on a network; these tell which part became slower. Each is measured for a second,
//! so that all of them are done within a minute. `cargo test --benches` runs each once.

mod datagrams;
mod replicas;
mod rings;

use std::time::Duration;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .nresamples(10_000)
        .configure_from_args();
    datagrams::wire(&mut criterion);
    datagrams::seal(&mut criterion);
    rings::ring(&mut criterion);
    replicas::append(&mut criterion);
    replicas::reconcile(&mut criterion);
    criterion.final_summary();
}
