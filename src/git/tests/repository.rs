//! Finding, refusing and describing the repository.
#![expect(clippy::disallowed_methods, reason = "tests make directories as users do")]

use std::path::Path;

use super::fixture::{Fixture, git, identity, read, sha, write};
use crate::git::{GitError, Repo, Unsupported};

#[test]
fn the_main_worktree_is_found_from_everywhere() {
    let fixture = Fixture::new();
    let lane = fixture.lane("a");
    std::fs::create_dir(lane.path.join("deep")).expect("a directory");
    for start in [fixture.root.clone(), fixture.root.join("src"), lane.path.clone(), lane.path.join("deep")] {
        let repo = Repo::discover(&start).expect("found");
        assert_eq!(repo.root(), fixture.root, "from {}", start.display());
        assert_eq!(repo.common_dir(), fixture.root.join(".git"));
        assert!(!repo.is_bare());
    }
    let outside = tempfile::tempdir().expect("a directory");
    assert!(matches!(Repo::discover(outside.path()), Err(GitError::NotARepository { .. })));
}

#[test]
fn bare_and_separate_git_directories_are_found() {
    let dir = tempfile::tempdir().expect("a directory");
    let base = std::fs::canonicalize(dir.path()).expect("a path");
    git(&base, &["init", "-q", "--bare", "bare.git"]);
    let repo = Repo::discover(&base.join("bare.git")).expect("found");
    assert!(repo.is_bare());
    assert_eq!(repo.root(), base.join("bare.git"));
    git(&base, &["init", "-q", "-b", "main", "--separate-git-dir", "apart", "work"]);
    let repo = Repo::discover(&base.join("work")).expect("found");
    assert_eq!((repo.root(), repo.common_dir()), (base.join("work").as_path(), base.join("apart").as_path()));
    assert_eq!(repo.head_branch().expect("HEAD").as_deref(), Some("main"), "a branch without commits");
    assert_eq!(repo.resolve_commit("HEAD").expect("HEAD"), None);
}

#[test]
fn repositories_of_other_kinds_are_refused_by_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let refused = |name: &str| match Repo::discover(&dir.path().join(name)) {
        Err(GitError::Unsupported { feature, .. }) => feature,
        other => panic!("{name}: {other:?}"),
    };
    git(dir.path(), &["init", "-q", "--object-format=sha256", "wide"]);
    assert_eq!(refused("wide"), Unsupported::ObjectFormat { format: "sha256".to_owned() });
    git(dir.path(), &["init", "-q", "--ref-format=reftable", "table"]);
    assert_eq!(refused("table"), Unsupported::Reftable);
    git(dir.path(), &["init", "-q", "partial"]);
    git(&dir.path().join("partial"), &["config", "remote.origin.promisor", "true"]);
    assert_eq!(refused("partial"), Unsupported::PartialClone);
    git(dir.path(), &["init", "-q", "odd"]);
    git(&dir.path().join("odd"), &["config", "core.repositoryFormatVersion", "1"]);
    git(&dir.path().join("odd"), &["config", "extensions.fromTheFuture", "true"]);
    assert!(matches!(refused("odd"), Unsupported::Extension { .. }));
}

#[test]
fn identity_is_read_and_never_guessed() {
    let fixture = Fixture::new();
    assert_eq!(fixture.repo.identity().expect("an identity"), identity());
    git(&fixture.root, &["config", "user.email", ""]);
    assert!(matches!(fixture.repo.identity(), Err(GitError::NoIdentity { missing: "user.email" })));
}

#[test]
fn revisions_and_tips_are_resolved() {
    let fixture = Fixture::new();
    let repo = &fixture.repo;
    for rev in ["HEAD", "main", fixture.start.as_str(), &fixture.start.as_str()[..8]] {
        assert_eq!(repo.resolve_commit(rev).expect(rev).as_ref(), Some(&fixture.start), "{rev}");
    }
    for rev in ["nowhere", "HEAD^", "HEAD:README", "not a rev", "ffffffffffffffffffffffffffffffffffffffff"] {
        assert_eq!(repo.resolve_commit(rev).expect(rev), None, "{rev}");
    }
    assert_eq!(repo.branch_tip("main").expect("main"), Some(fixture.start.clone()));
    assert_eq!(repo.branch_tip("none").expect("none"), None);
    assert_eq!(repo.stash_tip().expect("stash"), None);
    let lived_in = Fixture::lived_in();
    assert!(lived_in.repo.stash_tip().expect("stash").is_some());
}

