//! Which files of a tree are written as the bytes of their blobs, and which only git can write.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::listing::{Kind, Listing};
use crate::git::command::Git;
use crate::git::{GitError, Repo};
use crate::id::Sha;
use crate::plain_file;

/// Who writes the files of a tree.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Conversion {
    /// Only git can write them, because of this key of the configuration.
    Everything {
        /// The key.
        key: &'static str,
    },
    /// For each entry whether it is written as the bytes of its blob.
    Entries(Vec<bool>),
}

/// What outside of the tree says which files git converts.
#[derive(Debug)]
pub(in crate::git) struct Sources {
    /// The values of `core.*`, by their keys in lower case.
    config: BTreeMap<String, String>,
    /// The files of attributes that are there; `None` where only git knows them.
    attributes: Option<Vec<PathBuf>>,
}

impl Sources {
    pub(in crate::git) fn of(repo: &Repo) -> Result<Self, GitError> {
        let (config, files) = std::thread::scope(|scope| {
            let files = scope.spawn(|| repo.attribute_files());
            (config(repo), files.join().expect("threads do not panic"))
        });
        let config = config?;
        let attributes = match files? {
            // Git resolves what stands there.
            _ if config.contains_key("core.attributesfile") => None,
            None => None,
            Some(files) => {
                let own = repo.common_dir().join("info/attributes");
                Some([own].into_iter().chain(files.iter().cloned()).filter(|file| file.exists()).collect())
            }
        };
        Ok(Self { config, attributes })
    }

    /// Other bytes where they say something else; `None` where that cannot be told.
    pub(in crate::git) fn digest(&self) -> Option<[u8; 32]> {
        let mut digest = Sha256::new();
        let mut put = |bytes: &[u8]| {
            digest.update(bytes.len().to_le_bytes());
            digest.update(bytes);
        };
        for (key, value) in &self.config {
            put(key.as_bytes());
            put(value.as_bytes());
        }
        for path in self.attributes.as_ref()? {
            put(&plain_file::read(path, plain_file::MOST_BYTES).ok()?);
        }
        Some(digest.finalize().into())
    }

    /// Whether anything may have git convert one of these files. Where it may, `git check-attr` says which; asking it of every
    /// path takes as long as writing a quarter of the files, and most repositories say nothing of the kind.
    fn may_convert(&self, repo: &Repo, listing: &Listing, crlf: bool) -> Result<bool, GitError> {
        let Some(files) = &self.attributes else { return Ok(true) };
        for path in files {
            // What cannot be read here is git's to judge.
            if !plain_file::read(path, plain_file::MOST_BYTES).is_ok_and(|text| !speaks_of_it(&text, crlf)) {
                return Ok(true);
            }
        }
        let is_attributes = |path: &[u8]| path.rsplit(|byte| *byte == b'/').next() == Some(b".gitattributes");
        repo.with(|repo| {
            let odb = repo.odb().map_err(reading())?;
            for entry in listing.entries.iter().filter(|entry| is_attributes(&entry.path)) {
                if entry.kind == Kind::Submodule
                    || speaks_of_it(odb.read(entry.id).map_err(reading())?.data(), crlf)
                {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }
}

fn reading() -> impl FnOnce(git2::Error) -> GitError {
    GitError::library("reading a blob")
}

/// Whether a file of attributes holds the name of one that converts, be it in a macro, a pattern or a comment.
fn speaks_of_it(text: &[u8], crlf: bool) -> bool {
    let text = text.to_ascii_lowercase();
    let holds = |word: &str| text.windows(word.len()).any(|part| part == word.as_bytes());
    ["filter", "ident", "working-tree-encoding", "crlf"].into_iter().any(holds) || (crlf && holds("text"))
}

/// Says of each entry whether it is written as it is.
pub(super) fn plain(
    repo: &Repo,
    sources: &Sources,
    commit: &Sha,
    listing: &Listing,
) -> Result<Conversion, GitError> {
    if let Some(key) = left_to_git(&sources.config) {
        return Ok(Conversion::Everything { key });
    }
    let mut plain: Vec<bool> = listing.entries.iter().map(|entry| entry.kind != Kind::Submodule).collect();
    let crlf = sources.config.get("core.eol").is_some_and(|eol| eol.eq_ignore_ascii_case("crlf"));
    if sources.may_convert(repo, listing, crlf)? {
        for entry in converted(repo, commit, listing, crlf)? {
            plain[entry] = false;
        }
    }
    Ok(Conversion::Entries(plain))
}

/// The key, if any, that has git write every file in its own way.
fn left_to_git(config: &BTreeMap<String, String>) -> Option<&'static str> {
    let on = ["core.ignorecase", "core.precomposeunicode", "core.autocrlf"].map(|key| (key, true));
    let off = ["core.symlinks", "core.filemode"].map(|key| (key, false));
    let says = |(key, value): (&str, bool)| config.get(key).is_some_and(|text| truth(text) == value);
    on.into_iter().chain(off).find(|wanted| says(*wanted)).map(|(key, _)| key)
}

/// The values of `core.*`, by their keys in lower case.
fn config(repo: &Repo) -> Result<BTreeMap<String, String>, GitError> {
    let answer =
        Git::new(repo.scope(), "config").args(["-z", "--get-regexp", r"^core\."]).accept(&[0, 1]).run()?;
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    // A key without `=` is true.
    let pairs = text.split('\0').filter(|pair| !pair.is_empty());
    Ok(pairs
        .map(|pair| pair.split_once('\n').unwrap_or((pair, "true")))
        .map(|(key, value)| (key.to_lowercase(), value.to_owned()))
        .collect())
}

fn truth(value: &str) -> bool {
    ["true", "yes", "on", "1"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// The entries that git converts on their way to a file.
fn converted(repo: &Repo, commit: &Sha, listing: &Listing, crlf: bool) -> Result<Vec<usize>, GitError> {
    let mut paths = Vec::new();
    for entry in &listing.entries {
        paths.extend_from_slice(&entry.path);
        paths.push(0);
    }
    let answer = Git::new(repo.scope(), "check-attr")
        .arg(format!("--source={commit}"))
        .args(["-z", "--stdin", "--all"])
        .stdin(paths)
        .run()?;
    let mut fields = answer.stdout.split(|byte| *byte == 0);
    let mut found = Vec::new();
    let mut at = 0;
    while let (Some(path), Some(name), Some(value)) = (fields.next(), fields.next(), fields.next()) {
        if !converts(name, value, crlf) {
            continue;
        }
        // Answers come in the order of the questions.
        while listing.entries.get(at).is_some_and(|entry| entry.path != path) {
            at += 1;
        }
        if at < listing.entries.len() {
            found.push(at);
        }
    }
    Ok(found)
}

/// Whether an attribute makes git write something else than the blob.
fn converts(name: &[u8], value: &[u8], crlf: bool) -> bool {
    let off = matches!(value, b"unset" | b"unspecified");
    match name {
        b"filter" | b"ident" | b"working-tree-encoding" => !off,
        b"eol" => value.eq_ignore_ascii_case(b"crlf"),
        b"text" | b"crlf" => crlf && !off,
        _ => false,
    }
}
