//! Times as people read them: in the zone of the machine, or UTC where it has none.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The zone in which times are shown.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

/// A sender's time, as shown: the day and the minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The local day.
    pub day: Date,
    hour: i8,
    minute: i8,
}

impl Zone {
    /// The zone of this machine (`TZ`, else the system's); UTC if it names none.
    pub fn system() -> Zone {
        Zone(TimeZone::try_system().unwrap_or(TimeZone::UTC))
    }

    /// UTC.
    pub fn utc() -> Zone {
        Zone(TimeZone::UTC)
    }

    /// Reads the `sent` of a message; `None` if it is no time.
    pub fn moment(&self, sent: &str) -> Option<Moment> {
        let time: Timestamp = sent.parse().ok()?;
        let local = time.to_zoned(self.0.clone());
        Some(Moment {
            day: local.date(),
            hour: local.hour(),
            minute: local.minute(),
        })
    }
}

impl Moment {
    /// Hour and minute.
    pub fn clock(&self) -> String {
        format!("{:02}:{:02}", self.hour, self.minute)
    }

    /// The day, as in ISO 8601.
    pub fn date(&self) -> String {
        self.day.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_in_its_zone() {
        let sent = "2026-11-21T23:03:11.482Z";
        let utc = Zone::utc().moment(sent).unwrap();
        assert_eq!((utc.clock(), utc.date()), ("23:03".into(), "2026-11-21".into()));
        let east = Zone(TimeZone::fixed(jiff::tz::offset(2)));
        let local = east.moment(sent).unwrap();
        assert_eq!(
            (local.clock(), local.date()),
            ("01:03".into(), "2026-11-22".into())
        );
    }

    #[test]
    fn what_is_no_time_is_none() {
        for nonsense in ["", "yesterday", "2026-13-01T00:00:00Z", "\u{1b}[2J"] {
            assert!(Zone::utc().moment(nonsense).is_none(), "{nonsense:?}");
        }
    }
}
