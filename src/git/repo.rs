//! The repository that Laneway works in, its identity, and how libgit2 is used on it.
#![expect(
    clippy::disallowed_methods,
    reason = "reads and writes the git directory and the record's own files"
)]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use git2::{ConfigLevel, ErrorClass, ErrorCode, Oid, Repository, RepositoryOpenFlags};

use super::command::{Git, Scope};
use super::fill::Queue;
use super::handed::HandedOut;
use super::provenance::ReadConfig;
use super::share::Verified;
use super::synced::Synced;
use super::{GitError, RepoLock, Unsupported};
use crate::failpoint::{self, Point};
use crate::id::Sha;

/// How many handles of libgit2 are kept for later. Each has its own memory of objects, and as many are open at once as lanes are
/// being made.
const IDLE: usize = 8;

/// Who a commit is made as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `user.name`.
    pub name: String,
    /// `user.email`.
    pub email: String,
}

/// A repository, seen from its main worktree (or from its bare directory). Cheap to clone.
#[derive(Clone)]
pub struct Repo {
    inner: Arc<Inner>,
}

struct Inner {
    root: PathBuf,
    common: PathBuf,
    bare: bool,
    version: (u32, u32),
    plain: Mutex<Vec<Repository>>,
    durable: Mutex<Vec<Repository>>,
    admin: Mutex<()>,
    fills: Queue,
    signs: OnceLock<bool>,
    attributes: OnceLock<Option<Vec<PathBuf>>>,
    bases: Verified,
    held: Mutex<BTreeSet<Sha>>,
    config: ReadConfig,
    synced: Synced,
    handed: HandedOut,
}

/// The locks that worktree administration needs: threads of this process queue in line, other processes by `flock`.
pub(super) struct Administration<'a> {
    _flock: RepoLock,
    _queue: std::sync::MutexGuard<'a, ()>,
}

impl std::fmt::Debug for Repo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repo")
            .field("root", &self.inner.root)
            .field("bare", &self.inner.bare)
            .finish_non_exhaustive()
    }
}

impl Repo {
    /// Wraps what [`Repo::discover`] found.
    pub(super) fn found(root: PathBuf, common: PathBuf, bare: bool, version: (u32, u32)) -> Self {
        let inner = Inner {
            root,
            common,
            bare,
            version,
            plain: Mutex::default(),
            durable: Mutex::default(),
            admin: Mutex::default(),
            fills: Queue::default(),
            signs: OnceLock::new(),
            attributes: OnceLock::new(),
            bases: Verified::default(),
            held: Mutex::default(),
            config: ReadConfig::default(),
            synced: Synced::default(),
            handed: HandedOut::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The commits that this process holds while something is made of them.
    pub(super) fn held_here(&self) -> std::sync::MutexGuard<'_, BTreeSet<Sha>> {
        self.inner.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The main worktree; of a bare repository its git directory.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// The git directory that all worktrees share.
    pub fn common_dir(&self) -> &Path {
        &self.inner.common
    }

    /// Whether the repository has no main worktree.
    pub fn is_bare(&self) -> bool {
        self.inner.bare
    }

    /// `<common>/laneway`, where the record is kept.
    pub fn record_dir(&self) -> PathBuf {
        self.inner.common.join("laneway")
    }

    /// Takes the repository lock, which serialises worktree administration and local-forge numbering across graphs and
    /// processes.
    pub fn lock(&self) -> Result<RepoLock, GitError> {
        RepoLock::acquire(&self.record_dir().join("repo.lock"))
    }

    pub(super) fn administer(&self) -> Result<Administration<'_>, GitError> {
        let queue = self.inner.admin.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Administration { _flock: self.lock()?, _queue: queue })
    }

    /// The lanes of this process that wait for their files.
    pub(super) fn fills(&self) -> &Queue {
        &self.inner.fills
    }

    /// Name and e-mail address from the user's config. Nothing is guessed: [`GitError::NoIdentity`] says what is missing.
    pub fn identity(&self) -> Result<Identity, GitError> {
        let answer = Git::new(self.scope(), "config")
            .args(["-z", "--get-regexp", r"^user\.(name|email)$"])
            .accept(&[0, 1])
            .run()?;
        let (mut name, mut email) = (String::new(), String::new());
        for entry in String::from_utf8_lossy(&answer.stdout).split('\0') {
            match entry.split_once('\n') {
                Some(("user.name", value)) => value.trim().clone_into(&mut name),
                Some(("user.email", value)) => value.trim().clone_into(&mut email),
                _ => {}
            }
        }
        for (missing, value) in [("user.name", &name), ("user.email", &email)] {
            if value.is_empty() {
                return Err(GitError::NoIdentity { missing });
            }
        }
        Ok(Identity { name, email })
    }

