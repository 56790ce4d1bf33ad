//! Bases that are made from near ones.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::super::bases::seconds_now;
use super::*;
use crate::git::fill::Filled;
use crate::git::fill::tests::random::{Dice, Model, change, commit_of, model_of};

impl Made {
    /// With so many files more that a few changes keep trees near to each other.
    fn wide() -> Option<Self> {
        let mut made = Self::new()?;
        made.commit(
            "for d in $(seq 20); do mkdir -p w/d$d/e; for n in $(seq 10); do echo $d $n > w/d$d/e/f$n; done; done",
        );
        Some(made)
    }

    fn commit(&mut self, script: &str) {
        sh(
            self.repo.root(),
            &format!("{script}\ngit add -A -- . ':!.worktrees' && git commit -qm next --allow-empty"),
        );
        self.tip = self.repo.branch_tip("main").unwrap().unwrap();
    }

    /// The base of the tip, if there is one.
    fn base(&self) -> Option<Base> {
        let tree = self.repo.tree_of(&self.tip).unwrap();
        let bases = self.repo.bases().unwrap();
        let is_its = |dir: &PathBuf| {
            fs::read_to_string(dir.join("tree")).is_ok_and(|text| text.trim() == tree.as_str())
        };
        bases.into_iter().map(|base| base.path).find(is_its).map(|dir| Base::in_dir(&dir))
    }

    /// As another process sees it, which has looked through nothing.
    fn reopen(&mut self) {
        self.repo = Repo::discover(self.repo.root()).unwrap();
    }
}

/// How many files one base has from the other: a file that is written has another number or another time.
fn taken_over(new: &Base, near: &Base) -> usize {
    let known = |base: &Base| base.read_index().unwrap().unwrap();
    let (new, near) = (known(new), known(near));
    let is_same = |entry: &git2::IndexEntry| {
        let old = near.get_path(Path::new(OsStr::from_bytes(&entry.path)), 0);
        old.is_some_and(|old| (old.ino, old.ctime, old.mtime) == (entry.ino, entry.ctime, entry.mtime))
    };
    new.iter().filter(is_same).count()
}

/// The files that were read since they were written, which gave both of their times the same second. What git looks at for
/// its own sake does not count.
fn read_since(lane: &Worktree) -> String {
    sh(&lane.path, "find . -name '.git*' -prune -o -type f -printf '%A@ %T@ %i\\n' | awk '$1 != $2'")
}

#[test]
fn p10_bases_that_are_made_from_near_ones_are_what_git_makes() {
    let Some(mut made) = Made::wide() else { return };
    let steps = [
        "git mv a/one b-one && echo more >> a/b/two",
        "rm run && mkdir run && echo in > run/it && rm link && mkdir -p link/deep && echo in > link/deep/it",
        "rm -r run && echo out > run && rm -r link && ln -s run link",
        "rm run && ln -s a/b/two run && rm link && echo file > link",
        "rm run && printf run > run && chmod +x run && chmod +x b-one",
        "chmod -x run && echo new > b-one && mkdir -p a/c/d/e && echo deep > a/c/d/e/f && ln -s ../.. a/c/d/e/up",
        "rm -r a/c && ln -s w a/c",
        "rm a/c && mkdir -p a/c && echo under > a/c/under",
        "rm a/c/under && rm -r a/b",
        "echo 1 > 'qu\"ote\nline' && echo 2 > \"$(printf 'not-\\377')\" && mkdir \"$(printf 'd-\\376')\" && echo 3 > \"$(printf 'd-\\376/f')\"",
        "echo 4 > \"$(printf 'not-\\377')\" && rm -r \"$(printf 'd-\\376')\" && echo 5 > \"$(printf 'd-\\376')\"",
        "mkdir -p s && for n in s- s. s0 s/s s/s. s/s- s-s; do echo $n > $n; done",
        "rm s/s && mkdir s/s && echo x > s/s/s && rm s- && mkdir s- && echo y > s-/y",
        "rm -r s && echo s > s && rm s. && mkdir s. && : > s./empty",
        "printf '*.none text\\n*.x -text\\n' > .gitattributes && printf '* eol=lf\\n' > w/d1/.gitattributes",
        "printf '*.none -text\\n' > .gitattributes && rm w/d1/.gitattributes && rm -r w/d2",
        "printf 'one\\r\\n' > w/d3/e/f1 && head -c 300000 /dev/zero > zeros",
        "git mv w/d4 w/renamed",
        "git mv w/d5/e w/e5",
    ];
    made.lane("g/before");
    for (n, step) in steps.into_iter().enumerate() {
        let near = made.base().unwrap();
        made.commit(step);
        let name = format!("g/lane-{n}");
        let lane = made.lane(&name);
        assert!(made.is_shared(&name), "{step}");
        assert_eq!(sh(&lane.path, "git status --porcelain"), "", "{step}");
        assert_eq!(read_since(&lane), "", "{step}: the first status opens no file");
        made.expect_as_git_makes_it(&lane);
        assert_ne!(read_since(&lane), "", "{step}: that has read them");
        sh(&lane.path, "test $(git write-tree) = $(git rev-parse HEAD^{tree}) && git fsck --strict");
        let base = made.base().unwrap();
        assert!(taken_over(&base, &near) > 100, "{step}");
        assert!(base.is_as_made().unwrap() && near.is_as_made().unwrap(), "{step}");
        assert_eq!(sh(&lane.path, "find . -name .git -prune -o -type d -empty -print"), "", "{step}");
    }
    let read = sh(&made.path("g/lane-3"), "cat w/d3/e/f1");
    assert_eq!(read, "3 1\n", "what comes later is not seen in what was before");
}

