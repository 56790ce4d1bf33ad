//! The stores of submodules: of each one bare repository in the record, `<common>/laneway/modules/<name>`, of which the
//! submodules in lanes are worktrees.
//!
//! So commits that an agent makes in a submodule are there for every other lane, a gate and a reviewer, and outlive their
//! lane; and all that is done with a lane (making it, custody, resetting, removing) is done with a submodule by the same code. A store has the objects of the
//! user's clone as hard links and never writes to that. The network is asked only for what no clone here has.
#![expect(clippy::disallowed_methods, reason = "makes the repositories of submodules in the record")]

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::CLONE;
use super::declared::Submodule;
use crate::git::command::{Git, Scope};
use crate::git::repo::sync_dir;
use crate::git::reset::remove_any;
use crate::git::{GitError, Repo, RepoLock};
use crate::id::Sha;

/// Where stores keep commits that lanes have had.
pub(super) const KEPT: &str = "refs/laneway/submodule/";

impl Repo {
    /// The store of `submodule`, with its commit. `clones` are repositories that may have it.
    pub(super) fn store(
        &self,
        submodule: &Submodule,
        clones: &[PathBuf],
        offline: bool,
    ) -> Result<Self, GitError> {
        let stores = self.stores();
        let dir = stores.join(key(&submodule.name));
        let _alone = RepoLock::acquire(&dir.with_extension("lock"))?;
        if !dir.join("HEAD").exists() {
            self.make_store(submodule, clones, &stores, &dir)?;
        }
        self.configure(submodule, &dir)?;
        let store = self.store_at(&dir);
        let has_it = || store.has_commit(&submodule.commit);
        if !has_it()? {
            for clone in clones {
                if store.take_from(clone, submodule) && has_it()? {
                    break;
                }
            }
        }
        if !has_it()? {
            store.take_from_afar(submodule, offline)?;
        }
        store.keep_commit(&submodule.commit)?;
        Ok(store)
    }

    /// The store that lies at `dir`.
    pub(super) fn store_at(&self, dir: &Path) -> Self {
        Self::found(dir.to_owned(), dir.to_owned(), true, self.version())
    }

    /// The store of a submodule, where there is one.
    pub(super) fn made_store(&self, submodule: &Submodule) -> Option<Self> {
        let dir = self.stores().join(key(&submodule.name));
        dir.join("HEAD").exists().then(|| self.store_at(&dir))
    }

    fn stores(&self) -> PathBuf {
        self.record_dir().join("modules")
    }

