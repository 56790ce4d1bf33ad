//! The directory of the forge: which files there are, and how one is read and replaced.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::ForgeError;
use super::pull_request::{Comment, PullRequest, Review};
use crate::failpoint::{self, Point};

/// The format that is written.
const SCHEMA: u32 = 1;
const TEMPORARY: &str = ".tmp-";

/// One file: a pull request with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sheet {
    schema: u32,
    pub(super) pull: PullRequest,
    pub(super) reviews: Vec<Review>,
    pub(super) comments: Vec<Comment>,
}

impl Sheet {
    pub(super) fn new(pull: PullRequest) -> Sheet {
        Sheet { schema: SCHEMA, pull, reviews: Vec::new(), comments: Vec::new() }
    }

    /// The id of the next review or comment.
    pub(super) fn next_id(&self) -> u64 {
        let reviews = self.reviews.iter().map(|review| review.id);
        reviews.chain(self.comments.iter().map(|comment| comment.id)).max().unwrap_or(0) + 1
    }
}

/// The least that every format has.
#[derive(Deserialize)]
struct Format {
    schema: u32,
}

/// What a name in the directory stands for.
enum Name {
    Pull(u64),
    /// Another kind, of this or a newer version, that shares the numbers.
    OtherKind(u64),
    Temporary,
    /// Ends in `.json` like ours, and is not.
    Foreign,
    /// Nothing of ours and nothing like it.
    Unrelated,
}

impl Name {
    fn parse(name: &str) -> Name {
        if name.starts_with(TEMPORARY) {
            return Name::Temporary;
        }
        let Some(stem) = name.strip_suffix(".json") else {
            return Name::Unrelated;
        };
        let Some((number, kind)) = stem.split_once('.') else {
            return Name::Foreign;
        };
        match number.parse::<u64>() {
            Ok(parsed) if parsed == 0 || parsed == u64::MAX || parsed.to_string() != number => Name::Foreign,
            Ok(parsed) if kind == "pull" => Name::Pull(parsed),
            Ok(parsed) if !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_lowercase()) => {
                Name::OtherKind(parsed)
            }
            _ => Name::Foreign,
        }
    }
}

/// What lies in the directory.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The numbers of the pull requests, ascending.
    pub(super) pulls: Vec<u64>,
    /// The highest number of any kind; 0 when there is none.
    pub(super) highest: u64,
    /// What writers left that were killed; only under the lock can it be told from a write under way.
    temporary: Vec<PathBuf>,
}

impl Listing {
    /// Deletes what killed writers left. The caller holds the repository lock.
    pub(super) fn sweep(&self) -> Result<(), ForgeError> {
        self.temporary.iter().try_for_each(|path| {
            fs::remove_file(path).map_err(|source| ForgeError::Write { path: path.clone(), source })
        })
    }
}

/// The directory.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    dir: PathBuf,
}

impl Shelf {
    pub(super) fn new(dir: PathBuf) -> Shelf {
        Shelf { dir }
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number}.pull.json"))
    }

    pub(super) fn list(&self) -> Result<Listing, ForgeError> {
        let failed = |source| ForgeError::Read { path: self.dir.clone(), source };
        let mut listing = Listing::default();
        for entry in fs::read_dir(&self.dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            match Name::parse(&name) {
                Name::Pull(number) => {
                    listing.pulls.push(number);
                    listing.highest = listing.highest.max(number);
                }
                Name::OtherKind(number) => listing.highest = listing.highest.max(number),
                Name::Temporary => listing.temporary.push(entry.path()),
                Name::Foreign => return Err(ForgeError::Foreign { path: entry.path() }),
                Name::Unrelated => {}
            }
        }
        listing.pulls.sort_unstable();
        Ok(listing)
    }

    pub(super) fn read(&self, number: u64) -> Result<Sheet, ForgeError> {
        let path = self.path(number);
        let bytes = match read_regular(&path) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Err(ForgeError::Foreign { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ForgeError::NotFound { number });
            }
            Err(source) => return Err(ForgeError::Read { path, source }),
        };
        let sheet = parse(&path, &bytes)?;
        if sheet.pull.number != number {
            return Err(ForgeError::Misnamed { path, found: sheet.pull.number });
        }
        Ok(sheet)
    }

    pub(super) fn write(&self, sheet: &Sheet) -> Result<(), ForgeError> {
        let path = self.path(sheet.pull.number);
        self.replace(&path, sheet).map_err(|source| ForgeError::Write { path, source })
    }

    /// Old file or new file, whenever a crash comes; the new one is on disk when this returns.
    fn replace(&self, path: &Path, sheet: &Sheet) -> io::Result<()> {
        failpoint::write(Point::ShelfWrite)?;
        let mut bytes = serde_json::to_vec_pretty(sheet)?;
        bytes.push(b'\n');
        let mut file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .permissions(fs::Permissions::from_mode(0o644))
            .tempfile_in(&self.dir)?;
        file.write_all(&bytes)?;
        file.as_file().sync_all()?;
        failpoint::pass(Point::ShelfRename);
        file.persist(path)?;
        File::open(&self.dir)?.sync_all()
    }
}

/// Reads a plain file; `None` for what is none: a fifo would never end, a link leads out of the record.
fn read_regular(path: &Path) -> io::Result<Option<Vec<u8>>> {
    if fs::symlink_metadata(path)?.is_file() { fs::read(path).map(Some) } else { Ok(None) }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Sheet, ForgeError> {
    let corrupt = |source| ForgeError::Corrupt { path: path.to_owned(), source };
    let Format { schema } = serde_json::from_slice(bytes).map_err(corrupt)?;
    if schema > SCHEMA {
        return Err(ForgeError::Newer { path: path.to_owned(), found: schema, known: SCHEMA });
    }
    serde_json::from_slice(bytes).map_err(corrupt)
}