#[test]
fn p10_a_base_of_nothing_is_made_from_a_near_one_and_the_other_way_round() {
    let Some(mut made) = Made::new() else { return };
    made.lane("g/first");
    made.commit("git rm -rq .");
    made.expect_as_git_makes_it(&made.lane("g/empty"));
    let empty = made.base().unwrap();
    assert_eq!(fs::read_dir(&empty.files).unwrap().count(), 0);
    made.commit("mkdir -p x/y && echo z > x/y/z");
    made.expect_as_git_makes_it(&made.lane("g/again"));
    assert!(made.is_shared("g/empty") && made.is_shared("g/again"));
    // Trees that hold nothing, which only somebody by hand makes, get no directory, as with git.
    let odd =
        "empty=$(git mktree < /dev/null) && tree=$(printf '040000 tree %s\\tnothing\\n' $empty | git mktree)
        git update-ref refs/heads/main $(git commit-tree -m odd $tree)";
    sh(made.repo.root(), odd);
    made.tip = made.repo.branch_tip("main").unwrap().unwrap();
    made.expect_as_git_makes_it(&made.lane("g/odd"));
    assert!(!made.path("g/odd/nothing").exists());
}

#[test]
fn p10_what_git_converts_now_is_not_taken_over() {
    let Some(mut made) = Made::wide() else { return };
    made.lane("g/first");
    made.commit("printf 'f1 text eol=crlf\\n' > w/d7/.gitattributes");
    let lane = made.lane("g/converted");
    assert!(!made.is_shared("g/converted"));
    assert_eq!(sh(&lane.path, "cat w/d7/e/f1"), "7 1\r\n");
    made.expect_as_git_makes_it(&lane);
    assert!(made.base().is_none());
    // It takes another tree, and other settings, to be taken over from.
    made.commit("rm w/d7/.gitattributes && echo 7 > w/d7/e/f7");
    sh(made.repo.root(), "mkdir -p .git/info && echo '*.nothing text' > .git/info/attributes");
    made.expect_as_git_makes_it(&made.lane("g/other"));
    let [one, other] = &made.repo.bases().unwrap()[..] else { panic!("two bases") };
    assert_eq!(taken_over(&Base::in_dir(&one.path), &Base::in_dir(&other.path)), 0);
}

#[test]
fn p16_a_near_base_that_somebody_changed_is_not_taken_over() {
    let changes = [
        "echo evil > a/one",
        "touch -d 2001-01-01 w/d3/e/f3",
        "rm link && ln -s a/two link",
        "rm run",
        "echo more > w/more",
        "printf x > ../index",
    ];
    for change in changes {
        let Some(mut made) = Made::wide() else { return };
        made.lane("g/first");
        let near = made.base().unwrap();
        made.commit("echo next > next");
        sh(&near.files, change);
        made.reopen();
        let lane = made.lane("g/second");
        assert!(made.is_shared("g/second"), "{change}");
        made.expect_as_git_makes_it(&lane);
        assert_eq!(made.repo.bases().unwrap().len(), 1, "{change}: it is gone");
    }
}

