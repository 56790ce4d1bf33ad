//! Many merges in one process.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use git2::Oid;
use tempfile::TempDir;

use super::{Probe, Verdict, beside, objects};
use crate::git::{GitError, Repo};
use crate::id::Sha;

/// A directory that is kept in memory, on systems that have one.
const MEMORY: &str = "/dev/shm";
/// A process takes as long to begin as some merges take.
const WORTH_A_PROCESS: usize = 16;
/// Nobody gains from more: what is left is the beginning of each.
const MOST_PROCESSES: usize = 8;

/// A tree without files, which every git knows. From there it has no attributes, and looks for none, directory by directory.
const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// Which attributes that are in commits tell git how to merge two of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Attributes {
    /// Those of this commit.
    Of(Oid),
    /// None concerns what is merged.
    Nobodys,
}

/// Two commits that nothing less than a merge can tell of.
#[derive(Debug)]
pub(super) struct ToMerge {
    /// Ours and theirs.
    pub(super) pair: (Sha, Sha),
    pub(super) attributes: Attributes,
}

impl Probe {
    /// Merges every pair, none of which is without common history.
    pub(super) fn merges(&self, all: &[ToMerge]) -> Result<Vec<Verdict>, GitError> {
        let mut verdicts = vec![Verdict::Clean; all.len()];
        let mut by_attributes: BTreeMap<Attributes, Vec<usize>> = BTreeMap::new();
        for (n, to_merge) in all.iter().enumerate() {
            by_attributes.entry(to_merge.attributes).or_default().push(n);
        }
        for (attributes, chosen) in by_attributes {
            let batch: Vec<&(Sha, Sha)> = chosen.iter().map(|&n| &all[n].pair).collect();
            let from = match attributes {
                Attributes::Of(commit) => commit.to_string(),
                Attributes::Nobodys => EMPTY_TREE.to_owned(),
            };
            for (&n, verdict) in chosen.iter().zip(self.spread(&batch, &from)?) {
                verdicts[n] = verdict;
            }
        }
        Ok(verdicts)
    }

    /// Merges them in as many processes as there are processors, where there is enough for each.
    fn spread(&self, pairs: &[&(Sha, Sha)], attributes: &str) -> Result<Vec<Verdict>, GitError> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let processes = processors.min(MOST_PROCESSES).min(pairs.len() / WORTH_A_PROCESS).max(1);
        let snapshots = self.snapshots.as_ref().map(TempDir::path);
        let merging = Merging { repo: &self.repo, snapshots, attributes };
        std::thread::scope(|scope| {
            let shares = pairs.chunks(pairs.len().div_ceil(processes).max(1));
            let all: Vec<_> = shares.map(|share| scope.spawn(move || merging.halving(share))).collect();
            let mut verdicts = Vec::with_capacity(pairs.len());
            for share in all {
                verdicts.extend(share.join().expect("threads do not panic")?);
            }
            Ok(verdicts)
        })
    }
}

/// The processes that merge.
#[derive(Clone, Copy)]
struct Merging<'a> {
    repo: &'a Repo,
    snapshots: Option<&'a Path>,
    /// The tree, or a commit of it, whose attributes count.
    attributes: &'a str,
}