    /// Whether the user's config asks for signed commits. Read once for the life of this value.
    pub(super) fn signs_commits(&self) -> Result<bool, GitError> {
        if let Some(signs) = self.inner.signs.get() {
            return Ok(*signs);
        }
        let answer = Git::new(self.scope(), "config")
            .args(["--type=bool", "--get", "commit.gpgsign"])
            .accept(&[0, 1])
            .run()?;
        let signs = answer.line() == "true";
        Ok(*self.inner.signs.get_or_init(|| signs))
    }

    /// The files of attributes for all repositories, whether they are there or not; `None` where this git does not tell
    /// (before 2.41). Asked once for the life of this value.
    pub(super) fn attribute_files(&self) -> Result<Option<&[PathBuf]>, GitError> {
        if let Some(known) = self.inner.attributes.get() {
            return Ok(known.as_deref());
        }
        let mut files = Some(Vec::new());
        for name in ["GIT_ATTR_GLOBAL", "GIT_ATTR_SYSTEM"] {
            let answer = Git::new(self.scope(), "var").arg(name).accept(&[0, 1, 129]).run()?;
            match (answer.code, &mut files) {
                (0, Some(files)) => {
                    let lines = answer.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
                    files.extend(lines.map(|line| PathBuf::from(OsStr::from_bytes(line))));
                }
                // There can be none.
                (1, _) => {}
                _ => files = None,
            }
        }
        Ok(self.inner.attributes.get_or_init(|| files).as_deref())
    }

    /// The bases of lanes that this process has looked through.
    pub(super) fn verified(&self) -> &Verified {
        &self.inner.bases
    }

    /// What is known of config files.
    pub(super) fn read_config(&self) -> &ReadConfig {
        &self.inner.config
    }

    /// The objects that this process has synced.
    pub(super) fn synced(&self) -> &Synced {
        &self.inner.synced
    }

    /// The indexes that lanes were handed out with.
    pub(super) fn handed(&self) -> &HandedOut {
        &self.inner.handed
    }

    /// The branch that the main worktree (or the bare repository) has checked out, without `refs/heads/`.
    /// `None` when HEAD is detached. A branch without commits is named all the same.
    pub fn head_branch(&self) -> Result<Option<String>, GitError> {
        self.with(|repo| {
            let head = repo.find_reference("HEAD").map_err(GitError::library("reading HEAD"))?;
            let target = head.symbolic_target().map_err(GitError::library("reading HEAD"))?;
            Ok(target.and_then(|name| name.strip_prefix("refs/heads/")).map(str::to_owned))
        })
    }

    /// The commit that `rev` names, in git's revision syntax; `None` where it names none.
    pub fn resolve_commit(&self, rev: &str) -> Result<Option<Sha>, GitError> {
        self.with(|repo| match repo.revparse_single(rev).and_then(|object| object.peel_to_commit()) {
            Ok(commit) => Ok(Some(sha(commit.id()))),
            Err(error) if absent(&error) => Ok(None),
            Err(error) => Err(GitError::library("resolving a revision")(error)),
        })
    }

    /// The tip of a local branch; `None` where there is no such branch.
    pub fn branch_tip(&self, branch: &str) -> Result<Option<Sha>, GitError> {
        self.read_ref(&format!("refs/heads/{branch}"))
    }

