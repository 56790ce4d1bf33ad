//! A disk without room. Nothing of the run is at fault then, so nothing of it is judged: the orchestrator stops where
//! it stands, and the next one does again what could not be written.

use std::error::Error;
use std::io;
use std::path::Path;

/// Less than this is as good as nothing, in bytes: a program that was told "no" may have freed what it had begun.
const LEAST: u64 = 256 * 1024;
/// What the system, libgit2 and git say, which all have it from the C library; our git speaks no other language.
const SAID: [&str; 2] = ["No space left on device", "Disk quota exceeded"];

/// Whether an error or what lies under it is a full disk.
pub(super) fn is_missing(error: &(dyn Error + 'static)) -> bool {
    let full =
        |error: &io::Error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let mut next = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<io::Error>().is_some_and(full) || is_told(&error.to_string()) {
            return true;
        }
        next = error.source();
    }
    false
}

/// Whether the text of a failure tells of a full disk.
pub(super) fn is_told(text: &str) -> bool {
    SAID.iter().any(|said| text.contains(said))
}

/// The text of a failure that was none of the program that failed, if there is no room at one of `places`.
pub(super) fn missing_at<'p>(places: impl IntoIterator<Item = &'p Path>) -> Option<String> {
    let full = |place: &&Path| {
        // What cannot be asked has some other trouble, which somebody else tells of.
        rustix::fs::statvfs(*place).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < LEAST)
    };
    let place = places.into_iter().find(full)?;
    Some(format!("{}: {}", place.display(), SAID[0]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::RuntimeError;

    #[test]
    fn a18_a_full_disk_is_known_however_deep_it_lies() {
        let wrapped = |error: io::Error| RuntimeError::Io {
            action: "written",
            path: "/r/plan.json".into(),
            source: error,
        };
        for errno in [rustix::io::Errno::NOSPC, rustix::io::Errno::DQUOT] {
            assert!(is_missing(&wrapped(errno.into())));
        }
        assert!(!is_missing(&wrapped(rustix::io::Errno::IO.into())));
        assert!(is_told("git add failed: fatal: write error: No space left on device"));
        assert!(!is_told("the gate `df` ended with exit code 1"));
    }

    #[test]
    fn there_is_room_where_tests_run() {
        assert_eq!(missing_at([Path::new("/proc/self/nowhere"), std::env::temp_dir().as_path()]), None);
    }
}
