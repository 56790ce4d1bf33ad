//! Chance that can be repeated: every draw is a function of the seed and of what is drawn for, so that a scenario from
//! which something was taken away draws the same for the rest.

/// A seed, asked by name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    /// A number for `key`.
    pub(crate) fn draw(self, key: &str) -> u64 {
        let folded = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
        mixed(folded ^ mixed(self.0))
    }

    /// Whether it happens, in `permille` of a thousand cases.
    pub(crate) fn hits(self, key: &str, permille: u32) -> bool {
        self.draw(key) % 1000 < u64::from(permille)
    }

    /// A number from `low` up to `high`, both included.
    pub(crate) fn within(self, key: &str, low: u64, high: u64) -> u64 {
        low + self.draw(key) % (high - low + 1)
    }

    /// One of `all`, where there is any.
    pub(crate) fn pick<'a, T>(self, key: &str, all: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(all.len()).unwrap_or(u64::MAX);
        let at = self.draw(key).checked_rem(count)?;
        all.get(usize::try_from(at).ok()?)
    }
}

/// Spreads a number over all of its bits.
pub(crate) fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