    /// Adds `patterns` to `info/exclude` where they are not there yet. No file of the user's worktree is touched.
    pub fn exclude(&self, patterns: &[&str]) -> Result<(), GitError> {
        let _administration = self.administer()?;
        let path = self.inner.common.join("info/exclude");
        let mut bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(GitError::io("read", &path)(error)),
        };
        let there: Vec<Vec<u8>> =
            bytes.split(|b| *b == b'\n').map(|line| line.trim_ascii().to_vec()).collect();
        let missing: Vec<&&str> =
            patterns.iter().filter(|pattern| !there.iter().any(|line| line == pattern.as_bytes())).collect();
        if missing.is_empty() {
            return Ok(());
        }
        if !bytes.is_empty() && !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        for pattern in missing {
            bytes.extend_from_slice(pattern.as_bytes());
            bytes.push(b'\n');
        }
        replace_file(&path, &bytes)
    }

    /// Checks that objects, refs and the record can be written, before anything depends on it.
    pub fn ensure_writable(&self) -> Result<(), GitError> {
        let record = self.record_dir();
        std::fs::create_dir_all(&record).map_err(GitError::io("created", &record))?;
        for dir in [record, self.inner.common.join("objects"), self.inner.common.join("refs")] {
            tempfile::NamedTempFile::new_in(&dir).map_err(GitError::io("written to", &dir))?;
        }
        Ok(())
    }

    /// A branch that stands where branches below `prefix` (such as `laneway/graph`) must go: `laneway`, say.
    pub fn branch_blocking(&self, prefix: &str) -> Result<Option<String>, GitError> {
        let mut name = String::new();
        for part in prefix.split('/').filter(|part| !part.is_empty()) {
            if !name.is_empty() {
                name.push('/');
            }
            name.push_str(part);
            if self.branch_tip(&name)?.is_some() {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    pub(super) fn scope(&self) -> Scope<'_> {
        Scope::Common { common: &self.inner.common, cwd: &self.inner.root }
    }

    pub(super) fn version(&self) -> (u32, u32) {
        self.inner.version
    }

    /// Uses libgit2 on the main repository, for reading.
    pub(super) fn with<T>(
        &self,
        act: impl FnOnce(&Repository) -> Result<T, GitError>,
    ) -> Result<T, GitError> {
        pooled(&self.inner.plain, || self.open(), act)
    }

    /// Uses libgit2 on the main repository with its fsync on, for writing objects and refs.
    pub(super) fn with_durable<T>(
        &self,
        act: impl FnOnce(&Repository) -> Result<T, GitError>,
    ) -> Result<T, GitError> {
        pooled(&self.inner.durable, || self.open_durable(), act)
    }

    fn open(&self) -> Result<Repository, GitError> {
        // Not as a bare repository, even where no worktree is needed: libgit2 then writes no reflogs.
        let flags = RepositoryOpenFlags::NO_SEARCH;
        Repository::open_ext(&self.inner.common, flags, std::iter::empty::<&Path>())
            .map_err(|source| refusal(&self.inner.common, source))
    }

    fn open_durable(&self) -> Result<Repository, GitError> {
        let repo = self.open()?;
        let path = self.record_dir().join("libgit2.config");
        if !path.exists() {
            let record = self.record_dir();
            std::fs::create_dir_all(&record).map_err(GitError::io("created", &record))?;
            replace_file(&path, b"# How Laneway's own libgit2 writes.\n[core]\n\tfsyncObjectFiles = true\n")?;
        }
        // The switch is per process in libgit2's C interface; as config of the highest level it is per repository.
        let mut config = repo.config().map_err(GitError::library("reading the config"))?;
        config.add_file(&path, ConfigLevel::App, true).map_err(GitError::library("switching fsync on"))?;
        Ok(repo)
    }
}

fn pooled<T>(
    pool: &Mutex<Vec<Repository>>,
    open: impl FnOnce() -> Result<Repository, GitError>,
    act: impl FnOnce(&Repository) -> Result<T, GitError>,
) -> Result<T, GitError> {
    let idle = pool.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let repo = match idle {
        Some(repo) => repo,
        None => open()?,
    };
    let outcome = act(&repo);
    let mut idle = pool.lock().unwrap_or_else(PoisonError::into_inner);
    if idle.len() < IDLE {
        idle.push(repo);
    }
    outcome
}

/// Writes a file all or not at all, and durably.
pub(super) fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), GitError> {
    let dir = path.parent().unwrap_or(path);
    std::fs::create_dir_all(dir).map_err(GitError::io("created", dir))?;
    let write = || -> std::io::Result<()> {
        failpoint::write(Point::GitFile)?;
        let mut file = tempfile::Builder::new().prefix(".laneway-").tempfile_in(dir)?;
        let mode = match std::fs::metadata(path) {
            Ok(there) => there.permissions(),
            Err(_) => std::os::unix::fs::PermissionsExt::from_mode(0o644),
        };
        file.as_file().set_permissions(mode)?;
        file.write_all(bytes)?;
        file.as_file().sync_data()?;
        file.persist(path)?;
        sync_dir(dir)
    };
    write().map_err(GitError::io("written", path))
}

/// Makes the names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> std::io::Result<()> {
    std::fs::File::open(dir)?.sync_all()
}

/// A libgit2 id as an id that is a proof.
pub(super) fn sha(oid: Oid) -> Sha {
    Sha::new(&oid.to_string()).expect("libgit2 prints valid ids")
}

/// An id in libgit2's form.
pub(super) fn oid(sha: &Sha) -> Result<Oid, GitError> {
    Oid::from_str(sha.as_str()).map_err(GitError::library("reading an object id"))
}

/// Whether libgit2 says that the thing asked for does not exist.
pub(super) fn absent(error: &git2::Error) -> bool {
    matches!(
        error.code(),
        ErrorCode::NotFound | ErrorCode::InvalidSpec | ErrorCode::Peel | ErrorCode::UnbornBranch
    )
}

pub(super) fn refusal(path: &Path, source: git2::Error) -> GitError {
    if source.code() == ErrorCode::Owner {
        GitError::UnsafeOwner { path: path.to_owned() }
    } else if source.class() == ErrorClass::Repository && source.message().contains("extension") {
        let feature = Unsupported::Extension { detail: source.message().to_owned() };
        GitError::Unsupported { path: path.to_owned(), feature }
    } else {
        GitError::Library { action: "opening the repository", source }
    }
}
