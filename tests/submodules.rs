//! A lane that moves a submodule, merged here.

use std::fs;

use crate::harness::Scratch;

const GRAPH: &str = r#"
name = "bump"

[[tasks]]
id = "bump"
run = "cd lib && echo two > file && git -c user.name=B -c user.email=b@example.org commit -qam two"
"#;

/// A repository with a submodule `lib` and the graph, run to its open pull request.
fn ran() -> Scratch {
    let scratch = Scratch::new();
    let lib = scratch.shared().join("lib");
    fs::create_dir(&lib).expect("a directory");
    scratch.git_in(&lib, &["init", "-q", "-b", "main"]);
    fs::write(lib.join("file"), "one\n").expect("a file");
    scratch.git_in(&lib, &["add", "file"]);
    scratch.git_in(&lib, &["-c", "user.name=B", "-c", "user.email=b@example.org", "commit", "-qm", "one"]);
    let lib = lib.to_str().expect("UTF-8").to_owned();
    scratch.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &lib, "lib"]);
    scratch.write("graphs/bump.toml", GRAPH);
    scratch.git(&["add", "-A"]);
    scratch.git(&["commit", "-qm", "a submodule and a graph"]);
    scratch.laneway(&["run", "graphs/bump.toml", "--offline"]).success();
    scratch
}

#[test]
fn p14_after_a_merge_here_the_users_submodule_is_where_the_lane_moved_it_and_the_record_can_go() {
    let scratch = ran();
    let merged = scratch.laneway(&["pr", "merge", "1"]).success();
    assert!(merged.stdout().contains("not known to be pushed"), "{}", merged.text());
    assert_eq!(scratch.git(&["status", "--porcelain"]), "");
    assert_eq!(fs::read_to_string(scratch.repo().join("lib/file")).expect("a file"), "two\n");
    let moved = scratch.git(&["rev-parse", "HEAD:lib"]);
    scratch.git(&["commit", "-q", "--allow-empty", "-am", "next"]);
    assert_eq!(scratch.git(&["rev-parse", "HEAD:lib"]), moved);
    // Nothing was kept a second time, and without the record all is there.
    assert_eq!(scratch.git(&["for-each-ref", "refs/laneway/custody"]), "");
    fs::remove_dir_all(scratch.repo().join(".git/laneway/modules")).expect("removed");
    scratch.git_in(&scratch.repo().join("lib"), &["gc", "-q", "--prune=now"]);
    scratch.git_in(&scratch.repo().join("lib"), &["checkout", "-q", "HEAD~1"]);
    scratch.git(&["submodule", "--quiet", "update"]);
    assert_eq!(scratch.git(&["status", "--porcelain"]), "");
}

#[test]
fn p14_a_submodule_that_the_user_has_changed_is_left_alone_and_the_way_on_works() {
    let scratch = ran();
    let lib = scratch.repo().join("lib");
    fs::write(lib.join("file"), "mine\n").expect("a file");
    let merged = scratch.laneway(&["pr", "merge", "1"]).success();
    assert!(merged.stdout().contains("git submodule update"), "{}", merged.text());
    assert_eq!(fs::read_to_string(lib.join("file")).expect("a file"), "mine\n");
    scratch.git_in(&lib, &["stash", "-q"]);
    scratch.git(&["submodule", "--quiet", "update"]);
    assert_eq!(scratch.git(&["status", "--porcelain"]), "");
    assert_eq!(fs::read_to_string(lib.join("file")).expect("a file"), "two\n");
}

#[test]
fn p11_gc_lets_go_of_commits_of_submodules_once_the_user_has_them() {
    let scratch = ran();
    scratch.laneway(&["pr", "merge", "1"]).success();
    let (lib, modules) =
        (scratch.repo().join(".git/modules/lib"), scratch.repo().join(".git/laneway/modules"));
    let mut stores = fs::read_dir(&modules).expect("stores").map(|entry| entry.expect("one").path());
    let store = stores.find(|path| path.join("HEAD").exists()).expect("a store");
    let kept = |dir: &std::path::Path| {
        let refs = scratch.git_in(dir, &["for-each-ref", "--format=%(refname)", "refs/laneway/submodule"]);
        refs.lines().count()
    };
    let head = scratch.git(&["rev-parse", "HEAD"]);
    scratch.git(&["update-ref", &format!("refs/laneway/making/{head}"), &head]);
    let gc = || scratch.laneway(&["gc", "--older-than", "0d", "--yes"]).success();
    // In the record's repository alone it stays.
    fs::rename(&lib, lib.with_extension("away")).expect("moved");
    gc();
    assert_eq!(kept(&store), 1);
    fs::rename(lib.with_extension("away"), &lib).expect("moved");
    // What nobody but the user's repository has is held there.
    gc();
    assert_eq!((kept(&store), kept(&lib)), (0, 1));
    assert_eq!(scratch.git(&["for-each-ref", "refs/laneway/making"]), "");
    scratch.git_in(&lib, &["branch", "mine", &scratch.git(&["rev-parse", "HEAD:lib"])]);
    gc();
    assert_eq!(kept(&lib), 0);
}
