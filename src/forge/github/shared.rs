//! Answers of GitHub that lie in the record, for every process that works in the repository: whoever needs news looks
//! first whether another one has just asked.
//!
//! One file for each answer, written beside and renamed, readable by its owner only. A file that is damaged, too large or
//! missing is an answer that nobody has; nothing here is worth more than a request.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::client::after;
use crate::event::Timestamp;

/// The largest answer that is left for others, in bytes.
const MOST_BYTES: u64 = 4 << 20;
/// Answers that are kept; the oldest go.
const MOST_FILES: usize = 256;
/// The longest that GitHub makes anybody wait is an hour. What says more was not written by its clock.
const LONGEST_HOLD: Duration = Duration::from_secs(2 * 60 * 60);
/// Between two looks whether whoever asks has got the answer.
const LOOK: Duration = Duration::from_millis(20);

/// An answer, when it was asked for, and the tag with which GitHub can be asked whether it still holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) path: String,
    pub(super) at: Timestamp,
    pub(super) etag: String,
    pub(super) text: String,
}

/// A moment before which one token must not be used.
#[derive(Debug, Serialize, Deserialize)]
struct Hold {
    until: Timestamp,
    /// Which token it is, as [`fingerprint`] says.
    of: u32,
}

/// Tells tokens apart, and nothing else of them.
pub(super) fn fingerprint(token: &str) -> u32 {
    let digest = Sha256::new_with_prefix("laneway token").chain_update(token).finalize();
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

/// The answers of one repository on one interface.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    dir: PathBuf,
    token: u32,
}

/// The right to ask for what all want to know. It is free again as soon as this is dropped, and with its process.
#[derive(Debug)]
#[must_use = "others may ask as soon as this is dropped"]
pub(super) struct Turn {
    _file: File,
}

impl Shared {
    /// Those under `root` of what `place` names.
    pub(super) fn new(root: &Path, place: &str, token: u32) -> Self {
        Self { dir: root.join(name_of(place)), token }
    }

    /// What was answered to `path` last.
    pub(super) fn answer(&self, path: &str) -> Option<Answer> {
        read::<Answer>(&self.file(path)).filter(|answer| answer.path == path)
    }

    /// Leaves an answer for others, unless a newer one is there; one from the future was written by another clock. Says
    /// whether it can be found again.
    pub(super) fn keep(&self, answer: &Answer) -> bool {
        if answer.text.len() as u64 > MOST_BYTES / 2 {
            return false;
        }
        let known = self.answer(&answer.path).map(|known| known.at);
        let newer = known.is_some_and(|at| at > answer.at && at <= now());
        newer || self.put(&self.file(&answer.path), answer)
    }

    /// Until when nobody may use the token.
    pub(super) fn held_until(&self) -> Option<Timestamp> {
        let hold = read::<Hold>(&self.hold_file())?;
        let stands = hold.of == self.token && hold.until > now() && hold.until <= after(LONGEST_HOLD);
        stands.then_some(hold.until)
    }

    /// GitHub takes nothing with this token until then.
    pub(super) fn hold(&self, until: Timestamp) {
        if self.held_until().is_none_or(|known| known < until) {
            self.put(&self.hold_file(), &Hold { until, of: self.token });
        }
    }

