#![expect(clippy::disallowed_methods, reason = "tests look at real files and start real processes")]

pub(in crate::git) mod random;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::git::Shape;

/// A repository in which a script has made one commit.
struct Made {
    dir: tempfile::TempDir,
    repo: Repo,
    tip: Sha,
}

fn sh(dir: &Path, script: &str) -> String {
    let done = Command::new("sh").arg("-ec").arg(script).current_dir(dir).output().unwrap();
    assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

fn made(script: &str) -> Made {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("repo");
    fs::create_dir(&root).unwrap();
    sh(
        &root,
        "git init -q -b main . && git config user.name T && git config user.email t@example.org
         echo plain > plain.txt",
    );
    sh(&root, script);
    sh(&root, "git add -A && git commit -qm one");
    let repo = Repo::discover(&root).unwrap();
    let tip = repo.branch_tip("main").unwrap().unwrap();
    Made { dir, repo, tip }
}

/// Everything below a directory but `.git`: path, kind with permissions, and bytes.
fn contents(root: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let entries = walkdir::WalkDir::new(root).sort_by_file_name().into_iter().map(Result::unwrap);
    let ours = entries.filter(|entry| entry.depth() > 0 && entry.path() != root.join(".git"));
    ours.map(|entry| {
        let (path, found) = (entry.path(), fs::symlink_metadata(entry.path()).unwrap());
        let bytes = if found.is_symlink() {
            fs::read_link(path).unwrap().into_os_string().into_encoded_bytes()
        } else if found.is_file() {
            fs::read(path).unwrap()
        } else {
            Vec::new()
        };
        (path.strip_prefix(root).unwrap().to_owned(), found.permissions().mode(), bytes)
    })
    .collect()
}

impl Made {
    fn fresh(&self, name: &str) -> (Worktree, Filled) {
        let path = self.dir.path().join(name);
        let worktree = {
            let _administration = self.repo.administer().unwrap();
            self.repo.register(&path, &self.tip, &Shape::default()).unwrap()
        };
        let private = Private::open(&self.repo, &worktree).unwrap();
        let filled = self.repo.fill(&private, &worktree, &self.tip, Share::Auto).unwrap();
        // How old a snapshot is hangs on the clock.
        (worktree, if filled == Filled::Grown { Filled::Whole } else { filled })
    }

    /// A lane is what `git worktree add` makes, for git and byte for byte.
    fn expect_as_git_makes_it(&self, filled: Filled) {
        assert_eq!(self.fresh("probe").1, filled);
        let lane = self.repo.provision(&self.dir.path().join("lane"), &self.tip).unwrap();
        let theirs = self.dir.path().join("theirs");
        sh(self.repo.root(), &format!("git worktree add -q --detach '{}' main", theirs.display()));
        assert_eq!(contents(&lane.path), contents(&theirs));
        assert_eq!(sh(&lane.path, "git status --porcelain --ignored"), "");
        assert_eq!(sh(&lane.path, "git ls-files -s -t"), sh(&theirs, "git ls-files -s -t"));
        assert_eq!(sh(&lane.path, "git write-tree"), sh(&theirs, "git write-tree"));
        sh(&lane.path, "git fsck --strict && git diff-index --quiet HEAD");
        assert!(self.repo.tree_state(&lane, &self.tip).unwrap().is_clean());
    }
}

#[test]
fn p10_plain_trees_are_as_git_makes_them() {
    let made = made(
        "mkdir -p a/b/c a.b 'with space' && echo 1 > a/b/c/one && echo 2 > a/two && echo 3 > a.b/three
         printf 'no end' > a-b && : > empty && echo x > 'with space/ä ü' && echo q > 'qu\"ote\nline'
         printf '#!/bin/sh\\n' > run && chmod +x run && ln -s a/two link && ln -s nowhere broken && ln -s a dirlink
         printf 'crlf\\r\\n' > crlf && head -c 100000 /dev/zero > zeros
         touch \"$(printf 'not-utf8-\\377')\" && mkdir -p deep/$(printf 'd/%.0s' $(seq 60)) && echo d > deep/$(printf 'd/%.0s' $(seq 60))file
         n=$(printf 'n%.0s' $(seq 200)) && mkdir -p long/$n/$n/$n && echo l > long/$n/$n/$n/$n",
    );
    made.expect_as_git_makes_it(Filled::Whole);
}

#[test]
fn p10_what_attributes_and_config_convert_is_left_to_git() {
    let filtered = "git config filter.up.smudge 'tr a-z A-Z' && git config filter.up.clean 'tr A-Z a-z'
        printf '*.up filter=up\\n*.bat text eol=crlf\\n*.id ident\\n*.u16 text working-tree-encoding=UTF-16\\n*.txt text\\n' > .gitattributes
        echo shout > a.up && printf 'one\\ntwo\\n' > b.bat && echo '$Id$' > c.id && echo wide | iconv -t UTF-16 > d.u16";
    made(filtered).expect_as_git_makes_it(Filled::Rest);
    let nested =
        "mkdir sub && printf '* eol=crlf text\\n' > sub/.gitattributes && printf 'x\\ny\\n' > sub/file";
    made(nested).expect_as_git_makes_it(Filled::Rest);
    made("git config core.autocrlf true && printf 'x\\ny\\n' > file").expect_as_git_makes_it(Filled::Rest);
    made("git config core.eol crlf && echo '*.t text' > .gitattributes && printf 'x\\ny\\n' > a.t")
        .expect_as_git_makes_it(Filled::Rest);
    made("printf '*.x -text\\n*.y text=auto\\n*.z eol=lf\\n*.w filter=missing\\n' > .gitattributes && echo > a.x && echo > b.y && echo > c.z")
        .expect_as_git_makes_it(Filled::Whole);
    made("git config core.attributesFile \"$PWD/../attributes\" && echo '*.bat text eol=crlf' > ../attributes && echo a > a.bat")
        .expect_as_git_makes_it(Filled::Rest);
    made("mkdir -p .git/info && echo '*.bat text eol=crlf' > .git/info/attributes && echo a > a.bat")
        .expect_as_git_makes_it(Filled::Rest);
}

#[test]
fn p10_every_attribute_that_converts_is_asked_about() {
    for (attributes, files) in [
        (
            "*.up filter=up",
            "git config filter.up.smudge 'tr a-z A-Z' && git config filter.up.clean 'tr A-Z a-z' && echo loud > a.up",
        ),
        ("*.id ident", "echo '$Id$' > a.id"),
        ("*.u16 text working-tree-encoding=UTF-16", "echo wide | iconv -t UTF-16 > a.u16"),
        ("*.bat text eol=crlf", "printf 'one\\ntwo\\n' > a.bat"),
        ("[attr]dos text eol=crlf\\n*.bat dos", "printf 'one\\ntwo\\n' > a.bat"),
        ("*.bat crlf", "git config core.eol crlf && printf 'one\\ntwo\\n' > a.bat"),
        ("*.t text", "git config core.eol crlf && printf 'one\\ntwo\\n' > a.t"),
    ] {
        let made = made(&format!("printf '{attributes}\\n' > .gitattributes && {files}"));
        made.expect_as_git_makes_it(Filled::Rest);
    }
}

/// A sparse lane is what `git worktree add --no-checkout` and `git sparse-checkout set` make in a clone, where they may write
/// to the config, and it has left the user's config alone.
fn expect_sparse_as_git_makes_it(made: &Made, folders: &[&str], filled: Filled) {
    let root = made.repo.root();
    let before = fs::read(root.join(".git/config")).unwrap();
    let shape = Shape { sparse: folders.iter().map(|&f| f.to_owned()).collect(), ..Shape::default() };
    let path = made.dir.path().join("probe");
    let worktree = {
        let _administration = made.repo.administer().unwrap();
        made.repo.register(&path, &made.tip, &shape).unwrap()
    };
    let private = Private::open(&made.repo, &worktree).unwrap();
    assert_eq!(made.repo.fill(&private, &worktree, &made.tip, Share::Auto).unwrap(), filled);
    drop(private);
    let lane = made.repo.provision_as(&made.dir.path().join("lane"), &made.tip, &shape).unwrap();
    let clone = made.dir.path().join("clone");
    let list = folders.iter().map(|f| format!("'{f}'")).collect::<Vec<_>>().join(" ");
    fs::create_dir(&clone).unwrap();
    sh(
        &clone,
        &format!(
            "git clone -q --no-checkout '{}' . && cp '{0}/.git/config' .git/config && cp -r '{0}/.git/info' .git
             git worktree add -q --detach --no-checkout ../theirs main && cd ../theirs && git sparse-checkout set --cone --skip-checks {list}
             git reset -q --hard",
            root.display()
        ),
    );
    let theirs = made.dir.path().join("theirs");
    assert_eq!(contents(&lane.path), contents(&theirs));
    assert_eq!(sh(&lane.path, "git ls-files -s -t"), sh(&theirs, "git ls-files -s -t"));
    assert_eq!(sh(&lane.path, "git write-tree"), sh(&theirs, "git write-tree"));
    let patterns = |at: &Path| sh(at, "cat \"$(git rev-parse --git-path info/sparse-checkout)\"");
    assert_eq!(patterns(&lane.path), patterns(&theirs));
    assert_eq!(sh(&lane.path, "git status --porcelain --ignored"), "");
    assert!(made.repo.tree_state(&lane, &made.tip).unwrap().is_clean());
    assert_eq!(fs::read(root.join(".git/config")).unwrap(), before);
}

#[test]
fn p10_sparse_trees_are_as_git_makes_them() {
    let files = "mkdir -p a/b/c a/x ab d/e 'odd [1]*' && for d in a a/b a/b/c a/x ab d d/e 'odd [1]*'; do echo $d > \"$d/file\"; done
        touch \"a/x/$(printf 'not-utf8-\\377')\" && ln -s ../d a/b/link && : > a/b/run && chmod +x a/b/run";
    expect_sparse_as_git_makes_it(&made(files), &["a/b", "d"], Filled::Whole);
    expect_sparse_as_git_makes_it(&made(files), &["odd [1]*", "a/b/c"], Filled::Whole);
    // Out of sight, what only git can write need not be written.
    let filters = format!("{files}; echo '*.bat text eol=crlf' > .gitattributes && echo x > ");
    expect_sparse_as_git_makes_it(&made(&format!("{filters} ab/f.bat")), &["a", "d/e"], Filled::Whole);
    expect_sparse_as_git_makes_it(&made(&format!("{filters} a/f.bat")), &["a", "d/e"], Filled::Rest);
}

#[test]
fn p14_submodules_and_pointers_are_left_as_git_leaves_them() {
    made(
        "git init -q inner && git -C inner -c user.name=T -c user.email=t@e commit -q --allow-empty -m i
         git -c protocol.file.allow=always submodule --quiet add ./inner sub/module && rm -rf inner",
    )
    .expect_as_git_makes_it(Filled::Rest);
    let pointer =
        "printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:%064d\\nsize 5\\n' 0 > big.bin";
    made(&format!("echo '*.bin filter=lfs diff=lfs merge=lfs -text' > .gitattributes && {pointer}"))
        .expect_as_git_makes_it(Filled::Rest);
}

#[test]
fn p10_the_first_status_reads_no_file_and_a_quick_edit_is_seen() {
    let made = made("for n in $(seq 300); do echo content $n > file-$n; done");
    let lane = made.repo.provision(&made.dir.path().join("lane"), &made.tip).unwrap();
    let index = fs::metadata(lane.admin.join("index")).unwrap();
    for n in 1..=300 {
        let file = fs::metadata(lane.path.join(format!("file-{n}"))).unwrap();
        assert!(file.mtime() < index.mtime(), "git reads what is as young as its index");
    }
    let edited = lane.path.join("file-7");
    let before = fs::read(&edited).unwrap();
    fs::write(&edited, before.iter().rev().copied().collect::<Vec<_>>()).unwrap();
    assert_eq!(sh(&lane.path, "git status --porcelain"), " M file-7\n");
}

#[test]
fn p16_lanes_that_come_together_are_all_whole_and_one_in_trouble_harms_no_other() {
    let made = made(
        "for d in $(seq 20); do mkdir dir-$d; for n in $(seq 20); do echo $d $n > dir-$d/f-$n; done; done",
    );
    sh(made.repo.root(), "echo more > more && git add more && git commit -qm two");
    let second = made.repo.branch_tip("main").unwrap().unwrap();
    let lanes: Vec<(PathBuf, &Sha)> = (0..12)
        .map(|n| (made.dir.path().join(format!("lane-{n}")), if n % 3 == 0 { &second } else { &made.tip }))
        .collect();
    fs::create_dir(made.dir.path().join("lane-5")).unwrap();
    fs::write(made.dir.path().join("lane-5/theirs"), "not ours").unwrap();
    std::thread::scope(|scope| {
        let started: Vec<_> =
            lanes.iter().map(|(path, at)| scope.spawn(|| made.repo.provision(path, at))).collect();
        for (n, thread) in started.into_iter().enumerate() {
            let made_it = thread.join().unwrap();
            assert_eq!(made_it.is_ok(), n != 5, "{n}: {made_it:?}");
        }
    });
    for (n, (path, at)) in lanes.iter().enumerate().filter(|(n, _)| *n != 5) {
        assert_eq!(sh(path, "git status --porcelain"), "", "{n}");
        assert_eq!(sh(path, "git rev-parse HEAD").trim(), at.as_str());
        assert_eq!(path.join("more").exists(), n % 3 == 0);
    }
}

#[test]
fn p16_what_stands_in_the_way_inside_a_new_lane_is_gits_to_judge() {
    let made = made("mkdir dir && echo 1 > dir/file");
    let path = made.dir.path().join("lane");
    let worktree = {
        let _administration = made.repo.administer().unwrap();
        made.repo.register(&path, &made.tip, &Shape::default()).unwrap()
    };
    fs::create_dir(path.join("dir")).unwrap();
    let private = Private::open(&made.repo, &worktree).unwrap();
    assert_eq!(made.repo.fill(&private, &worktree, &made.tip, Share::Auto).unwrap(), Filled::Rest);
    drop(private);
    let lane = made.repo.provision(&path, &made.tip).unwrap();
    assert_eq!(contents(&lane.path).len(), 3);
    assert_eq!(sh(&lane.path, "git status --porcelain"), "");
}

#[test]
fn names_that_git_refuses_are_never_written_by_us() {
    let made = made("mkdir dir && echo 1 > dir/file");
    for name in [".git", ".GIT", ".git.", "git~1", ".git ", "..", "a\\b"] {
        // mktree writes what nobody should.
        let tree = sh(
            made.repo.root(),
            &format!(
                "blob=$(git rev-parse HEAD:plain.txt); printf '100644 blob %s\\t%s\\n' $blob '{name}' | git mktree"
            ),
        );
        let commit = sh(made.repo.root(), &format!("git commit-tree -m odd {}", tree.trim()));
        let listing = made.repo.with(|repo| Listing::of(repo, &Sha::new(commit.trim()).unwrap())).unwrap();
        assert_eq!(listing, None, "{name}");
    }
}

#[test]
fn p10_trees_that_hold_nothing_get_no_directory() {
    let mut made = made("mkdir dir && echo 1 > dir/file");
    let commit =
        "empty=$(git mktree < /dev/null) && odd=$(printf '040000 tree %s\tnothing\n' $empty | git mktree)
        tree=$( (git ls-tree HEAD && printf '040000 tree %s\todd\n' $odd) | git mktree)
        git update-ref refs/heads/main $(git commit-tree -m odd $tree)";
    sh(made.repo.root(), commit);
    made.tip = made.repo.branch_tip("main").unwrap().unwrap();
    made.expect_as_git_makes_it(Filled::Whole);
}

#[test]
fn p07_directories_deeper_than_the_stack_are_left_to_git() {
    let mut made = made(":");
    let library = git2::Repository::open(made.repo.root()).unwrap();
    let mut tree = library.head().unwrap().peel_to_tree().unwrap().id();
    for _ in 0..5000 {
        let mut around = library.treebuilder(None).unwrap();
        around.insert("d", tree, 0o040_000).unwrap();
        tree = around.write().unwrap();
    }
    let who = git2::Signature::now("T", "t@example.org").unwrap();
    let deep = library.commit(None, &who, &who, "deep", &library.find_tree(tree).unwrap(), &[]).unwrap();
    made.tip = Sha::new(&deep.to_string()).unwrap();
    assert_eq!(made.fresh("probe").1, Filled::Rest);
}

#[test]
fn p07_a_link_that_git_refuses_is_left_to_git() {
    let mut made = made(":");
    let commit = "blob=$(printf ../elsewhere | git hash-object -w --stdin)
        tree=$(printf '120000 blob %s\t.GitModules\n' $blob | git mktree) && git commit-tree -m link $tree";
    made.tip = Sha::new(sh(made.repo.root(), commit).trim()).unwrap();
    let (lane, filled) = made.fresh("probe");
    assert_eq!(filled, Filled::Rest);
    assert!(fs::symlink_metadata(lane.path.join(".GitModules")).is_err());
}
