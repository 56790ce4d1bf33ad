//! A picture of everything that is the user's in a repository: files, index, HEAD, config, branches, stash, reflogs.
#![expect(clippy::disallowed_methods, reason = "tests read real files")]

use std::collections::BTreeMap;
use std::path::Path;

/// What in a repository is Laneway's, relative to its root; everything else is the user's.
const OURS: &[&str] = &[
    ".worktrees",
    ".laneway",
    ".git/laneway",
    ".git/worktrees",
    ".git/objects",
    ".git/info/exclude",
    ".git/refs/laneway",
    ".git/refs/heads/laneway",
    ".git/logs/refs/laneway",
    ".git/logs/refs/heads/laneway",
];

/// The bytes of every file that is the user's, by path; a link is its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserState {
    files: BTreeMap<String, Vec<u8>>,
}

impl UserState {
    /// Takes a picture of the repository whose main worktree is `root`.
    pub(crate) fn of(root: &Path) -> Self {
        let mut files = BTreeMap::new();
        let ours = |path: &Path| {
            path.strip_prefix(root).is_ok_and(|path| OURS.iter().any(|ours| path == Path::new(ours)))
        };
        for entry in walkdir::WalkDir::new(root).into_iter().filter_entry(|entry| !ours(entry.path())) {
            let entry = entry.expect("walk the repository");
            let path =
                entry.path().strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
            if entry.file_type().is_file() {
                files.insert(path, std::fs::read(entry.path()).expect("read a file"));
            } else if entry.path_is_symlink() {
                let target = std::fs::read_link(entry.path()).expect("read a link");
                files.insert(path, target.to_string_lossy().into_owned().into_bytes());
            }
        }
        Self { files }
    }

    /// Fails with the names of the files that differ from now.
    #[track_caller]
    pub(crate) fn assert_untouched(&self, root: &Path) {
        let now = Self::of(root);
        let names = self.files.keys().chain(now.files.keys());
        let mut changed: Vec<&String> =
            names.filter(|name| self.files.get(*name) != now.files.get(*name)).collect();
        changed.dedup();
        assert!(changed.is_empty(), "what is the user's was touched: {changed:?}");
    }
}
