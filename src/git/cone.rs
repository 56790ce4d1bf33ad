//! The part of a tree that a sparse lane holds, as git's cone mode defines it: every file below one of its folders, and the
//! files right in the root and in each folder on the way to one of them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use git2::ErrorCode;

use super::objects::find_commit;
use super::{GitError, Repo};
use crate::id::Sha;

/// See the module. The empty one has the root's files only; a lane that holds all has none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Cone {
    /// Without slashes at the ends, in order.
    folders: Vec<String>,
}

impl Cone {
    pub(super) fn of(folders: &[String]) -> Self {
        let plain = |folder: &String| folder.trim_start_matches("./").trim_matches('/').to_owned();
        let mut folders: Vec<String> = folders.iter().map(plain).collect();
        folders.sort();
        folders.dedup();
        // One inside another adds nothing, and git writes no pattern for it.
        let all = folders.clone();
        folders.retain(|one| !all.iter().any(|other| one != other && is_below(one.as_bytes(), other)));
        Self { folders }
    }

    /// Whether files right in `dir` belong to it; the root is empty.
    pub(super) fn has_dir(&self, dir: &[u8]) -> bool {
        let holds = |folder: &String| {
            is_below(dir, folder)
                || folder.as_bytes().strip_prefix(dir).is_some_and(|rest| rest.starts_with(b"/"))
        };
        dir.is_empty() || self.folders.iter().any(holds)
    }

    /// Whether the file (or submodule) at `path` belongs to it.
    pub(super) fn has(&self, path: &[u8]) -> bool {
        let dir = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        self.has_dir(&path[..dir])
    }

    /// The patterns of `info/sparse-checkout`, as `git sparse-checkout set --cone` writes them.
    pub(super) fn patterns(&self) -> String {
        let mut parents: Vec<&str> = Vec::new();
        for folder in &self.folders {
            let slashes = folder.char_indices().filter(|(_, c)| *c == '/');
            parents.extend(slashes.map(|(at, _)| &folder[..at]));
        }
        parents.sort_unstable();
        parents.dedup();
        let mut text = String::from("/*\n!/*/\n");
        for parent in parents {
            let parent = escaped(parent);
            text.extend(["/", &parent, "/\n!/", &parent, "/*/\n"]);
        }
        for folder in &self.folders {
            text.extend(["/", &escaped(folder), "/\n"]);
        }
        text
    }
}

/// Whether `path` is `folder` or lies in it.
fn is_below(path: &[u8], folder: &str) -> bool {
    path.strip_prefix(folder.as_bytes()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// Letters that mean something in a pattern stand for themselves.
fn escaped(folder: &str) -> String {
    let mut text = String::with_capacity(folder.len());
    for letter in folder.chars() {
        if matches!(letter, '*' | '?' | '[' | '\\') {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}

impl Repo {
    /// Those of `folders` that are no folders of `commit`, each with the nearest one on the way to it that is.
    pub(super) fn missing_folders(
        &self,
        commit: &Sha,
        folders: &[String],
    ) -> Result<Vec<(String, String)>, GitError> {
        let failed = || GitError::library("looking for a folder");
        self.with(|repo| {
            let tree = find_commit(repo, commit)?.tree().map_err(failed())?;
            let is_folder = |path: &Path| match tree.get_path(path) {
                Ok(entry) => Ok(entry.filemode() == 0o040_000),
                Err(error) if error.code() == ErrorCode::NotFound => Ok(false),
                Err(error) => Err(failed()(error)),
            };
            let mut missing = Vec::new();
            for folder in &Cone::of(folders).folders {
                let path = Path::new(OsStr::from_bytes(folder.as_bytes()));
                if is_folder(path)? {
                    continue;
                }
                let mut there = String::new();
                for above in path.ancestors().skip(1).filter(|above| *above != Path::new("")) {
                    if is_folder(above)? {
                        there = above.to_string_lossy().into_owned();
                        break;
                    }
                }
                missing.push((folder.clone(), there));
            }
            Ok(missing)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cone(folders: &[&str]) -> Cone {
        Cone::of(&folders.iter().map(|&folder| folder.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_cone_has_its_folders_and_the_files_on_the_way() {
        let cone = cone(&["services/api/", "./libs"]);
        for path in ["README", "services/Makefile", "services/api/a", "services/api/b/c", "libs/x/y"] {
            assert!(cone.has(path.as_bytes()), "{path}");
        }
        for path in ["services/web/a", "services/apiary/a", "libsodium/a", "docs/a", "docs/libs/a"] {
            assert!(!cone.has(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn what_lies_in_another_folder_of_it_has_no_pattern() {
        assert_eq!(
            cone(&["a/b", "a/b/c", "a/b", "d[1]"]).patterns(),
            "/*\n!/*/\n/a/\n!/a/*/\n/a/b/\n/d\\[1]/\n"
        );
    }
}
