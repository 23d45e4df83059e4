//! From time to the picture: much happens within a millisecond and then nothing for a second, so a stretch of time is
//! as wide as the logarithm of its length. What was before stays to the left; only lengths are not to scale.

/// The time scale: moments with their places, and straight lines between them.
#[derive(Debug)]
pub struct Scale {
    /// Times and places, both rising.
    moments: Vec<(u64, f64)>,
}

/// How wide a gap of this length is, before all is fitted to the picture.
fn width_of(gap_us: u64) -> f64 {
    /// What one cannot tell apart any more, in microseconds.
    const FINE_US: f64 = 60.0;
    1.5 + (1.0 + gap_us as f64 / FINE_US).log2().powf(1.15)
}

impl Scale {
    /// A scale for these moments, from one end of the picture to the other.
    pub fn new(mut times: Vec<u64>, left: f64, right: f64) -> Scale {
        times.sort_unstable();
        times.dedup();
        let total: f64 = times.windows(2).map(|pair| width_of(pair[1] - pair[0])).sum();
        let fit = if total > 0.0 { (right - left) / total } else { 0.0 };
        let mut place = left;
        let mut moments = Vec::with_capacity(times.len());
        for (at, time) in times.iter().enumerate() {
            if at > 0 {
                place += width_of(time - times[at - 1]) * fit;
            }
            moments.push((*time, place));
        }
        Scale { moments }
    }

    /// Where a time is.
    pub fn x(&self, time: u64) -> f64 {
        let after = self.moments.partition_point(|(moment, _)| *moment <= time);
        let Some((low, low_x)) = after.checked_sub(1).map(|at| self.moments[at]) else {
            return self.moments.first().map_or(0.0, |(_, x)| *x);
        };
        let Some((high, high_x)) = self.moments.get(after) else {
            return low_x;
        };
        let part = (time - low) as f64 / (high - low) as f64;
        low_x + (high_x - low_x) * part
    }

    /// The moments, for the axis.
    pub fn moments(&self) -> &[(u64, f64)] {
        &self.moments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_is_further_right_and_the_ends_are_met() {
        let scale = Scale::new(vec![5, 0, 1_000_000, 1_000_200, 5], 100.0, 500.0);
        let places: Vec<f64> = [0, 5, 500_000, 1_000_000, 1_000_200]
            .iter()
            .map(|time| scale.x(*time))
            .collect();
        assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{places:?}");
        assert!((places[0] - 100.0).abs() < 1e-9 && (places[4] - 500.0).abs() < 1e-9);
        assert_eq!(scale.x(2_000_000), places[4]);
        assert_eq!(Scale::new(Vec::new(), 1.0, 2.0).x(7), 0.0);
    }

    #[test]
    fn a_second_is_not_a_thousand_times_as_wide_as_a_millisecond() {
        let scale = Scale::new(vec![0, 1_000, 1_001_000], 0.0, 100.0);
        assert!(scale.x(1_000) > 15.0, "{}", scale.x(1_000));
    }
}