    /// Every store of this repository.
    pub(super) fn all_stores(&self) -> Result<Vec<Self>, GitError> {
        let stores = self.stores();
        let entries = match std::fs::read_dir(&stores) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(GitError::io("read", &stores)(error)),
        };
        let mut all = Vec::new();
        for entry in entries {
            let dir = entry.map_err(GitError::io("read", &stores))?;
            let is_made = !dir.file_name().as_bytes().starts_with(b"making-");
            if is_made && dir.path().join("HEAD").exists() {
                all.push(self.store_at(&dir.path()));
            }
        }
        Ok(all)
    }

    /// Builds it aside and renames it into place.
    fn make_store(
        &self,
        submodule: &Submodule,
        clones: &[PathBuf],
        stores: &Path,
        dir: &Path,
    ) -> Result<(), GitError> {
        let made = || GitError::io("created", dir);
        let aside = tempfile::Builder::new().prefix("making-").tempdir_in(stores).map_err(made())?;
        let at = aside.path();
        Git::new(Scope::Nowhere, "init")
            .args(["--quiet", "--bare", "--object-format=sha1", "--initial-branch=main", "--template="])
            .arg(at)
            .run()?;
        let clone = self.clone_dir().join("modules").join(&submodule.name);
        std::fs::write(at.join(CLONE), clone.as_os_str().as_bytes()).map_err(made())?;
        // Only of the user's own clone: the files of others are in agents' hands.
        if let Some(clone) = clones.iter().find(|&other| *other == clone && is_whole(other)) {
            link_objects(&clone.join("objects"), &at.join("objects")).map_err(made())?;
            // What it knows of its remote, so that an agent knows it too.
            let fetched = Git::configured(self.store_at(at).scope(), "fetch", LOCAL)
                .args([
                    "--quiet",
                    "--no-write-fetch-head",
                    "--no-recurse-submodules",
                    "--no-auto-maintenance",
                ])
                .arg(clone)
                .args(["+refs/remotes/origin/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"])
                .run();
            if let Err(error) = fetched {
                tracing::debug!(%error, clone = %clone.display(), "its refs are not taken");
            }
        }
        std::fs::rename(at, dir).and_then(|()| sync_dir(stores)).map_err(made())?;
        drop(aside.keep());
        Ok(())
    }

    /// Writes the store's config anew each time: agents can write to it, and the address may be another by now.
    fn configure(&self, submodule: &Submodule, dir: &Path) -> Result<(), GitError> {
        let new = dir.join("config.new");
        remove_any(&new)?;
        let config = |key: &str, value: &str| {
            Git::new(Scope::Nowhere, "config").arg("--file").arg(&new).args([key, value]).run()
        };
        config("core.repositoryFormatVersion", "0")?;
        config("core.fileMode", "true")?;
        config("core.logAllRefUpdates", "true")?;
        // Those in it are checked out, so an agent's git is to look into them.
        config("submodule.active", ".")?;
        config("remote.origin.url", &self.address(submodule)?)?;
        config("remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")?;
        let path = dir.join("config");
        std::fs::rename(&new, &path).map_err(GitError::io("written", &path))
    }

    /// Takes the commit from a clone on this machine; says whether that went well.
    fn take_from(&self, clone: &Path, submodule: &Submodule) -> bool {
        let fetched = Git::configured(self.scope(), "fetch", LOCAL)
            .args([
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                "--no-recurse-submodules",
                "--no-auto-maintenance",
            ])
            .arg(clone)
            .arg(submodule.commit.as_str())
            .run();
        if let Err(error) = &fetched {
            tracing::debug!(%error, clone = %clone.display(), "it does not have a submodule's commit");
        }
        fetched.is_ok()
    }

    /// Fetches the commit from where the submodule comes from. Which protocols git follows for that is what it follows for
    /// `git submodule update`: an address out of a file is not the user's word.
    fn take_from_afar(&self, submodule: &Submodule, offline: bool) -> Result<(), GitError> {
        let missing = |detail: String| GitError::Submodule {
            name: submodule.name.clone(),
            path: submodule.path.clone(),
            outermost: submodule.path.clone(),
            commit: submodule.commit.clone(),
            detail,
        };
        if offline {
            return Err(missing(
                "no clone on this machine has it, and the network is not to be used".to_owned(),
            ));
        }
        let fetch = |what: Option<&str>| {
            let git = self.talk("fetch", &[])?;
            git.env("GIT_PROTOCOL_FROM_USER", "0")
                .args([
                    "--quiet",
                    "--no-write-fetch-head",
                    "--no-recurse-submodules",
                    "--no-auto-maintenance",
                ])
                .arg("origin")
                .args(what)
                .run()
        };
        // All branches first, as git does; a server need not hand out a commit by its id.
        let all = fetch(None);
        if self.has_commit(&submodule.commit)? {
            return Ok(());
        }
        let one = if all.is_ok() { fetch(Some(submodule.commit.as_str())) } else { all };
        match one {
            Ok(_) if self.has_commit(&submodule.commit)? => Ok(()),
            Ok(_) => Err(missing(format!("{} does not have it", submodule.url))),
            Err(GitError::Failed { stderr, .. }) => Err(missing(stderr)),
            Err(GitError::TimedOut { seconds, .. }) => Err(missing(format!("no answer in {seconds} s"))),
            Err(other) => Err(other),
        }
    }

    /// Holds a commit in this store for good: a commit of the repository around it may name it.
    pub(super) fn keep_commit(&self, commit: &Sha) -> Result<(), GitError> {
        let name = format!("{KEPT}{commit}");
        if self.read_ref(&name)?.is_some() { Ok(()) } else { self.set_ref(&name, commit, None) }
    }

    /// Where the submodule comes from: as the user's config says, else `.gitmodules`. A relative address counts from origin's.
    fn address(&self, submodule: &Submodule) -> Result<String, GitError> {
        let get = |key: &str| -> Result<Option<String>, GitError> {
            let answer = Git::new(self.scope(), "config").args(["--get", key]).accept(&[0, 1]).run()?;
            Ok(Some(answer.line()).filter(|line| !line.is_empty()))
        };
        if let Some(own) = get(&format!("submodule.{}.url", submodule.name))? {
            return Ok(own);
        }
        let is_relative = submodule.url.starts_with("./") || submodule.url.starts_with("../");
        if !is_relative {
            return Ok(submodule.url.clone());
        }
        let base = get("remote.origin.url")?;
        Ok(joined(&base.unwrap_or_else(|| self.root().display().to_string()), &submodule.url))
    }
}

