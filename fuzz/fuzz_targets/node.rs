//! Three real nodes, driven by a byte string through spoiled, forged, late and lost datagrams and streams.
#![no_main]

use libfuzzer_sys::fuzz_target;
use roda_fuzz::Script;
use roda_fuzz::table::Table;

thread_local! {
    /// A table in a ring without a quorum, and one with.
    static SET: [Table; 2] = [Table::set(0, false), Table::set(2, false)];
}

fuzz_target!(|data: &[u8]| {
    let mut script = Script(data);
    let which = usize::from(script.byte() % 4 == 3);
    let mut table = SET.with(|set| set[which].clone());
    table.play(&mut script);
});
