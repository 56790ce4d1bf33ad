//! The names of refs.
//!
//! libgit2 lists refs only all together: with the branches of a graph, of which there is one for each attempt, so that what is
//! looked at for each attempt would grow with the attempts before it. And where folders are a hundred deep, as any agent can
//! make them, it takes that for the end and leaves out whatever comes after.
#![expect(clippy::disallowed_methods, reason = "lists the folders of loose refs")]

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, BufReader, ErrorKind};
use std::path::Path;

use super::GitError;
use crate::plain_file;

/// How long the name of a ref can be in bytes that libgit2 looks up.
const LONGEST: usize = 1024;

/// The full names, loose or packed, of what may be a ref and begins with `prefix` (which begins with `refs/`), except for those in
/// the folder `without` (which ends with a slash); `None` where one of them is no text.
pub(super) fn names(
    common: &Path,
    prefix: &str,
    without: Option<&str>,
) -> Result<Option<BTreeSet<String>>, GitError> {
    let mut names = Names { prefix, without, found: BTreeSet::new(), are_text: true };
    names.loose(common).map_err(GitError::io("read", &common.join(prefix)))?;
    let packed = common.join("packed-refs");
    names.packed(&packed).map_err(GitError::io("read", &packed))?;
    Ok(names.are_text.then_some(names.found))
}

struct Names<'a> {
    prefix: &'a str,
    without: Option<&'a str>,
    found: BTreeSet<String>,
    are_text: bool,
}

impl Names<'_> {
    /// Adds what lies in files of its own. What goes meanwhile is no ref any more. One folder at a time is open, however deep they
    /// are, and what is too deep to be looked up is none.
    fn loose(&mut self, common: &Path) -> io::Result<()> {
        let top = self.prefix.rfind('/').map_or(0, |slash| slash + 1);
        let mut folders = vec![self.prefix[..top].to_owned()];
        while let Some(folder) = folders.pop() {
            let entries = match std::fs::read_dir(common.join(&folder)) {
                Ok(entries) => entries,
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    continue;
                }
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
                let slash = if is_dir { "/" } else { "" };
                let name = format!("{folder}{name}{slash}");
                let is_meant = name.starts_with(self.prefix) && self.without != Some(name.as_str());
                if !is_meant || name.len() > LONGEST {
                    continue;
                }
                if is_dir {
                    folders.push(name);
                } else {
                    // A lock is no ref; whoever looks it up is told so.
                    self.found.insert(name);
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
            let name = &line[blank + 1..];
            if !name.starts_with(self.prefix.as_bytes()) {
                continue;
            }
            match std::str::from_utf8(name) {
                Ok(name) if self.without.is_some_and(|without| name.starts_with(without)) => {}
                Ok(name) => {
                    self.found.insert(name.trim_end().to_owned());
                }
                Err(_) => self.are_text = false,
            }
        }
        Ok(())
    }
}