#[test]
fn p16_the_nearest_base_is_taken_that_is_as_it_was_made_and_says_its_tree() {
    let Some(mut made) = Made::wide() else { return };
    made.lane("g/far");
    let far = made.base().unwrap();
    made.commit("echo 1 > 1 && echo 2 > 2 && echo 3 > w/d3/e/f3");
    made.lane("g/near");
    let near = made.base().unwrap();
    let kept = |made: &Made, base: &Base| taken_over(&made.base().unwrap(), base);
    made.commit("echo 4 > 4");
    made.expect_as_git_makes_it(&made.lane("g/of-near"));
    let nearest = made.base().unwrap();
    assert_eq!(kept(&made, &near) - kept(&made, &far), 3);
    // Not the base that lies about its tree, nor the one that does not tell it, nor one that was changed.
    fs::copy(&near.tree, &nearest.tree).unwrap();
    fs::remove_file(&near.tree).unwrap();
    made.commit("echo 5 > 5 && echo 4 > w/d4/e/f4");
    made.reopen();
    made.expect_as_git_makes_it(&made.lane("g/of-far"));
    assert_eq!((kept(&made, &near), kept(&made, &nearest)), (kept(&made, &far), kept(&made, &far)));
    assert!(kept(&made, &far) > 200);
    sh(&made.base().unwrap().files, "echo evil > w/d5/e/f5");
    made.commit("echo 6 > 6");
    made.reopen();
    made.expect_as_git_makes_it(&made.lane("g/of-far-again"));
    assert!(kept(&made, &far) > 200);
}

#[test]
fn p16_what_is_put_in_the_way_is_not_written_through_and_ends_in_a_base_of_its_own() {
    let in_the_way = [
        "mv a/b ../../../b && ln -s ../../../../b a/b",
        "mkdir a/b/surprise",
        "mkdir -p c/d && ln -s / c/d/e",
        "echo mine > new",
        "mkdir new",
    ];
    for put in in_the_way {
        let Some(mut made) = Made::wide() else { return };
        made.lane("g/first");
        let near = made.base().unwrap();
        made.commit("rm -r a/b && echo new > new && mkdir -p c/d/e && echo new > c/d/e/f");
        // Somebody has done it since this process looked the base through.
        sh(&near.files, put);
        made.expect_as_git_makes_it(&made.lane("g/second"));
        assert!(made.is_shared("g/second"), "{put}");
        // One with other files is let go at once; a folder without any is only met.
        assert!(!near.dir.exists() || taken_over(&made.base().unwrap(), &near) == 0, "{put}");
        assert!(made.repo.bases().unwrap().iter().all(|base| !base.path.to_string_lossy().contains("new-")));
        if put.starts_with("mv") {
            assert_eq!(sh(&made.repo.record_dir(), "cat b/two"), "two\n", "{put}");
        }
    }
}

#[test]
fn p10_a_tree_that_differs_much_is_written() {
    let Some(mut made) = Made::wide() else { return };
    made.lane("g/first");
    for (files, taken) in [(51, true), (52, false)] {
        let near = made.base().unwrap();
        made.commit(&format!("for f in $(git ls-files w | head -{files}); do echo {files} >> $f; done"));
        let entries = sh(made.repo.root(), "git ls-files | wc -l");
        assert_eq!(entries.trim(), "205", "a quarter is 51");
        made.lane(&format!("g/lane-{files}"));
        let base = made.base().unwrap();
        assert_eq!(taken_over(&base, &near), if taken { 205 - files } else { 0 });
    }
}

#[test]
fn p10_a_quick_edit_is_seen_in_a_base_of_a_near_one_and_no_base_comes_from_the_future() {
    let Some(mut made) = Made::wide() else { return };
    made.lane("g/first");
    made.commit("echo two > a/one");
    let lane = made.lane("g/second");
    for file in ["a/one", "w/d1/e/f1"] {
        let edit = format!(
            "touch -r {file} ../times; tr 'a-z0-9' b-z1-9a < {file} > ../edit; cat ../edit > {file}; touch -r ../times {file}"
        );
        sh(&lane.path, &edit);
        assert!(!made.repo.tree_state(&lane, &made.tip).unwrap().is_clean(), "{file}");
        sh(&lane.path, "git reset -q --hard");
    }
    let near = made.base().unwrap();
    for base in made.repo.bases().unwrap().iter().filter(|base| base.path != near.dir) {
        made.repo.drop_base(base).unwrap();
    }
    let later = SystemTime::now() + std::time::Duration::from_hours(1);
    fs::File::open(&near.index).unwrap().set_modified(later).unwrap();
    made.commit("echo three > a/one");
    made.lane("g/third");
    let base = made.base().unwrap();
    assert_eq!(taken_over(&base, &near), 0);
    assert!(base.made_at().unwrap() <= seconds_now());
}

