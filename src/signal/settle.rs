//! When a file counts: a direct write is visible before it is complete.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

/// What is known about the writers of the files that are read.
#[derive(Debug, Clone, Copy)]
pub enum Settle<'a> {
    /// Every process that could write has ended: what is there counts.
    Ended,
    /// Writers may be at work.
    Live {
        /// Names, relative to the directory that is read, whose writer was seen to close them or to rename them
        /// into place, and that were not written since ([`super::Changed::take`] gives them).
        closed: &'a BTreeSet<String>,
        /// The time of reading.
        now: SystemTime,
        /// How long a file must have been left alone where its close was not seen.
        quiet: Duration,
    },
}

impl Settle<'_> {
    /// Whether the file `name`, last changed at `changed`, counts.
    pub(super) fn accepts(&self, name: &str, changed: SystemTime) -> bool {
        match self {
            Self::Ended => true,
            Self::Live { closed, .. } => closed.contains(name) || self.is_quiet(changed),
        }
    }

    /// Whether nothing has touched a file since long enough, whatever was seen of its writer. A private temporary
    /// name is closed before it is renamed, so its close says nothing.
    pub(super) fn is_quiet(&self, changed: SystemTime) -> bool {
        match self {
            Self::Ended => true,
            Self::Live { now, quiet, .. } => match now.duration_since(changed) {
                Ok(age) => age >= *quiet,
                // A change time far ahead means that the clock was set back; waiting for it could take years.
                Err(ahead) => ahead.duration() > *quiet,
            },
        }
    }

    /// Whether every writer has ended.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p24_a_file_counts_when_closed_or_quiet_or_when_its_writers_have_ended() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let quiet = Duration::from_secs(2);
        let closed = BTreeSet::from(["done".to_owned()]);
        let live = Settle::Live { closed: &closed, now, quiet };
        let second = Duration::from_secs(1);
        assert!(live.accepts("done", now));
        assert!(!live.accepts("failed", now - second));
        assert!(live.accepts("failed", now - quiet));
        assert!(!live.accepts("failed", now + second), "clocks differ by a little");
        assert!(live.accepts("failed", now + Duration::from_secs(3600)), "the clock was set back");
        assert!(Settle::Ended.accepts("failed", now));
    }
}
