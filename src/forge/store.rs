//! The operations of the local forge.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::ForgeError;
use super::pull_request::{
    Closed, Comment, Merged, NewComment, NewPr, NewReview, Opened, PrAction, PrFilter, PrState, PrUpdate,
    PullRequest, Review,
};
use super::repo_lock::RepoGuard;
use super::shelf::{Sheet, Shelf};

/// The pull requests of a repository without a GitHub. Any number of processes may have it open.
///
/// Every change takes the repository lock and syncs; none may be called while this thread holds that lock.
#[derive(Debug, Clone)]
pub struct LocalForge {
    shelf: Shelf,
    lock: PathBuf,
}

impl LocalForge {
    /// Opens the forge in `dir`, which is `<record>/forge`, and makes it where it is missing. The lock is
    /// `<record>/repo.lock`.
    pub fn open(dir: &Path) -> Result<LocalForge, ForgeError> {
        let failed = |source| ForgeError::Write { path: dir.to_owned(), source };
        fs::create_dir_all(dir).map_err(failed)?;
        let record = dir.parent().unwrap_or(Path::new("."));
        fs::File::open(record).and_then(|record| record.sync_all()).map_err(failed)?;
        Ok(LocalForge { shelf: Shelf::new(dir.to_owned()), lock: record.join("repo.lock") })
    }