#[test]
fn p11_a_base_that_another_is_made_from_stays_although_it_is_the_oldest() {
    let Some(mut made) = Made::wide() else { return };
    made.lane("g/oldest");
    let (oldest, tip) = (made.base().unwrap(), made.tip.clone());
    for n in 1..4 {
        made.commit(&format!("for f in w/*/e/*; do echo {n} >> $f; done"));
        made.lane(&format!("g/far-{n}"));
    }
    let far: Vec<PathBuf> = made.repo.bases().unwrap().into_iter().map(|base| base.path).collect();
    assert!(far.len() == 4 && far.contains(&oldest.dir));
    made.commit(&format!("git rm -rq . && git checkout -q {tip} . && echo new > new"));
    made.lane("g/near");
    let base = made.base().unwrap();
    assert!(taken_over(&base, &oldest) > 200);
    let left = made.repo.bases().unwrap();
    assert!(left.len() == 4 && left.iter().any(|base| base.path == oldest.dir));
}

#[test]
fn p10_what_is_taken_over_is_not_read_from_the_repository() {
    let Some(mut made) = Made::wide() else { return };
    made.lane("g/first");
    made.commit("echo next > next");
    let blob = sh(made.repo.root(), "git rev-parse HEAD:w/d1/e/f1");
    let (dir, name) = blob.trim().split_at(2);
    fs::remove_file(made.repo.common_dir().join("objects").join(dir).join(name)).unwrap();
    let path = made.path("g/second");
    let lane = {
        let _administration = made.repo.administer().unwrap();
        made.repo.register(&path, &made.tip, &Shape::default()).unwrap()
    };
    {
        let private = crate::git::private::Private::open(&made.repo, &lane).unwrap();
        let filled = made.repo.fill(&private, &lane, &made.tip, Share::Auto).unwrap();
        assert_ne!(filled, Filled::Rest);
    }
    let lane = made.lane("g/second");
    assert!(made.is_shared("g/second"));
    assert_eq!(sh(&lane.path, "git status --porcelain && cat next w/d1/e/f1"), "next\n1 1\n");
}

#[test]
fn p16_a_base_that_cannot_be_finished_leaves_nothing() {
    let Some(mut made) = Made::wide() else { return };
    made.lane("g/first");
    let near = made.base().unwrap();
    made.commit("echo next > next");
    let before = made.repo.bases().unwrap();
    let sources = Sources::of(&made.repo).unwrap();
    let bases = Bases::open(&made.repo, &sources).unwrap();
    let tree = made.repo.tree_of(&made.tip).unwrap();
    let full = |files: &Path, _: &Path| {
        assert!(files.join("w/d1/e/f1").exists());
        fs::write(files.join("half"), "half").unwrap();
        Err(NotShared::io("written", files)(rustix::io::Errno::NOSPC.into()))
    };
    let error = bases.make_from(&near, &tree, full).unwrap_err();
    assert!(matches!(error, NotShared::Io { .. }), "{error}");
    assert_eq!(made.repo.bases().unwrap(), before);
    assert!(near.is_as_made().unwrap() && !near.files.join("half").exists());
}

#[test]
fn p10_p16_bases_of_random_trees_are_right_whatever_they_are_made_from() {
    let Some(mut made) = Made::new() else { return };
    let mut dice = Dice(0x5eed_1a9e);
    let mut model = Model::new();
    for n in 0..30 {
        model.insert(format!("kept/{}/{n}", n % 5).into_bytes(), (0o100_644, b"kept".to_vec()));
    }
    let (mut last, mut derived) = (None, 0);
    for n in 0..40 {
        for _ in 0..=dice.roll(8) {
            change(&mut model, &mut dice);
        }
        made.tip = commit_of(&made.repo, &model);
        let lane = made.lane(&format!("g/lane-{n}"));
        assert!(made.is_shared(&format!("g/lane-{n}")), "{n}");
        let said =
            "git status --porcelain --ignored && test $(git write-tree) = $(git rev-parse HEAD^{tree})";
        assert_eq!(sh(&lane.path, said), "", "{n}");
        assert_eq!(read_since(&lane), "", "{n}");
        assert_eq!(model_of(&lane.path), model, "{n}");
        let base = made.base().unwrap();
        assert!(base.is_as_made().unwrap(), "{n}");
        derived += usize::from(last.as_ref().is_some_and(|last| taken_over(&base, last) >= 30));
        last = Some(base);
    }
    assert!(derived > 30, "{derived}");
}

#[test]
fn p16_what_somebody_puts_into_a_base_gets_into_no_other() {
    let Some(mut made) = Made::wide() else { return };
    made.lane("g/first");
    let base = made.base().unwrap();
    fs::write(base.files.join("w/d1/junk"), "by an agent\n").unwrap();
    fs::write(base.files.join("w/d2/e/f3"), "2 9\n").unwrap();
    for (name, script) in [("g/second", "echo x > a/one"), ("g/third", "echo y > a/one")] {
        made.commit(script);
        let lane = made.lane(name);
        assert!(made.is_shared(name));
        made.expect_as_git_makes_it(&lane);
    }
}
