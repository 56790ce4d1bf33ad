//! Merging in the object database: no worktree, no index, no ref is touched.

use std::io::Write as _;

use super::command::{Answer, Git};
use super::repo::{oid, sha};
use super::{GitError, Repo};
use crate::id::Sha;

/// How much conflict text an agent or a person is shown, in bytes.
const DETAIL: usize = 16 * 1024;

/// What merging two commits comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merge {
    /// They fit together.
    Clean {
        /// The merged tree.
        tree: Sha,
        /// Whether theirs descends from ours, so that it can be taken as it is.
        ff: bool,
    },
    /// They do not.
    Conflict {
        /// The merged tree, with conflict markers in the files in conflict where those are text.
        tree: Sha,
        /// The files in conflict, in order.
        paths: Vec<String>,
        /// What git says about each, and the text with conflict markers; bounded.
        detail: String,
    },
}

/// Work that has landed, whether the commit that brought it names it as a parent or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landed {
    /// The commit of the target that brought it.
    pub commit: Sha,
    /// The tip that was landed.
    pub head: Sha,
}

impl Repo {
    /// Merges two commits. Where one contains the other, or only one side changed anything, no process is run.
    ///
    /// Commits without common history are [`GitError::UnrelatedHistories`].
    pub fn merge(&self, ours: &Sha, theirs: &Sha) -> Result<Merge, GitError> {
        self.merge_knowing(ours, theirs, &[])
    }

    /// Merges two commits as if each of `landings` were a merge of the work that it brought, however it was made.
    pub fn merge_knowing(&self, ours: &Sha, theirs: &Sha, landings: &[Landed]) -> Result<Merge, GitError> {
        if let Some(merge) = self.merge_trivially(ours, theirs)? {
            return Ok(merge);
        }
        // Attributes (merge drivers, eol) come from our side, not from whatever the user has checked out.
        let mut git = Git::configured(
            self.scope(),
            "merge-tree",
            &["merge.conflictStyle=diff3", "advice.graftFileDeprecated=false"],
        );
        if self.version() >= (2, 41) {
            git = git.env("GIT_ATTR_SOURCE", ours.as_str());
        }
        let grafts = self.grafts(landings)?;
        if let Some(file) = &grafts {
            git = git.env("GIT_GRAFT_FILE", file.path());
        }
        let answer = git
            .args(["--write-tree", "-z", "--name-only", "--messages", ours.as_str(), theirs.as_str()])
            .accept(&[0, 1])
            .run()?;
        self.merged(&answer)
    }

    /// What `merge-tree` says it came to.
    pub(super) fn merged(&self, answer: &Answer) -> Result<Merge, GitError> {
        if answer.code == 0 {
            let tree = first_field(answer)?;
            return Ok(Merge::Clean { tree, ff: false });
        }
        self.conflict(answer)
    }

    /// A file that tells git of more parents than the commits name; `None` where there is nothing to tell.
    fn grafts(&self, landings: &[Landed]) -> Result<Option<tempfile::NamedTempFile>, GitError> {
        let mut lines = String::new();
        for Landed { commit, head } in landings {
            let here = |one: &Sha| Ok::<_, GitError>(self.resolve_commit(one.as_str())?.is_some());
            if here(commit)? && here(head)? && !self.is_ancestor(head, commit)? {
                let parents = self.parents(commit)?;
                let all = std::iter::once(commit).chain(&parents).chain([head]).map(Sha::as_str);
                lines.push_str(&all.collect::<Vec<_>>().join(" "));
                lines.push('\n');
            }
        }
        if lines.is_empty() {
            return Ok(None);
        }
        let dir = std::env::temp_dir();
        let failed = || GitError::io("written to", &dir);
        let mut file = tempfile::NamedTempFile::new_in(&dir).map_err(failed())?;
        file.write_all(lines.as_bytes()).map_err(failed())?;
        Ok(Some(file))
    }

