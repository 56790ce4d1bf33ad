//! Ages on the command line, and how ages and sizes are shown.

use std::str::FromStr;

pub(super) use crate::view::size;

/// An age as people write it: `30d`, `12h`, `45m`, `0d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Age {
    /// In milliseconds.
    pub(super) ms: u64,
}

/// Why a text is not an age.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an age is a whole number with a unit: `30d`, `12h`, `45m`")]
pub(super) struct NoAge;

impl FromStr for Age {
    type Err = NoAge;

    fn from_str(text: &str) -> Result<Self, NoAge> {
        let unit = text.chars().last().ok_or(NoAge)?;
        let scale = match unit {
            'w' => 7 * 24 * 3_600_000,
            'd' => 24 * 3_600_000,
            'h' => 3_600_000,
            'm' => 60_000,
            's' => 1000,
            _ => return Err(NoAge),
        };
        let digits = &text[..text.len() - unit.len_utf8()];
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NoAge);
        }
        let number: u64 = digits.parse().map_err(|_| NoAge)?;
        Ok(Self { ms: number.checked_mul(scale).ok_or(NoAge)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes_are_read_and_shown() {
        let ms = |text: &str| text.parse::<Age>().map(|age| age.ms);
        assert_eq!(ms("30d"), Ok(30 * 24 * 3_600_000));
        assert_eq!((ms("0d"), ms("2w")), (Ok(0), Ok(14 * 24 * 3_600_000)));
        for text in ["", "d", "30", "-1d", "1.5d", "+1d", "3é", "99999999999999999999d", "99999999999999d"] {
            assert_eq!(ms(text), Err(NoAge), "{text}");
        }
        assert_eq!(
            [0, 1023, 1024, 1536, 10 * 1024, 3 << 20].map(size),
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "10 KiB", "3.0 MiB"]
        );
    }
}
