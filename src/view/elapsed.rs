//! Durations and times of day, as people read them.

use crate::event::Timestamp;

/// A duration in milliseconds with at most two units: `0.4s`, `12s`, `2m 05s`, `1h 04m`, `3d 02h`.
pub fn elapsed(ms: u64) -> String {
    let seconds = ms / 1000;
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    if ms == 0 {
        "0s".to_owned()
    } else if ms < 10_000 {
        format!("{}.{}s", seconds, ms % 1000 / 100)
    } else if minutes == 0 {
        format!("{seconds}s")
    } else if hours == 0 {
        format!("{minutes}m {:02}s", seconds % 60)
    } else if hours < 48 {
        format!("{hours}h {:02}m", minutes % 60)
    } else {
        format!("{}d {:02}h", hours / 24, hours % 24)
    }
}

/// The time of day in UTC, `hh:mm:ss`.
pub fn clock(at: Timestamp) -> String {
    let seconds = at.0.div_euclid(1000).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_at_a_glance() {
        let cases = [
            (0, "0s"),
            (430, "0.4s"),
            (9_990, "9.9s"),
            (12_000, "12s"),
            (125_000, "2m 05s"),
            (3_840_000, "1h 04m"),
            (266_400_000, "3d 02h"),
        ];
        for (ms, text) in cases {
            assert_eq!(elapsed(ms), text);
        }
    }

    #[test]
    fn the_time_of_day_is_utc_before_1970_too() {
        assert_eq!(clock(Timestamp(1_700_000_000_123)), "22:13:20");
        assert_eq!(clock(Timestamp(-1)), "23:59:59");
    }
}