    fn merge_trivially(&self, ours: &Sha, theirs: &Sha) -> Result<Option<Merge>, GitError> {
        let failed = || GitError::library("finding the merge base");
        let (our_id, their_id) = (oid(ours)?, oid(theirs)?);
        let bases: Vec<Sha> = self.with(|repo| match repo.merge_bases(our_id, their_id) {
            Ok(bases) => Ok(bases.iter().map(|base| sha(*base)).collect()),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(Vec::new()),
            Err(error) => Err(failed()(error)),
        })?;
        let Some(base) = bases.first() else {
            return Err(GitError::UnrelatedHistories { ours: ours.clone(), theirs: theirs.clone() });
        };
        let (our_tree, their_tree) = (self.tree_of(ours)?, self.tree_of(theirs)?);
        if base == ours {
            return Ok(Some(Merge::Clean { tree: their_tree, ff: true }));
        }
        if base == theirs || our_tree == their_tree {
            return Ok(Some(Merge::Clean { tree: our_tree, ff: false }));
        }
        if bases.len() > 1 {
            return Ok(None);
        }
        let base_tree = self.tree_of(base)?;
        if base_tree == our_tree {
            return Ok(Some(Merge::Clean { tree: their_tree, ff: false }));
        }
        Ok((base_tree == their_tree).then_some(Merge::Clean { tree: our_tree, ff: false }))
    }

    fn conflict(&self, answer: &Answer) -> Result<Merge, GitError> {
        let tree = first_field(answer)?;
        let mut fields = answer.stdout.split(|byte| *byte == 0).map(String::from_utf8_lossy).skip(1);
        let paths: Vec<String> =
            fields.by_ref().take_while(|field| !field.is_empty()).map(std::borrow::Cow::into_owned).collect();
        let mut detail = String::new();
        // Each message: the number of paths, the paths, a stable type, the text for people.
        while let Some(count) = fields.next().and_then(|count| count.parse::<usize>().ok()) {
            if let Some(text) = fields.by_ref().nth(count + 1) {
                detail.push_str(&text);
            }
        }
        for path in &paths {
            if detail.len() >= DETAIL {
                break;
            }
            if let Some(text) = self.marked_text(&tree, path)? {
                detail.push_str("\n--- ");
                detail.push_str(path);
                detail.push('\n');
                detail.push_str(&text);
            }
        }
        Ok(Merge::Conflict { tree, paths, detail: bounded(detail) })
    }

    /// Which of `paths` hold in `commit` a conflict marker that they hold in `marked`, a commit of a merge in conflict.
    pub fn still_marked(
        &self,
        marked: &Sha,
        commit: &Sha,
        paths: &[String],
    ) -> Result<Vec<String>, GitError> {
        let (before, now) = (self.tree_of(marked)?, self.tree_of(commit)?);
        let is_marker =
            |line: &&str| ["<<<<<<< ", "||||||| ", ">>>>>>> "].iter().any(|m| line.starts_with(m));
        let mut left = Vec::new();
        for path in paths {
            let (Some(before), Some(now)) = (self.text_of(&before, path)?, self.text_of(&now, path)?) else {
                continue;
            };
            if before.lines().filter(is_marker).any(|marker| now.lines().any(|line| line == marker)) {
                left.push(path.clone());
            }
        }
        Ok(left)
    }

    /// The merged text of a file where it is text with conflict markers.
    fn marked_text(&self, tree: &Sha, path: &str) -> Result<Option<String>, GitError> {
        Ok(self.text_of(tree, path)?.filter(|text| text.contains("<<<<<<< ")))
    }

    /// The text of a file, where there is one by this name and it is text.
    fn text_of(&self, tree: &Sha, path: &str) -> Result<Option<String>, GitError> {
        let failed = || GitError::library("reading a merged file");
        let tree = oid(tree)?;
        self.with(|repo| {
            let tree = repo.find_tree(tree).map_err(failed())?;
            // A conflict over the file's existence leaves nothing under its name.
            let Ok(entry) = tree.get_path(std::path::Path::new(path)) else {
                return Ok(None);
            };
            let Ok(blob) = repo.find_blob(entry.id()) else {
                return Ok(None);
            };
            Ok((!blob.is_binary()).then(|| String::from_utf8_lossy(blob.content()).into_owned()))
        })
    }
}

fn first_field(answer: &Answer) -> Result<Sha, GitError> {
    let field = answer.stdout.split(|byte| *byte == 0).next().unwrap_or_default();
    let found = String::from_utf8_lossy(field).trim().to_owned();
    Sha::new(&found).map_err(|_| GitError::Output { operation: "merge-tree".to_owned(), found })
}

fn bounded(mut text: String) -> String {
    if text.len() > DETAIL {
        let mut end = DETAIL;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str("\n[cut]\n");
    }
    text
}
