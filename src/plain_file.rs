//! Whole files that somebody else wrote: ordinary ones only, of a bounded size, without ever waiting for them.
//!
//! A pipe would be waited for, a device would never end or would set something going, and a sparse file of 10 GB
//! would fill the memory. Links are followed, as for everybody who opens a file by its name. The failures are errors of
//! the system, so that they are told like those; [`Odd`] lies in them.
#![expect(clippy::disallowed_methods, reason = "reads files")]

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// More than any file needs that a person writes for Laneway, in bytes.
pub const MOST_BYTES: u64 = 16 << 20;

/// What a file is that is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Odd {
    /// It is no file.
    #[error("it is {}, not a file", .found.words())]
    NotAFile {
        /// What it is.
        found: Found,
    },
    /// It is too large.
    #[error("it has {} more than {most} bytes, which are the most", size.map_or_else(String::new, |size| format!("{size} bytes,")))]
    TooLarge {
        /// Its size in bytes, where it has one.
        size: Option<u64>,
        /// The limit in bytes.
        most: u64,
    },
}

/// What stands where a file should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A directory.
    Directory,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A device.
    Device,
}

impl Found {
    fn of(kind: FileType) -> Option<Self> {
        match kind {
            kind if kind.is_file() => None,
            kind if kind.is_dir() => Some(Self::Directory),
            kind if kind.is_fifo() => Some(Self::Fifo),
            kind if kind.is_socket() => Some(Self::Socket),
            _ => Some(Self::Device),
        }
    }

    /// With its article.
    fn words(self) -> &'static str {
        match self {
            Self::Directory => "a directory",
            Self::Fifo => "a named pipe",
            Self::Socket => "a socket",
            Self::Device => "a device",
        }
    }
}

impl Odd {
    /// What is odd about the file that could not be read; `None` where the system failed.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl From<Odd> for io::Error {
    fn from(odd: Odd) -> Self {
        let kind = match odd {
            Odd::NotAFile { found: Found::Directory } => ErrorKind::IsADirectory,
            Odd::NotAFile { .. } => ErrorKind::InvalidInput,
            Odd::TooLarge { .. } => ErrorKind::FileTooLarge,
        };
        Self::new(kind, odd)
    }
}

/// Opens the ordinary file at `path`.
pub fn open(path: &Path) -> io::Result<File> {
    // Asked before opening, because opening a device can set something going.
    ordinary(std::fs::metadata(path)?.file_type())?;
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    // It may have been replaced since.
    ordinary(file.metadata()?.file_type())?;
    Ok(file)
}

/// The bytes of the ordinary file at `path`, of which there may be `most`.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let size = file.metadata()?.len();
    if size > most {
        return Err(Odd::TooLarge { size: Some(size), most }.into());
    }
    whole(file, most)
}

/// The text of the ordinary file at `path`, of which there may be `most` bytes.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    text(read(path, most)?)
}

/// Opens the file at `path` that the caller has named, who may as well have named a stream that they hand over
/// (`/dev/stdin`, `/dev/fd/63`).
pub fn open_named(path: &Path) -> io::Result<File> {
    if is_handed_over(path) { File::open(path) } else { open(path) }
}

/// The text of what [`open_named`] opens; a stream is read to its end.
pub fn read_named_text(path: &Path, most: u64) -> io::Result<String> {
    if is_handed_over(path) { text(whole(File::open(path)?, most)?) } else { read_text(path, most) }
}

fn ordinary(kind: FileType) -> io::Result<()> {
    Found::of(kind).map_or(Ok(()), |found| Err(Odd::NotAFile { found }.into()))
}

/// Whether `path` names an open descriptor of this process that is a pipe, a socket or a terminal.
fn is_handed_over(path: &Path) -> bool {
    let names_one = path == Path::new("/dev/stdin")
        || ["/dev/fd", "/proc/self/fd"].iter().any(|dir| path.parent() == Some(Path::new(dir)));
    names_one && std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

fn whole(file: impl io::Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(Odd::TooLarge { size: None, most }.into());
    }
    Ok(bytes)
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not text in UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn odd(answer: io::Result<Vec<u8>>) -> Option<Odd> {
        Odd::of(&answer.expect_err("refused"))
    }

    #[test]
    fn p24_only_ordinary_files_are_read_and_none_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap();
        assert_eq!(odd(read(&path, 10)), Some(Odd::NotAFile { found: Found::Fifo }));
        assert_eq!(odd(read(Path::new("/dev/zero"), 10)), Some(Odd::NotAFile { found: Found::Device }));
        assert_eq!(odd(read(dir.path(), 10)), Some(Odd::NotAFile { found: Found::Directory }));
        let missing = read(&dir.path().join("missing"), 10).expect_err("missing");
        assert_eq!((missing.kind(), Odd::of(&missing)), (ErrorKind::NotFound, None));
    }

    #[test]
    fn p24_a_file_is_read_to_its_limit_and_no_further() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "0123456789").unwrap();
        assert_eq!(read(&path, 10).unwrap(), b"0123456789");
        assert_eq!(odd(read(&path, 9)), Some(Odd::TooLarge { size: Some(10), most: 9 }));
        File::create(&path).unwrap().set_len(10 << 30).unwrap();
        assert_eq!(
            odd(read(&path, MOST_BYTES)),
            Some(Odd::TooLarge { size: Some(10 << 30), most: MOST_BYTES })
        );
        std::fs::write(&path, b"\xff").unwrap();
        assert_eq!(read_text(&path, 10).expect_err("no text").kind(), ErrorKind::InvalidData);
        let endless = whole(io::repeat(b'x'), 100).expect_err("endless");
        assert_eq!(Odd::of(&endless), Some(Odd::TooLarge { size: None, most: 100 }));
    }
}
