//! Durations as people write them: a whole number and a unit, `150ms`, `10s`, `1m`; 0 needs no unit.

use std::fmt::Write as _;

/// The units, the longest first, with their length in microseconds.
const UNITS: [(&str, u64); 5] = [
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

/// The longest duration that is accepted: a day. What is longer is a slip of the finger.
const LONGEST_US: u64 = 24 * 3_600_000_000;

/// A duration in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DurationUs(pub u64);

/// From a shortest to a longest duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeUs {
    /// The shortest.
    pub min_us: u64,
    /// The longest; not below the shortest.
    pub max_us: u64,
}

/// Reads a duration. The error says what is expected.
pub fn parse(text: &str) -> Result<DurationUs, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let expected = || format!("{text:?} is no duration; write it like 150ms, 10s or 1m");
    let number: u64 = number.parse().map_err(|_| expected())?;
    if number == 0 && unit.is_empty() {
        return Ok(DurationUs(0));
    }
    if unit.is_empty() {
        return Err(format!("{text:?} has no unit; write {text}ms or {text}s"));
    }
    let (_, length_us) = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(expected)?;
    match number.checked_mul(*length_us) {
        Some(us) if us <= LONGEST_US => Ok(DurationUs(us)),
        _ => Err(format!("{text} is too long; at most 24h")),
    }
}

/// Reads `MIN..MAX`, or one duration that is both. `MIN` may leave its unit to `MAX`: `50..150ms`.
pub fn parse_range(text: &str) -> Result<RangeUs, String> {
    let Some((min, max)) = text.split_once("..") else {
        let DurationUs(us) = parse(text)?;
        return Ok(RangeUs {
            min_us: us,
            max_us: us,
        });
    };
    let unit = max.trim_start_matches(|char: char| char.is_ascii_digit());
    let bare = !min.is_empty() && min.bytes().all(|byte| byte.is_ascii_digit());
    let min = if bare {
        format!("{min}{unit}")
    } else {
        min.to_string()
    };
    let (min_us, max_us) = (parse(&min)?.0, parse(max)?.0);
    if min_us > max_us {
        return Err(format!(
            "{text}: the first is longer than the second; turn them round"
        ));
    }
    Ok(RangeUs { min_us, max_us })
}

/// A duration in its largest unit that needs no fraction: `150ms`, `10s`; `0` for none.
pub fn show(us: u64) -> String {
    if us == 0 {
        return "0".to_string();
    }
    let fits = UNITS.iter().find(|(_, length_us)| us.is_multiple_of(*length_us));
    let (unit, length_us) = fits.expect("every duration is a number of microseconds");
    format!("{}{unit}", us / length_us)
}

/// A measured duration for people, rounded: `640 µs`, `12.3 ms`, `4.2 s`.
pub fn show_measured(us: u64) -> String {
    let mut text = String::new();
    let written = match us {
        0..1_000 => write!(text, "{us} µs"),
        1_000..1_000_000 => write!(text, "{:.1} ms", us as f64 / 1e3),
        _ => write!(text, "{:.1} s", us as f64 / 1e6),
    };
    written.expect("writing to a string succeeds");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_durations_are_read() {
        assert_eq!(parse("0"), Ok(DurationUs(0)));
        assert_eq!(parse("0ms"), Ok(DurationUs(0)));
        assert_eq!(parse("150ms"), Ok(DurationUs(150_000)));
        assert_eq!(parse("10s"), Ok(DurationUs(10_000_000)));
        assert_eq!(parse("1m"), Ok(DurationUs(60_000_000)));
        assert_eq!(parse("24h"), Ok(DurationUs(LONGEST_US)));
    }

    #[test]
    fn what_is_no_duration_is_refused_with_advice() {
        for text in [
            "",
            "ms",
            "-1s",
            "1.5s",
            "1 s",
            "10S",
            "1d",
            "25h",
            "99999999999999999999s",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert_eq!(parse("10").unwrap_err(), "\"10\" has no unit; write 10ms or 10s");
    }

    #[test]
    fn ranges_are_read() {
        let range = |text| parse_range(text).map(|range| (range.min_us, range.max_us));
        assert_eq!(range("0..150ms"), Ok((0, 150_000)));
        assert_eq!(range("50..150ms"), Ok((50_000, 150_000)));
        assert_eq!(range("1s..2s"), Ok((1_000_000, 2_000_000)));
        assert_eq!(range("50ms"), Ok((50_000, 50_000)));
        assert_eq!(range("0"), Ok((0, 0)));
        assert_eq!(range("0..0"), Ok((0, 0)));
        for text in ["2s..1s", "..1s", "1s..", "1s..2", "1s...2s", "a..b"] {
            assert!(range(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn durations_are_shown_as_they_are_written() {
        for text in ["0", "150ms", "10s", "1m", "24h", "7us", "90s", "1500ms"] {
            assert_eq!(show(parse(text).unwrap().0), text);
        }
        assert_eq!(show_measured(640), "640 µs");
        assert_eq!(show_measured(12_345), "12.3 ms");
        assert_eq!(show_measured(4_200_000), "4.2 s");
    }
}
