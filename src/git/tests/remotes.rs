//! Fetching and pushing, with a bare repository as origin.
#![expect(clippy::disallowed_methods, reason = "tests set up remotes as servers do")]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::fixture::{Fixture, git, sha, write};
use crate::git::{GitError, Rejection, Remote};

struct WithOrigin {
    fixture: Fixture,
    bare: PathBuf,
    origin: Remote,
}

fn with_origin() -> WithOrigin {
    let fixture = Fixture::lived_in();
    let bare = fixture.root.parent().expect("a parent").join("origin.git");
    git(&fixture.root, &["clone", "-q", "--bare", ".", &bare.to_string_lossy()]);
    git(&fixture.root, &["remote", "add", "origin", &bare.to_string_lossy()]);
    git(&fixture.root, &["fetch", "-q", "origin"]);
    let origin = fixture.repo.origin().expect("config").expect("origin");
    WithOrigin { fixture, bare, origin }
}

#[test]
fn origin_is_described() {
    let fixture = Fixture::new();
    assert_eq!(fixture.repo.origin().expect("config"), None);
    for (url, local) in [
        ("../origin.git", Some(fixture.root.join("../origin.git"))),
        ("/srv/origin.git", Some(PathBuf::from("/srv/origin.git"))),
        ("file:///srv/origin.git", Some(PathBuf::from("/srv/origin.git"))),
        ("git@example.com:team/project.git", None),
        ("https://example.com/team/project.git", None),
    ] {
        git(&fixture.root, &["config", "remote.origin.url", url]);
        let origin = fixture.repo.origin().expect("config").expect("origin");
        assert_eq!((origin.url.as_str(), origin.local_path), (url, local));
    }
}

#[test]
fn p03_fetching_sees_what_is_new_and_touches_nothing_of_the_users() {
    let WithOrigin { fixture, bare, origin } = with_origin();
    let ahead = fixture.commit(&fixture.start, &[("x", Some("1\n"))]);
    git(&fixture.root, &["push", "-q", "origin", &format!("{ahead}:refs/heads/main")]);
    git(&fixture.root, &["update-ref", "refs/remotes/origin/main", fixture.start.as_str()]);
    git(&bare, &["tag", "v1", ahead.as_str()]);
    git(&fixture.root, &["config", "fetch.prune", "true"]);
    let before = fixture.user();
    let repo = &fixture.repo;
    assert_eq!(repo.fetch_branch(&origin, "main").expect("fetched"), Some(ahead.clone()));
    assert_eq!(repo.remote_tip(&origin, "main").expect("asked"), Some(ahead));
    assert_eq!(repo.remote_default_branch(&origin).expect("asked").as_deref(), Some("main"));
    assert_eq!(repo.fetch_branch(&origin, "absent").expect("fetched"), None);
    assert_eq!(repo.remote_tip(&origin, "absent").expect("asked"), None);
    before.assert_untouched(&fixture.root);
    git(&bare, &["branch", "-D", "other"]);
    repo.set_ref("refs/laneway/remote/other", &fixture.start, None).expect("as fetched before");
    assert_eq!(repo.fetch_branch(&origin, "other").expect("fetched"), None);
    assert_eq!(repo.read_ref("refs/laneway/remote/other").expect("read"), None);
}

#[test]
fn ar06_pushing_keeps_its_lease_and_sets_no_upstream() {
    let WithOrigin { fixture, bare, origin } = with_origin();
    let (repo, start) = (&fixture.repo, &fixture.start);
    let hook = fixture.root.join(".git/hooks/pre-push");
    write(&hook, "#!/bin/sh\nexit 1\n");
    std::fs::set_permissions(&hook, PermissionsExt::from_mode(0o755)).expect("mode");
    let before = fixture.user();
    let branch = "laneway/demo/a/integration";
    let one = fixture.commit(start, &[("x", Some("1\n"))]);
    let other = fixture.commit(start, &[("x", Some("other\n"))]);
    let tip = || sha(&git(&bare, &["rev-parse", &format!("refs/heads/{branch}")]));
    repo.push(&origin, start, branch, None).expect("created");
    repo.push(&origin, start, branch, None).expect("a repeat is harmless");
    repo.push(&origin, &one, branch, Some(start)).expect("moved");
    for lease in [None, Some(start)] {
        let outcome = repo.push(&origin, &other, branch, lease);
        assert!(
            matches!(outcome, Err(GitError::PushRejected { cause: Rejection::Stale, .. })),
            "{outcome:?}"
        );
    }
    assert_eq!(tip(), one);
    let outcome = repo.delete_remote_branch(&origin, branch, start);
    assert!(matches!(outcome, Err(GitError::PushRejected { cause: Rejection::Stale, .. })), "{outcome:?}");
    repo.delete_remote_branch(&origin, branch, &one).expect("deleted");
    repo.delete_remote_branch(&origin, branch, &one).expect("a repeat is harmless");
    assert_eq!(repo.remote_tip(&origin, branch).expect("asked"), None);
    let ours = "refs/remotes/origin/laneway";
    assert!(repo.list_refs(ours).expect("list").is_empty());
    before.assert_untouched(&fixture.root);
}

#[test]
fn a_remote_that_says_no_is_quoted() {
    let WithOrigin { fixture, bare, origin } = with_origin();
    let hook = bare.join("hooks/pre-receive");
    write(&hook, "#!/bin/sh\necho 'branch names need a ticket' >&2\nexit 1\n");
    std::fs::set_permissions(&hook, PermissionsExt::from_mode(0o755)).expect("mode");
    match fixture.repo.push(&origin, &fixture.start, "topic", None) {
        Err(GitError::PushRejected { branch, cause: Rejection::Remote { message } }) => {
            assert_eq!(branch, "topic");
            assert!(message.contains("pre-receive hook declined"), "{message}");
            assert!(message.contains("branch names need a ticket"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn ar08_a_remote_that_is_away_is_named_and_nothing_waits_for_a_password() {
    let WithOrigin { fixture, bare, origin } = with_origin();
    std::fs::rename(&bare, bare.with_extension("away")).expect("rename");
    let outcome = fixture.repo.fetch_branch(&origin, "main");
    assert!(matches!(outcome, Err(GitError::Unreachable { .. })), "{outcome:?}");
    let outcome = fixture.repo.push(&origin, &fixture.start, "topic", None);
    assert!(matches!(outcome, Err(GitError::Unreachable { .. })), "{outcome:?}");
    let ssh = fixture.dir.path().join("ssh");
    write(
        &ssh,
        "#!/bin/sh\necho \"$@\" > \"$0.args\"\necho 'me@host: Permission denied (publickey).' >&2\nexit 255\n",
    );
    std::fs::set_permissions(&ssh, PermissionsExt::from_mode(0o755)).expect("mode");
    git(&fixture.root, &["config", "core.sshCommand", &ssh.to_string_lossy()]);
    git(&fixture.root, &["config", "ssh.variant", "ssh"]);
    git(&fixture.root, &["config", "remote.origin.url", "me@host.invalid:project.git"]);
    let origin = fixture.repo.origin().expect("config").expect("origin");
    let outcome = fixture.repo.remote_tip(&origin, "main");
    assert!(matches!(outcome, Err(GitError::Auth { .. })), "{outcome:?}");
    let args = super::fixture::read(&ssh.with_extension("args"));
    assert!(args.contains("BatchMode=yes"), "{args}");
}