#[test]
fn excluding_twice_adds_one_line_and_keeps_what_was_there() {
    let fixture = Fixture::new();
    let path = fixture.root.join(".git/info/exclude");
    write(&path, "# mine\nfoo");
    fixture.repo.exclude(&["/.worktrees/", "foo"]).expect("exclude");
    fixture.repo.exclude(&["/.worktrees/", "/.laneway/"]).expect("exclude");
    assert_eq!(read(&path), "# mine\nfoo\n/.worktrees/\n/.laneway/\n");
}

#[test]
fn a_branch_in_the_way_of_ours_is_named() {
    let fixture = Fixture::new();
    let blocking = || fixture.repo.branch_blocking("laneway/demo").expect("branches");
    assert_eq!(blocking(), None);
    git(&fixture.root, &["branch", "laneway/demo"]);
    assert_eq!(blocking().as_deref(), Some("laneway/demo"));
    git(&fixture.root, &["branch", "-D", "laneway/demo"]);
    git(&fixture.root, &["branch", "laneway"]);
    git(&fixture.root, &["pack-refs", "--all"]);
    assert_eq!(blocking().as_deref(), Some("laneway"));
}

#[test]
fn a_repository_that_can_be_written_says_so_and_keeps_no_trace() {
    let fixture = Fixture::new();
    let before = fixture.user();
    fixture.repo.ensure_writable().expect("writable");
    before.assert_untouched(&fixture.root);
    let record = fixture.repo.record_dir();
    std::fs::remove_dir_all(&record).expect("remove");
    write(&record, "in the way");
    assert!(matches!(fixture.repo.ensure_writable(), Err(GitError::Io { .. })));
}

#[test]
fn commits_are_written_read_and_synced() {
    let fixture = Fixture::new();
    let (repo, start) = (&fixture.repo, &fixture.start);
    let one = fixture.commit(start, &[("src/b.txt", Some("b\n")), ("deep/er/c.txt", Some("c\n"))]);
    let tree = repo.tree_of(&one).expect("tree");
    let merge = repo
        .commit_tree(&tree, &[start.clone(), one.clone()], "Merge\n\nTask: x\n", &identity())
        .expect("commit");
    assert_eq!(repo.parents(&merge).expect("parents"), [start.clone(), one.clone()]);
    assert_eq!(repo.commit_message(&merge).expect("message"), "Merge\n\nTask: x\n");
    let subjects: Vec<_> =
        repo.commits_between(start, &merge).expect("list").into_iter().map(|c| c.subject).collect();
    assert_eq!(subjects, ["Merge", "a commit"]);
    assert!(repo.is_ancestor(start, &merge).expect("ancestry"));
    assert!(repo.is_ancestor(&merge, &merge).expect("ancestry"));
    assert!(!repo.is_ancestor(&merge, start).expect("ancestry"));
    assert_eq!(repo.merge_base(&one, &merge).expect("base"), Some(one.clone()));
    repo.sync_objects(&merge, std::slice::from_ref(start)).expect("sync");
    repo.sync_objects(&merge, &[]).expect("sync all");
    git(&fixture.root, &["repack", "-adq"]);
    repo.sync_objects(&merge, &[]).expect("sync what is packed");
    let missing = sha("1111111111111111111111111111111111111111");
    assert!(matches!(repo.tree_of(&missing), Err(GitError::Library { .. })));
    git(&fixture.root, &["fsck", "--strict"]);
}

#[test]
fn commits_are_signed_when_the_user_signs_and_a_mute_signer_is_named() {
    let fixture = Fixture::new();
    let signer = fixture.dir.path().join("signer");
    let script = "#!/bin/sh\ncat >/dev/null\necho '[GNUPG:] SIG_CREATED ' >&2\n\
                  echo '-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----'\n";
    executable(&signer, script);
    git(&fixture.root, &["config", "commit.gpgsign", "true"]);
    git(&fixture.root, &["config", "gpg.program", &signer.to_string_lossy()]);
    let repo = Repo::discover(&fixture.root).expect("a repository");
    let tree = repo.tree_of(&fixture.start).expect("tree");
    let commit = || repo.commit_tree(&tree, std::slice::from_ref(&fixture.start), "signed\n", &identity());
    let made = commit().expect("signed");
    let raw = git(&fixture.root, &["cat-file", "-p", made.as_str()]);
    assert!(raw.contains("gpgsig") && raw.contains("author Ada <ada@example.com>"), "{raw}");
    executable(&signer, "#!/bin/sh\necho 'no pinentry' >&2\nexit 2\n");
    assert!(matches!(commit(), Err(GitError::Signing { .. })));
}

fn executable(path: &Path, text: &str) {
    write(path, text);
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("mode");
}
