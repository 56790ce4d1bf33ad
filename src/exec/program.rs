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
    let as_path = Path::new(program);
    let candidates: Vec<PathBuf> = if program.is_empty() {
        Vec::new()
    } else if as_path.components().count() > 1 || as_path.is_absolute() || ends_with_slash(program) {
        vec![cwd.join(as_path)]
    } else {
        std::env::split_paths(path)
            .map(|directory| cwd.join(directory).join(as_path))
            .collect()
    };
    for candidate in candidates {
        match fs::metadata(&candidate) {
            Ok(found) if found.is_file() && access(&candidate, Access::EXEC_OK).is_ok() => {
                return Ok(candidate);
            }
            Ok(_) => refused = refused.or(Some(candidate)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                refused = refused.or(Some(candidate));
            }
            // Any other failure of the look-up means, as for a shell, that this is not the place.
            Err(_) => {}
        }
    }
    Err(match refused {
        Some(path) => ProgramError::NotExecutable { path },
        None => ProgramError::NotFound {
            program: program.to_string_lossy().into_owned(),
        },
    })
}

fn ends_with_slash(program: &OsStr) -> bool {
    program.as_encoded_bytes().ends_with(b"/")
}
