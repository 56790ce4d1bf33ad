//! Where the `git` program is.
//!
//! It is named by its path: a program that is only named, with an environment of its own, has every spawn try each folder of
//! PATH anew, and has the standard library fork, which copies the page tables of a process that grows with its lanes.
#![expect(clippy::disallowed_methods, reason = "looks for a program in PATH")]

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Access, access};

/// The `git` of PATH, looked up once and again where it is gone since. Folders that are not named from the root are passed
/// over: git is started in lanes, where an agent could put a program of that name. The bare name where there is none.
pub(super) fn git() -> PathBuf {
    static FOUND: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(program) = found.as_ref().filter(|program| can_run(program)) {
        return program.clone();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    *found = std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("git"))
        .find(|program| program.is_file() && can_run(program));
    found.clone().unwrap_or_else(|| PathBuf::from("git"))
}

fn can_run(program: &Path) -> bool {
    access(program, Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn git_is_named_by_its_path() {
        let program = super::git();
        assert!(program.is_absolute() && program.is_file(), "{}", program.display());
    }
}
