//! Finding the file that a program name means.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// A program name means no file that can be run.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// There is no such file, neither at the path nor in a directory of `PATH`.
    #[error("no program `{program}` was found")]
    NotFound {
        /// The name as it was asked for.
        program: String,
    },
    /// There is a file, but it is a directory or has no execute permission.
    #[error("`{}` cannot be executed", path.display())]
    NotExecutable {
        /// The file that was found.
        path: PathBuf,
    },
}

/// Finds the file of `program`: a name with a `/` is a path from `cwd`, any other is looked up in `path` (the value
/// of `PATH`), whose relative entries are taken from `cwd` too.
pub fn find_program(program: &OsStr, path: &OsStr, cwd: &Path) -> Result<PathBuf, ProgramError> {
    let mut refused = None;
    let is_path = program.as_encoded_bytes().contains(&b'/');
    let candidates: Vec<PathBuf> = match program.is_empty() {
        true => Vec::new(),
        false if is_path => vec![cwd.join(program)],
        false => std::env::split_paths(path).map(|directory| cwd.join(directory).join(program)).collect(),
    };
    for candidate in candidates {
        match fs::metadata(&candidate) {
            Ok(found) if found.is_file() && access(&candidate, Access::EXEC_OK).is_ok() => {
                return Ok(candidate);
            }
            Ok(_) => refused = refused.or(Some(candidate)),
            Err(error) if is_path && error.kind() == io::ErrorKind::PermissionDenied => {
                refused = Some(candidate);
            }
            // A directory of `PATH` that cannot be searched holds nothing for us.
            Err(_) => {}
        }
    }
    Err(match refused {
        Some(path) => ProgramError::NotExecutable { path },
        None => ProgramError::NotFound { program: program.to_string_lossy().into_owned() },
    })
}