    /// Runs `work` under the repository lock, and waits for it first. In `work` the forge can be read; a change
    /// would wait for ever.
    pub fn with_lock<T, E: From<ForgeError>>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let _guard = RepoGuard::acquire(&self.lock)?;
        work()
    }

    /// Opens a pull request, or returns the one that has its marker, whatever its state.
    pub fn create(&self, new: NewPr) -> Result<Opened, ForgeError> {
        self.with_lock(|| {
            let listing = self.shelf.list()?;
            listing.sweep()?;
            if let Some(existing) = self.find(&listing.pulls, &new.marker)? {
                return Ok(Opened::Existing(existing));
            }
            let sheet = Sheet::new(new.numbered(listing.highest + 1));
            self.shelf.write(&sheet)?;
            Ok(Opened::New(sheet.pull))
        })
    }

    /// The pull request of a lane of a run.
    pub fn find_by_marker(&self, marker: &str) -> Result<Option<PullRequest>, ForgeError> {
        self.find(&self.shelf.list()?.pulls, marker)
    }

    /// One pull request.
    pub fn get(&self, number: u64) -> Result<PullRequest, ForgeError> {
        Ok(self.shelf.read(number)?.pull)
    }

    /// Those that `filter` admits, by number.
    pub fn list(&self, filter: &PrFilter) -> Result<Vec<PullRequest>, ForgeError> {
        let mut found = Vec::new();
        for number in self.shelf.list()?.pulls {
            let pull = self.get(number)?;
            if filter.admits(&pull) {
                found.push(pull);
            }
        }
        Ok(found)
    }

    /// Changes what `update` names. An update that changes nothing writes nothing.
    ///
    /// # Errors
    /// [`ForgeError::WrongState`] when it is not open and its branches or its draft mark would change.
    pub fn update(&self, number: u64, update: PrUpdate, at: &str) -> Result<PullRequest, ForgeError> {
        self.change(number, at, |pull| {
            if update.moves(pull) {
                require(pull, PrState::Open, PrAction::Move)?;
            }
            update.apply(pull);
            Ok(())
        })
    }

    /// Records that it landed; a repeat changes nothing.
    ///
    /// # Errors
    /// [`ForgeError::WrongState`] when it is closed, [`ForgeError::MergedOtherwise`] when it landed as another
    /// commit.
    pub fn mark_merged(&self, number: u64, merged: Merged) -> Result<PullRequest, ForgeError> {
        let at = merged.at.clone();
        self.change(number, &at, |pull| match &pull.merged {
            Some(found) if found.sha == merged.sha => Ok(()),
            Some(found) => {
                Err(ForgeError::MergedOtherwise { number, found: found.sha.clone(), claimed: merged.sha })
            }
            None => {
                require(pull, PrState::Open, PrAction::Merge)?;
                pull.state = PrState::Merged;
                pull.merged = Some(merged);
                Ok(())
            }
        })
    }

    /// Gives it up; a repeat changes nothing.
    ///
    /// # Errors
    /// [`ForgeError::WrongState`] when it is merged.
    pub fn close(&self, number: u64, closed: Closed) -> Result<PullRequest, ForgeError> {
        let at = closed.at.clone();
        self.change(number, &at, |pull| {
            if pull.state == PrState::Closed {
                return Ok(());
            }
            require(pull, PrState::Open, PrAction::Close)?;
            pull.state = PrState::Closed;
            pull.closed = Some(closed);
            Ok(())
        })
    }

    /// Opens it again; a repeat changes nothing.
    ///
    /// # Errors
    /// [`ForgeError::WrongState`] when it is merged.
    pub fn reopen(&self, number: u64, at: &str) -> Result<PullRequest, ForgeError> {
        self.change(number, at, |pull| {
            if pull.state == PrState::Open {
                return Ok(());
            }
            require(pull, PrState::Closed, PrAction::Reopen)?;
            pull.state = PrState::Open;
            pull.closed = None;
            Ok(())
        })
    }

    /// Adds a review of the head that it names, once for a key; [`Review::covers`] tells whether that is still the head.
    pub fn add_review(&self, number: u64, new: NewReview) -> Result<Review, ForgeError> {
        self.with_lock(|| {
            let mut sheet = self.shelf.read(number)?;
            let known = sheet.reviews.iter().find(|known| known.key.is_some() && known.key == new.key);
            if let Some(known) = known {
                return Ok(known.clone());
            }
            let NewReview { author, verdict, body, sha, at, key } = new;
            let review = Review { id: sheet.next_id(), author, verdict, body, sha, at, key };
            sheet.pull.updated_at.clone_from(&review.at);
            sheet.reviews.push(review.clone());
            self.shelf.write(&sheet)?;
            Ok(review)
        })
    }

    /// Adds a comment, once for a key.
    pub fn add_comment(&self, number: u64, new: NewComment) -> Result<Comment, ForgeError> {
        self.with_lock(|| {
            let mut sheet = self.shelf.read(number)?;
            let known = sheet.comments.iter().find(|known| known.key.is_some() && known.key == new.key);
            if let Some(known) = known {
                return Ok(known.clone());
            }
            let NewComment { author, body, at, path, line, key } = new;
            let comment = Comment { id: sheet.next_id(), author, body, at, path, line, key };
            sheet.pull.updated_at.clone_from(&comment.at);
            sheet.comments.push(comment.clone());
            self.shelf.write(&sheet)?;
            Ok(comment)
        })
    }

    /// The reviews of one pull request, oldest first.
    pub fn reviews(&self, number: u64) -> Result<Vec<Review>, ForgeError> {
        Ok(self.shelf.read(number)?.reviews)
    }

    /// The comments of one pull request, oldest first.
    pub fn comments(&self, number: u64) -> Result<Vec<Comment>, ForgeError> {
        Ok(self.shelf.read(number)?.comments)
    }

    fn find(&self, numbers: &[u64], marker: &str) -> Result<Option<PullRequest>, ForgeError> {
        for number in numbers {
            let pull = self.get(*number)?;
            if pull.marker == marker {
                return Ok(Some(pull));
            }
        }
        Ok(None)
    }

    /// Reads, changes and writes under the lock; what is unchanged is not written.
    fn change(
        &self,
        number: u64,
        at: &str,
        change: impl FnOnce(&mut PullRequest) -> Result<(), ForgeError>,
    ) -> Result<PullRequest, ForgeError> {
        self.with_lock(|| {
            let mut sheet = self.shelf.read(number)?;
            let before = sheet.pull.clone();
            change(&mut sheet.pull)?;
            if sheet.pull != before {
                at.clone_into(&mut sheet.pull.updated_at);
                self.shelf.write(&sheet)?;
            }
            Ok(sheet.pull)
        })
    }
}

fn require(pull: &PullRequest, state: PrState, action: PrAction) -> Result<(), ForgeError> {
    if pull.state == state {
        Ok(())
    } else {
        Err(ForgeError::WrongState { number: pull.number, state: pull.state, action })
    }
}
