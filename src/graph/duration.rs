//! Durations as people write them: `90s`, `45m`, `1h30m`, `500ms`.

use super::model::Millis;

/// The longest duration. More than a year is a slip of the pen, and would overflow clocks.
const MAX: u64 = 366 * 24 * HOUR;
const HOUR: u64 = 3_600_000;

/// Units with their milliseconds, the larger first.
type Units = [(&'static str, u64)];

const UNITS: &Units = &[("h", HOUR), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum DurationError {
    /// No number where one should be.
    #[error("a number is missing before `{rest}`")]
    NoNumber { rest: String },
    /// A number without a unit, or with one that is not known.
    #[error("`{unit}` is not a unit")]
    Unit { unit: String },
    /// A number at the end, without a unit.
    #[error("the unit is missing")]
    NoUnit,
    /// A smaller unit before a larger one, or one twice.
    #[error("`{unit}` comes too late: the larger unit goes first, each at most once")]
    Order { unit: String },
    /// Zero, or more than a year.
    #[error("a duration here is longer than zero and at most a year")]
    Range,
}

/// Reads a duration of more than zero and at most a year.
pub(super) fn parse(text: &str) -> Result<Millis, DurationError> {
    let mut rest = text.trim();
    let mut units = UNITS;
    let mut total: u64 = 0;
    if rest.is_empty() {
        return Err(DurationError::NoUnit);
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if digits == 0 {
            return Err(DurationError::NoNumber { rest: rest.to_owned() });
        }
        let (number, after) = rest.split_at(digits);
        let length = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(length);
        let scale;
        (scale, units) = scale_of(unit.trim(), units)?;
        let number: u64 = number.parse().map_err(|_| DurationError::Range)?;
        let part = number.checked_mul(scale).ok_or(DurationError::Range)?;
        total = total.checked_add(part).ok_or(DurationError::Range)?;
        rest = after;
    }
    if total == 0 || total > MAX { Err(DurationError::Range) } else { Ok(Millis(total)) }
}

/// Returns how long the unit is, and the units that may follow it.
fn scale_of(unit: &str, units: &'static Units) -> Result<(u64, &'static Units), DurationError> {
    if unit.is_empty() {
        return Err(DurationError::NoUnit);
    }
    match units.iter().position(|(name, _)| *name == unit) {
        Some(at) => Ok((units[at].1, &units[at + 1..])),
        None if UNITS.iter().any(|(name, _)| *name == unit) => {
            Err(DurationError::Order { unit: unit.to_owned() })
        }
        None => Err(DurationError::Unit { unit: unit.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_milliseconds() {
        for (text, millis) in [
            ("90s", 90_000),
            ("45m", 2_700_000),
            ("2h", 7_200_000),
            ("500ms", 500),
            ("1h30m", 5_400_000),
            ("1h 30m 5s 1ms", 5_405_001),
        ] {
            assert_eq!(parse(text), Ok(Millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_says_why() {
        let unit = |unit: &str| Err(DurationError::Unit { unit: unit.to_owned() });
        assert_eq!(parse("90"), Err(DurationError::NoUnit));
        assert_eq!(parse(""), Err(DurationError::NoUnit));
        assert_eq!(parse("2d"), unit("d"));
        assert_eq!(parse("1.5h"), unit("."));
        assert_eq!(parse("h"), Err(DurationError::NoNumber { rest: "h".to_owned() }));
        assert_eq!(parse("-5s"), Err(DurationError::NoNumber { rest: "-5s".to_owned() }));
        assert_eq!(parse("30m1h"), Err(DurationError::Order { unit: "h".to_owned() }));
        assert_eq!(parse("1m1m"), Err(DurationError::Order { unit: "m".to_owned() }));
        for range in ["0s", "0h0m", "8785h", "99999999999999999999s", "18446744073709551615h"] {
            assert_eq!(parse(range), Err(DurationError::Range), "{range}");
        }
    }
}
