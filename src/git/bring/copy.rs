//! Copies of files and folders that share their blocks with the original where the file system can do that.
#![expect(clippy::disallowed_methods, reason = "copies files")]

use std::fs::{File, FileTimes, Metadata};
use std::io;
use std::ops::AddAssign;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use walkdir::WalkDir;

use crate::git::GitError;

/// How much was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files and links.
    pub files: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Files whose blocks are shared with the original until one of the two changes.
    pub shared: u64,
}

impl AddAssign for Copied {
    fn add_assign(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.shared += other.shared;
    }
}

/// Copies the file, link or folder `from` to `to`, where nothing may stand; folders above it are made. Content, mode and
/// time of change are kept, links stay links, and sockets, fifos and devices are left out. What was changed after
/// `latest` counts as changed then.
pub fn copy_tree(from: &Path, to: &Path, latest: Option<SystemTime>) -> Result<Copied, GitError> {
    let mut done = Copied::default();
    let mut folders = Vec::new();
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent).map_err(GitError::io("created", parent))?;
    }
    for entry in WalkDir::new(from).follow_links(false) {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(from).to_owned();
            GitError::io("read", &path)(error.into())
        })?;
        let target = match entry.path().strip_prefix(from) {
            Ok(below) if !below.as_os_str().is_empty() => to.join(below),
            _ => to.to_owned(),
        };
        let found = entry.path().symlink_metadata().map_err(GitError::io("read", entry.path()))?;
        if found.is_dir() {
            make_folder(&target).map_err(GitError::io("created", &target))?;
            folders.push((target, found));
        } else {
            done += copy_entry(entry.path(), &found, &target, latest)?;
        }
    }
    settle_folders(folders, latest)?;
    Ok(done)
}

/// Copies one file or link; the folder that it goes to is there. It appears whole or not at all.
pub(super) fn copy_entry(
    from: &Path,
    found: &Metadata,
    to: &Path,
    latest: Option<SystemTime>,
) -> Result<Copied, GitError> {
    let copy = || -> io::Result<Copied> {
        if found.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(from)?, to)?;
            return Ok(Copied { files: 1, ..Copied::default() });
        }
        if !found.is_file() {
            return Ok(Copied::default());
        }
        // Nobody else may read what is copied before its own mode says so.
        let dir = to.parent().unwrap_or(to);
        let mut temp = tempfile::Builder::new().prefix(".laneway-").tempfile_in(dir)?;
        let mut source = File::open(from)?;
        let shared = share(&source, temp.as_file());
        if !shared {
            io::copy(&mut source, temp.as_file_mut())?;
        }
        temp.as_file().set_times(FileTimes::new().set_modified(changed(found, latest)?))?;
        temp.as_file().set_permissions(found.permissions())?;
        temp.persist_noclobber(to)?;
        Ok(Copied { files: 1, bytes: found.len(), shared: u64::from(shared) })
    };
    copy().map_err(GitError::io("copied", from))
}

fn changed(found: &Metadata, latest: Option<SystemTime>) -> io::Result<SystemTime> {
    let changed = found.modified()?;
    Ok(latest.map_or(changed, |latest| changed.min(latest)))
}

/// Makes a folder that its owner can write to, whatever its mode will be.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other,
    }
}

/// Gives folders mode and time of change of their originals, once nothing is written to them any more.
pub(super) fn settle_folders(
    folders: Vec<(PathBuf, Metadata)>,
    latest: Option<SystemTime>,
) -> Result<(), GitError> {
    for (path, found) in folders.into_iter().rev() {
        let settle = || -> io::Result<()> {
            let folder = File::open(&path)?;
            folder.set_times(FileTimes::new().set_modified(changed(&found, latest)?))?;
            // Without write permission for the owner nothing could be taken away again.
            folder.set_permissions(PermissionsExt::from_mode(found.permissions().mode() | 0o700))
        };
        settle().map_err(GitError::io("written", &path))?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn share(from: &File, to: &File) -> bool {
    rustix::fs::ioctl_ficlone(to, from).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn share(_: &File, _: &File) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    #[test]
    fn a_tree_is_copied_with_modes_times_and_links_and_without_sockets() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("there/to"));
        std::fs::create_dir_all(from.join("bin/empty")).unwrap();
        std::fs::write(from.join("secret"), "s").unwrap();
        std::fs::set_permissions(from.join("secret"), PermissionsExt::from_mode(0o400)).unwrap();
        std::fs::write(from.join("bin/tool"), "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(from.join("bin/tool"), PermissionsExt::from_mode(0o755)).unwrap();
        symlink("bin/tool", from.join("link")).unwrap();
        symlink("/nowhere", from.join("dangling")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(from.join("socket")).unwrap();
        assert!(Command::new("mkfifo").arg(from.join("fifo")).status().unwrap().success());
        let old = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        let tool = File::options().write(true).open(from.join("bin/tool")).unwrap();
        tool.set_times(FileTimes::new().set_modified(old)).unwrap();
        File::open(from.join("bin")).unwrap().set_times(FileTimes::new().set_modified(old)).unwrap();

        let copied = copy_tree(&from, &to, None).unwrap();
        assert_eq!((copied.files, copied.bytes), (4, 11));
        let mode = |name: &str| to.join(name).symlink_metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("secret"), mode("bin/tool")), (0o400, 0o755));
        assert_eq!(to.join("bin/tool").metadata().unwrap().modified().unwrap(), old);
        assert_eq!(to.join("bin").metadata().unwrap().modified().unwrap(), old);
        assert_eq!(std::fs::read_link(to.join("link")).unwrap(), Path::new("bin/tool"));
        assert_eq!(std::fs::read_link(to.join("dangling")).unwrap(), Path::new("/nowhere"));
        assert!(to.join("bin/empty").is_dir());
        assert!(!to.join("socket").exists() && !to.join("fifo").exists());
    }

    #[test]
    fn a_copy_is_no_hard_link_and_takes_nobodys_place() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        std::fs::write(&from, "one").unwrap();
        copy_tree(&from, &to, None).unwrap();
        std::fs::write(&to, "two").unwrap();
        assert_eq!(std::fs::read_to_string(&from).unwrap(), "one");
        assert!(copy_tree(&from, &to, None).is_err());
        assert_eq!(std::fs::read_to_string(&to).unwrap(), "two");
    }
}
