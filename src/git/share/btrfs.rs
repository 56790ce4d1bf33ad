//! What is asked of btrfs, by its own program.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::NotShared;

/// The number of the root of every subvolume.
const ROOT: u64 = 256;

#[cfg(target_os = "linux")]
pub(super) fn is_at(path: &Path) -> bool {
    const MAGIC: i128 = 0x9123_683e;
    // The type of the number differs between platforms.
    rustix::fs::statfs(path).is_ok_and(|found| i128::from(found.f_type) & 0xffff_ffff == MAGIC)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_at(_: &Path) -> bool {
    false
}

pub(super) fn is_subvolume(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir() && found.ino() == ROOT) && is_at(path)
}

pub(super) fn ensure_program() -> Result<(), NotShared> {
    run("--version", &[])
}

pub(super) fn create(path: &Path) -> Result<(), NotShared> {
    run("subvolume create", &[path.as_os_str()])
}

/// Makes `to`, where nothing stands, a writable snapshot of `from`.
pub(super) fn snapshot(from: &Path, to: &Path) -> Result<(), NotShared> {
    run("subvolume snapshot", &[from.as_os_str(), to.as_os_str()])
}

/// Removes a subvolume, which only root may, or whoever the mount options let.
pub(super) fn delete(path: &Path) -> Result<(), NotShared> {
    run("subvolume delete", &[path.as_os_str()])
}

fn run(operation: &'static str, paths: &[&OsStr]) -> Result<(), NotShared> {
    let mut command = Command::new("btrfs");
    command.args(operation.split(' ')).args(paths);
    command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let output = command.output().map_err(|source: io::Error| NotShared::Program { source })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(NotShared::Refused { operation, said })
}