/// Our own transfers between folders of this machine.
pub(super) const LOCAL: &[&str] = &["protocol.file.allow=always", "protocol.version=2"];

/// A relative address, as git resolves it.
fn joined(base: &str, relative: &str) -> String {
    let (mut base, mut rest) = (base.trim_end_matches('/'), relative);
    loop {
        if let Some(after) = rest.strip_prefix("./") {
            rest = after;
        } else if let Some(after) = rest.strip_prefix("../") {
            base = base.rfind(['/', ':']).map_or(base, |at| &base[..at]);
            rest = after;
        } else {
            return format!("{base}/{}", rest.trim_end_matches('/'));
        }
    }
}

/// Whether all the objects of a clone lie in its own folder.
fn is_whole(clone: &Path) -> bool {
    let elsewhere = ["objects/info/alternates", "shallow"].iter().any(|file| clone.join(file).exists());
    let promised = std::fs::read_dir(clone.join("objects/pack")).is_ok_and(|mut packs| {
        packs
            .any(|pack| pack.is_ok_and(|pack| pack.path().extension().is_some_and(|kind| kind == "promisor")))
    });
    clone.join("objects").is_dir() && !elsewhere && !promised
}

/// Links every object and pack; copies where the file system cannot link.
fn link_objects(from: &Path, to: &Path) -> std::io::Result<()> {
    for found in walkdir::WalkDir::new(from).min_depth(2).max_depth(2) {
        let found = found?;
        let name = found.file_name().to_string_lossy();
        let is_object = found.path().parent().and_then(Path::file_name).is_some_and(|dir| dir.len() == 2);
        let is_pack =
            [".pack", ".idx", ".rev"].iter().any(|end| name.ends_with(end)) && name.starts_with("pack-");
        if !found.file_type().is_file() || !(is_object || is_pack) || name.starts_with("tmp_") {
            continue;
        }
        let place = to.join(found.path().strip_prefix(from).expect("what is found lies below"));
        if let Some(dir) = place.parent() {
            std::fs::create_dir_all(dir)?;
        }
        if std::fs::hard_link(found.path(), &place).is_err() {
            std::fs::copy(found.path(), &place)?;
        }
    }
    Ok(())
}

/// A folder's name for a submodule's: readable, and no two alike.
fn key(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' })
        .collect();
    let digest = Sha256::digest(name);
    let sum = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    format!("{}-{sum:08x}", plain.chars().take(64).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_addresses_count_from_origin() {
        for (base, relative, expected) in [
            ("https://example.org/team/app.git", "../lib.git", "https://example.org/team/lib.git"),
            ("https://example.org/team/app/", "../../other/lib", "https://example.org/other/lib"),
            ("git@example.org:team/app.git", "../lib.git", "git@example.org:team/lib.git"),
            ("/srv/app", "./lib", "/srv/app/lib"),
        ] {
            assert_eq!(joined(base, relative), expected);
        }
    }
}
