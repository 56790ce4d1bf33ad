//! Who made what in the parts of a repository that all its worktrees share: which commits were made in a lane, and what its
//! config says.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::command::{Git, Scope};
use super::worktree::{admin_dirs, path_of_admin};
use super::{GitError, Repo, Worktree};
use crate::id::Sha;
use crate::plain_file;

/// More commits of a branch are not looked at.
const MOST_COMMITS: &str = "--max-count=2000";
/// What the reflog calls the steps of HEAD that make a commit. Others move it to a commit that is somebody's already.
const MAKING: [&str; 5] = ["commit", "cherry-pick", "revert", "rebase", "merge"];

/// What stands for the keys of a file that git fails to read.
const UNREADABLE: &str = "(it cannot be read)";

/// The keys of a config file, each with digests of its values, in order. Values are not kept: some are secrets.
type Keys = BTreeMap<String, Vec<String>>;
/// The keys of each config file.
pub type ConfigKeys = BTreeMap<PathBuf, Keys>;
/// Config files as they were read last: a digest of each, and its keys.
pub(super) type ReadConfig = Mutex<BTreeMap<PathBuf, (String, Keys)>>;

impl Repo {
    /// The commits of `tip` that none of `without` holds and that were made in this lane, the newest first, as the reflog of its
    /// HEAD tells. Where there is no reflog, as in bare repositories, none is known.
    pub fn made_in(&self, worktree: &Worktree, tip: &Sha, without: &[&Sha]) -> Result<Vec<Sha>, GitError> {
        let made = made_by_head(worktree)?;
        if made.is_empty() {
            return Ok(Vec::new());
        }
        let without = without.iter().map(|commit| format!("^{commit}"));
        let answer = Git::new(self.scope(), "rev-list")
            .args([MOST_COMMITS, tip.as_str()])
            .args(without.map(OsString::from))
            .run()?;
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        Ok(text.lines().filter_map(|line| Sha::new(line).ok()).filter(|id| made.contains(id)).collect())
    }

    /// What the repository's config says, and that of its worktrees. Of those below `lanes` only `own` counts.
    pub fn config_keys(&self, own: &Worktree, lanes: &Path) -> Result<ConfigKeys, GitError> {
        let common = self.common_dir();
        let mut files = vec![common.join("config"), common.join("config.worktree")];
        for admin in admin_dirs(common)? {
            let file = admin.join("config.worktree");
            match file.symlink_metadata() {
                Ok(_) => {}
                // Hardly any worktree has one.
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    continue;
                }
                Err(error) => return Err(GitError::io("read", &file)(error)),
            }
            let is_other = path_of_admin(&admin)?.is_none_or(|path| path.starts_with(lanes));
            if admin == own.admin || !is_other {
                files.push(file);
            }
        }
        let mut keys = ConfigKeys::new();
        for file in files {
            if let Some(found) = self.keys_of(&file)? {
                keys.insert(file, found);
            }
        }
        Ok(keys)
    }
}

/// Every commit that a step of the lane's HEAD made.
fn made_by_head(worktree: &Worktree) -> Result<BTreeSet<Sha>, GitError> {
    let path = worktree.admin.join("logs/HEAD");
    let log = match plain_file::read(&path, plain_file::MOST_BYTES) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(GitError::io("read", &path)(error)),
    };
    let made = log.lines().filter_map(|line| {
        let (ids, message) = line.split_once('\t')?;
        let is_made = MAKING.iter().any(|verb| message.starts_with(verb));
        // What came by fast-forward, or is the start of a rebase, was made elsewhere.
        let (verb, rest) = message.split_once(':').unwrap_or((message, ""));
        let is_moved = rest.trim().eq_ignore_ascii_case("fast-forward")
            || ["(start)", "(finish)", "checkout"].iter().any(|word| verb.contains(word));
        let id = ids.split(' ').nth(1)?;
        (is_made && !is_moved).then(|| Sha::new(id).ok()).flatten()
    });
    Ok(made.collect())
}

impl Repo {
    /// The keys of one file; `None` where it is not there. What it includes is not looked at. Nothing but its bytes counts, so
    /// git is asked only where they are others than last time, or where it failed.
    fn keys_of(&self, path: &Path) -> Result<Option<Keys>, GitError> {
        let bytes = match plain_file::read(path, plain_file::MOST_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(GitError::io("read", path)(error)),
        };
        let whole = digest(&bytes);
        let read = || self.read_config().lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, keys)) = read().get(path).filter(|(of, _)| *of == whole) {
            return Ok(Some(keys.clone()));
        }
        let keys = listed(bytes, &whole)?;
        if !keys.contains_key(UNREADABLE) {
            read().insert(path.to_owned(), (whole, keys.clone()));
        }
        Ok(Some(keys))
    }
}

/// The keys that git finds in the text of a config file, whose digest is `whole`.
fn listed(text: Vec<u8>, whole: &str) -> Result<Keys, GitError> {
    let answer = Git::new(Scope::Nowhere, "config")
        .args(["--file", "-", "--no-includes", "-z", "--list"])
        .stdin(text)
        .run();
    let mut keys = Keys::new();
    match answer {
        Ok(answer) => {
            for entry in answer.stdout.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
                let cut = entry.iter().position(|byte| *byte == b'\n').unwrap_or(entry.len());
                let key = String::from_utf8_lossy(&entry[..cut]).into_owned();
                keys.entry(key).or_default().push(digest(&entry[cut..]));
            }
        }
        Err(GitError::Failed { .. }) => {
            keys.insert(UNREADABLE.to_owned(), vec![whole.to_owned()]);
        }
        Err(error) => return Err(error),
    }
    Ok(keys)
}

fn digest(bytes: &[u8]) -> String {
    format!("{:x?}", Sha256::digest(bytes))
}
