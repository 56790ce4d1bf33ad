//! Takes away what an earlier process of an attempt said, once it is sealed: left standing it would speak for the next.

use std::ffi::OsStr;
use std::path::Path;

use super::board::BoardError;
use super::kind::Folder;
use super::steady::SteadyDir;

/// The most questions that are taken away; more than are ever taken in.
const QUESTIONS: usize = 10_000;

/// Removes the claims and the questions of the signal directory `signals`.
///
/// Nothing is followed out of it: an agent may have put a link to a folder of the user's in place of `ask/`, or of the
/// whole directory. What cannot be removed stays, and is judged like any other signal.
///
/// # Errors
/// [`BoardError::Gone`] and [`BoardError::InTheWay`] where there is no such directory.
pub fn clear_claims(signals: &Path) -> Result<(), BoardError> {
    let root = SteadyDir::open(signals)?;
    for name in ["done", "failed", "blocked"] {
        root.remove(OsStr::new(name));
    }
    if let Ok(asks) = root.dir(OsStr::new(Folder::Ask.name()))
        && let Ok(found) = asks.list(QUESTIONS)
    {
        for name in found.names {
            asks.remove(&name);
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at real files")]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn claims_and_questions_are_taken_away_and_links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (signals, theirs) = (dir.path().join("signals"), dir.path().join("theirs"));
        for made in [&signals, &theirs, &signals.join("ask"), &theirs.join("ask")] {
            fs::create_dir(made).unwrap();
        }
        for written in ["done", "failed", "ask/q"] {
            fs::write(theirs.join(written), "theirs").unwrap();
            fs::write(signals.join(written), "x").unwrap();
        }
        symlink(theirs.join("done"), signals.join("blocked")).unwrap();
        clear_claims(&signals).unwrap();
        assert_eq!(fs::read_dir(signals.join("ask")).unwrap().count(), 0);
        assert_eq!(fs::read_dir(&signals).unwrap().count(), 1);

        fs::remove_dir(signals.join("ask")).unwrap();
        symlink(&theirs, signals.join("ask")).unwrap();
        clear_claims(&signals).unwrap();
        fs::remove_file(signals.join("ask")).unwrap();
        fs::remove_dir(&signals).unwrap();
        symlink(&theirs, &signals).unwrap();
        assert!(matches!(clear_claims(&signals), Err(BoardError::InTheWay { .. })));
        for kept in ["done", "failed", "ask/q"] {
            assert_eq!(fs::read_to_string(theirs.join(kept)).unwrap(), "theirs", "{kept}");
        }
    }
}
