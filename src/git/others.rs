//! The names of the branches that are not Laneway's.
//!
//! libgit2 lists branches only all together: with those of a graph, of which there is one for each attempt, so that what
//! is looked at for each attempt would grow with the attempts before it.
#![expect(clippy::disallowed_methods, reason = "lists the folders of loose refs")]

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, BufReader, ErrorKind};
use std::path::Path;

use super::GitError;
use crate::plain_file;

const HEADS: &str = "refs/heads/";
/// The folder of Laneway's own branches.
const OWN: &str = "laneway";

/// The names, without `refs/heads/`, loose or packed, of what may be a branch; `None` where one of them is no text.
pub(super) fn names(common: &Path) -> Result<Option<BTreeSet<String>>, GitError> {
    let mut found = Names::default();
    let heads = common.join(HEADS);
    found.loose(&heads, "").map_err(GitError::io("read", &heads))?;
    let packed = common.join("packed-refs");
    found.packed(&packed).map_err(GitError::io("read", &packed))?;
    Ok(found.are_text.then_some(found.names))
}

struct Names {
    names: BTreeSet<String>,
    are_text: bool,
}

impl Default for Names {
    fn default() -> Self {
        Self { names: BTreeSet::new(), are_text: true }
    }
}

impl Names {
    /// Adds what lies in `dir`, whose refs begin with `prefix`. What goes meanwhile is no branch any more.
    fn loose(&mut self, dir: &Path, prefix: &str) -> io::Result<()> {
        let entries = match std::fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                self.are_text = false;
                continue;
            };
            match (is_dir, prefix, name) {
                (true, "", OWN) => {}
                (true, _, _) => self.loose(&entry.path(), &format!("{prefix}{name}/"))?,
                // A lock is no ref; whoever looks it up is told so.
                (false, _, _) => {
                    self.names.insert(format!("{prefix}{name}"));
                }
            }
        }
        Ok(())
    }

    /// Adds those of a file of packed refs, one `ID NAME` a line.
    fn packed(&mut self, path: &Path) -> io::Result<()> {
        let file = match plain_file::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for line in BufReader::new(file).split(b'\n') {
            let line = line?;
            let Some(blank) = line.iter().position(|byte| *byte == b' ') else { continue };
            let Some(name) = line[blank + 1..].strip_prefix(HEADS.as_bytes()) else { continue };
            match std::str::from_utf8(name) {
                Ok(name) if name.strip_prefix(OWN).is_some_and(|rest| rest.starts_with('/')) => {}
                Ok(name) => {
                    self.names.insert(name.trim_end().to_owned());
                }
                Err(_) => self.are_text = false,
            }
        }
        Ok(())
    }
}
