//! Deleting a large directory with more than one thread: the file system is slower at it than one thread can ask.
#![expect(clippy::disallowed_methods, reason = "deletes what is not needed any more")]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// More threads than these are in each other's way in the file system.
const THREADS: usize = 4;

/// Deletes `root` and everything below it; links are deleted, never followed. After an error some of it is left, and the
/// same call goes on with that.
pub(super) fn remove_tree(root: &Path) -> io::Result<()> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
    let work = Work::default();
    work.lock().waiting.push(root.to_owned());
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| work.empty_all());
        }
        work.empty_all();
    });
    let emptied = work.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = emptied.error {
        return Err(error);
    }
    // A directory was found before those in it.
    emptied.found.iter().rev().try_for_each(std::fs::remove_dir)
}

#[derive(Debug, Default)]
struct Work {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<PathBuf>,
    /// Directories that are being emptied.
    at_work: usize,
    found: Vec<PathBuf>,
    error: Option<io::Error>,
}

impl Work {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes directories until none is left or something failed.
    fn empty_all(&self) {
        let mut state = self.lock();
        loop {
            if state.error.is_some() {
                return;
            }
            let Some(dir) = state.waiting.pop() else {
                if state.at_work == 0 {
                    return;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            state.at_work += 1;
            state.found.push(dir.clone());
            drop(state);
            let outcome = empty(&dir);
            state = self.lock();
            state.at_work -= 1;
            match outcome {
                Ok(dirs) => state.waiting.extend(dirs),
                Err(error) => state.error = Some(error),
            }
            self.changed.notify_all();
        }
    }
}

/// Deletes the files of a directory and returns the directories in it.
fn empty(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut dirs = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            dirs.push(entry.path());
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(dirs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p10_a_tree_goes_whole_and_what_its_links_lead_to_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (root, other) = (dir.path().join("root"), dir.path().join("other"));
        std::fs::create_dir_all(&other).unwrap();
        std::fs::write(other.join("kept"), "kept").unwrap();
        for n in 0..50 {
            let deep = root.join(format!("a{}/b{n}/c/d", n % 7));
            std::fs::create_dir_all(&deep).unwrap();
            std::fs::write(deep.join("file"), "x").unwrap();
            std::os::unix::fs::symlink(&other, deep.join("link")).unwrap();
        }
        remove_tree(&root).unwrap();
        assert!(!root.exists());
        assert_eq!(std::fs::read_to_string(other.join("kept")).unwrap(), "kept");
        assert_eq!(remove_tree(&root).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
