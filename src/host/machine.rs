//! What the machine tells of this process and of itself, for measurements.
#![allow(clippy::disallowed_methods)] // Reads what the kernel tells.

use std::fs;

use rustix::time::{ClockId, clock_gettime};

/// Processor time of all threads of this process so far, in microseconds.
pub fn processor_us() -> u64 {
    let read = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, part_ns) = (u64::try_from(read.tv_sec), u64::try_from(read.tv_nsec));
    seconds.unwrap_or(0) * 1_000_000 + part_ns.unwrap_or(0) / 1_000
}

/// The most memory that this process had resident so far, in KiB; 0 where the machine does not tell.
pub fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = peak.and_then(|rest| rest.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// A number that all processes of one running machine share, and no others: their clocks are one. `None` where the
/// machine does not tell.
pub fn boot() -> Option<u64> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(xxhash_rust::xxh3::xxh3_64(id.trim().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_processor_time() {
        let before = processor_us();
        let mut sum = 0u64;
        while processor_us() < before + 2_000 {
            sum = sum.wrapping_add(std::hint::black_box(1));
        }
        assert!(sum > 0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_machine_tells_what_it_is_and_how_much_memory_there_was() {
        assert!(peak_kib() > 500);
        assert_eq!(boot(), boot());
        assert!(boot().is_some());
    }
}
