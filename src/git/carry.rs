//! Moving a file or a folder out of a lane, also to another file system: that of the worktrees may be another than the
//! record's, and a lane that is a snapshot is one by itself.
#![expect(
    clippy::disallowed_methods,
    reason = "moves what is in lanes, by a program where one step does not do it"
)]

use std::io::{Error, ErrorKind, Result};
use std::path::Path;
use std::process::{Command, Stdio};

/// Renames `from` to `to`, where nothing stands. Between file systems it is copied aside first, with all that it is (folders that
/// are empty, sockets, links, times), and what a crash interrupts is there at both places.
pub(super) fn carry(from: &Path, to: &Path) -> Result<()> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {}
        done => return done,
    }
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(".coming");
    let aside = to.with_file_name(name);
    // `mv` does what takes hundreds of lines to do as well.
    let mut mv = Command::new("mv");
    mv.arg("--").arg(from).arg(&aside).stdin(Stdio::null()).stdout(Stdio::null());
    let output = mv.stderr(Stdio::piped()).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::new(ErrorKind::CrossesDevices, said));
    }
    std::fs::rename(&aside, to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn what_lies_on_another_file_system_is_moved_whole() {
        let here = tempfile::tempdir().unwrap();
        let Ok(there) = tempfile::tempdir_in("/dev/shm") else { return eprintln!("skipped: no other disk") };
        if here.path().metadata().unwrap().dev() == there.path().metadata().unwrap().dev() {
            return eprintln!("skipped: no other disk");
        }
        let (from, to) = (here.path().join("from"), there.path().join("to"));
        std::fs::create_dir_all(from.join("empty/folder")).unwrap();
        std::fs::write(from.join("file"), "text").unwrap();
        std::os::unix::fs::symlink("file", from.join("link")).unwrap();
        carry(&from, &to).unwrap();
        assert!(!from.exists() && to.join("empty/folder").is_dir());
        assert_eq!(std::fs::read_to_string(to.join("link")).unwrap(), "text");
        assert!(to.join("link").symlink_metadata().unwrap().is_symlink());
        carry(&from, &there.path().join("other")).unwrap_err();
        assert_eq!(std::fs::read_dir(there.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