    /// Waits until nobody else asks, for at most `patience`: one that hangs must not hold up the others for ever. `None`
    /// then, and where there can be no lock.
    pub(super) async fn turn(&self, patience: Duration) -> Option<Turn> {
        let file = self.lock_file().inspect_err(|error| self.warn(error)).ok()?;
        let got = tokio::time::timeout(patience, async {
            while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                // A lock that is waited for in a thread would hold up the end of the program.
                tokio::time::sleep(LOOK).await;
            }
        });
        got.await.ok().map(|()| Turn { _file: file })
    }

    fn lock_file(&self) -> io::Result<File> {
        self.make()?;
        OpenOptions::new().write(true).create(true).truncate(false).open(self.dir.join("lock"))
    }

    fn file(&self, path: &str) -> PathBuf {
        self.dir.join(format!("{}.answer", name_of(path)))
    }

    fn hold_file(&self) -> PathBuf {
        self.dir.join("hold")
    }

    fn make(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)
    }

    /// Without a sync: what a crash damages is asked for again.
    fn put(&self, path: &Path, what: &impl Serialize) -> bool {
        let put = || -> io::Result<()> {
            self.make()?;
            if !path.exists() {
                self.sweep()?;
            }
            let owner = fs::Permissions::from_mode(0o600);
            let mut file =
                tempfile::Builder::new().prefix(".tmp-").permissions(owner).tempfile_in(&self.dir)?;
            file.write_all(&serde_json::to_vec(what)?)?;
            file.persist(path)?;
            Ok(())
        };
        put().inspect_err(|error| self.warn(error)).is_ok()
    }

    /// Makes room for one more: the oldest answers go, and what a crash has left half written.
    fn sweep(&self) -> io::Result<()> {
        let mut found: Vec<(SystemTime, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.ends_with(".answer") || name.starts_with(".tmp-") {
                // Another one may have swept it meanwhile.
                let Ok(meta) = entry.metadata() else { continue };
                found.push((meta.modified()?, entry.path()));
            }
        }
        found.sort();
        let many = (found.len() + 1).saturating_sub(MOST_FILES);
        for (_, path) in found.into_iter().take(many) {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn warn(&self, error: &io::Error) {
        tracing::warn!(%error, dir = %self.dir.display(), "answers of GitHub cannot be left for other runs");
    }
}

fn now() -> Timestamp {
    after(Duration::ZERO)
}

/// A name for a file that says nothing of what it is about.
fn name_of(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let half = digest.iter().take(16).fold(0_u128, |all, byte| all << 8 | u128::from(*byte));
    format!("{half:032x}")
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let mut text = Vec::new();
    let file = File::open(path).ok()?;
    let taken = file.take(MOST_BYTES + 1).read_to_end(&mut text).ok()?;
    if taken as u64 > MOST_BYTES { None } else { serde_json::from_slice(&text).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(path: &str, at: Timestamp) -> Answer {
        Answer { path: path.to_owned(), at, etag: "\"1\"".to_owned(), text: "[]".to_owned() }
    }

    fn files(shared: &Shared) -> usize {
        fs::read_dir(&shared.dir).unwrap().count()
    }

    #[test]
    fn p08_answers_are_private_bounded_and_damage_is_no_answer() {
        let dir = tempfile::tempdir().unwrap();
        let shared = Shared::new(dir.path(), "https://api.github.com acme/toy", 7);
        assert!(shared.answer("/pulls").is_none());
        assert!(shared.keep(&answer("/pulls", Timestamp(5))));
        assert!(shared.keep(&answer("/pulls", Timestamp(4))), "a newer one is there");
        assert_eq!(shared.answer("/pulls").unwrap().at, Timestamp(5));
        let file = shared.file("/pulls");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(&shared.dir)), (0o600, 0o700));
        let other = Shared::new(dir.path(), "https://api.github.com acme/other", 7);
        assert!(other.answer("/pulls").is_none(), "it is another repository's");

        for damage in [&b"{\"path\":\"/pul"[..], b"", b"\xff\xfe", b"null"] {
            fs::write(&file, damage).unwrap();
            assert!(shared.answer("/pulls").is_none(), "{damage:?}");
        }
        fs::write(&file, serde_json::to_vec(&answer("/other", Timestamp(6))).unwrap()).unwrap();
        assert!(shared.answer("/pulls").is_none(), "it answers something else");
        let large = Answer { text: "x".repeat(3 << 20), ..answer("/large", Timestamp(1)) };
        assert!(!shared.keep(&large) && shared.answer("/large").is_none());
        for n in 0..MOST_FILES + 20 {
            assert!(shared.keep(&answer(&format!("/{n}"), Timestamp(1))));
        }
        assert_eq!(files(&shared), MOST_FILES);
        assert!(shared.answer(&format!("/{}", MOST_FILES + 19)).is_some());
    }

    #[test]
    fn p08_an_answer_from_the_future_gives_way() {
        let dir = tempfile::tempdir().unwrap();
        let shared = Shared::new(dir.path(), "place", 7);
        let ahead = after(Duration::from_secs(3600));
        assert!(shared.keep(&answer("/pulls", ahead)));
        let at = now();
        assert!(shared.keep(&answer("/pulls", at)));
        assert_eq!(shared.answer("/pulls").unwrap().at, at, "it would be believed once its time has come");
    }

    #[test]
    fn p08_a_hold_is_one_tokens_and_ends() {
        let dir = tempfile::tempdir().unwrap();
        let of = |token| Shared::new(dir.path(), "place", token);
        assert_eq!(of(1).held_until(), None);
        let until = after(Duration::from_secs(600));
        of(1).hold(until);
        of(1).hold(after(Duration::from_secs(5)));
        assert_eq!((of(1).held_until(), of(2).held_until()), (Some(until), None));
        of(2).hold(Timestamp(1));
        assert_eq!(of(2).held_until(), None, "it is over");
        of(2).hold(after(LONGEST_HOLD * 2));
        assert_eq!(of(2).held_until(), None, "nobody waits for ever");
        assert_ne!(fingerprint("a"), fingerprint("b"));
    }

    #[tokio::test]
    async fn p08_one_asks_at_a_time_and_nobody_waits_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let shared = Shared::new(dir.path(), "place", 1);
        let first = shared.turn(Duration::from_secs(60)).await;
        assert!(first.is_some());
        assert!(shared.turn(Duration::ZERO).await.is_none(), "two ask at once");
        drop(first);
        assert!(shared.turn(Duration::from_secs(60)).await.is_some());
    }
}