impl Merging<'_> {
    /// One merge that git cannot do ends the process: what is asked with it is asked again without it.
    fn halving(self, pairs: &[&(Sha, Sha)]) -> Result<Vec<Verdict>, GitError> {
        match self.batch(pairs) {
            Err(GitError::Failed { .. } | GitError::Output { .. }) if pairs.len() > 1 => {
                let (one, two) = pairs.split_at(pairs.len() / 2);
                let mut verdicts = self.halving(one)?;
                verdicts.extend(self.halving(two)?);
                Ok(verdicts)
            }
            // Killed by a signal: an assertion of git's that does not hold for these two.
            Err(GitError::Failed { code: None, stderr, .. }) => {
                Ok(vec![Verdict::Broken { why: stderr }; pairs.len()])
            }
            other => other,
        }
    }

    /// Most of the time goes into small files that are gone a moment later, so they are made in memory where there is
    /// room for them.
    fn batch(self, pairs: &[&(Sha, Sha)]) -> Result<Vec<Verdict>, GitError> {
        let on_disk = || self.batch_in(&std::env::temp_dir(), pairs);
        if !Path::new(MEMORY).is_dir() {
            return on_disk();
        }
        match self.batch_in(Path::new(MEMORY), pairs) {
            // What git breaks down over it breaks down over everywhere.
            Err(GitError::Failed { code: Some(_), .. } | GitError::Io { .. }) => on_disk(),
            other => other,
        }
    }

    fn batch_in(self, dir: &Path, pairs: &[&(Sha, Sha)]) -> Result<Vec<Verdict>, GitError> {
        let mut input = String::new();
        for (ours, theirs) in pairs {
            _ = writeln!(input, "{ours} {theirs}");
        }
        let objects = objects(self.repo, self.snapshots, dir)?;
        let mut git = beside(self.repo.scope(), "merge-tree", objects.path());
        if self.repo.version() >= (2, 41) {
            git = git.env("GIT_ATTR_SOURCE", self.attributes);
        }
        let answer = git
            .args(["--write-tree", "--stdin", "-z", "--name-only", "--no-messages"])
            .stdin(input.into_bytes())
            .run()?;
        let verdicts = read(&answer.stdout, pairs.len());
        let named =
            verdicts.map(|verdicts| verdicts.into_iter().zip(pairs).map(|(one, pair)| own(one, pair)));
        named.map(Iterator::collect).ok_or_else(|| GitError::Output {
            operation: "merge-tree --stdin".to_owned(),
            found: String::from_utf8_lossy(&answer.stdout[..answer.stdout.len().min(200)]).into_owned(),
        })
    }
}

/// Where a file is in the way of a folder, git puts it beside under a name of its own that ends in the commit. It is called by the
/// name that it has in that commit.
fn own(verdict: Verdict, (ours, theirs): &(Sha, Sha)) -> Verdict {
    let Verdict::Conflict { mut paths } = verdict else { return verdict };
    let mut renamed = false;
    for path in &mut paths {
        let beside = path.rsplit_once('~').filter(|(_, at)| *at == ours.as_str() || *at == theirs.as_str());
        if let Some(end) = beside.map(|(name, _)| name.len()) {
            path.truncate(end);
            renamed = true;
        }
    }
    if renamed {
        paths.sort();
        paths.dedup();
    }
    Verdict::Conflict { paths }
}

/// Reads `<1 clean, 0 not> NUL <tree> NUL (<path> NUL)* NUL` for each of `count` merges; clean ones list no paths.
fn read(stdout: &[u8], count: usize) -> Option<Vec<Verdict>> {
    let mut fields = stdout.split(|byte| *byte == 0);
    let mut verdicts = Vec::with_capacity(count);
    for _ in 0..count {
        let clean = match fields.next()? {
            b"1" => true,
            b"0" => false,
            _ => return None,
        };
        fields.next()?;
        let mut paths = Vec::new();
        loop {
            match fields.next()? {
                b"" => break,
                path => paths.push(String::from_utf8_lossy(path).into_owned()),
            }
        }
        verdicts.push(if clean { Verdict::Clean } else { Verdict::Conflict { paths } });
    }
    fields.next()?.is_empty().then_some(verdicts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_cut_off_is_no_answer() {
        let whole = b"0\0aa\0f\0g h\0\x001\0bb\0\0";
        let conflict = Verdict::Conflict { paths: vec!["f".to_owned(), "g h".to_owned()] };
        assert_eq!(read(whole, 2), Some(vec![conflict, Verdict::Clean]));
        assert_eq!(read(&whole[..whole.len() - 2], 2), None);
        assert_eq!(read(whole, 1), None);
        assert_eq!(read(whole, 3), None);
    }
}
