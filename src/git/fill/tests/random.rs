//! Trees that nobody would think of.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;

use super::super::difference::Difference;
use super::super::{stat_index, write};
use super::*;

/// Numbers that are the same each time.
pub(in crate::git) struct Dice(pub(in crate::git) u64);

impl Dice {
    pub(in crate::git) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

/// What a tree holds: mode and content by path.
pub(in crate::git) type Model = BTreeMap<Vec<u8>, (u32, Vec<u8>)>;

/// Names that stand before and after a slash in the order of an index.
const NAMES: [&[u8]; 7] = [b"a", b"a-", b"a.b", b"a0", b"b", "\u{e4}".as_bytes(), b"\xff"];

pub(in crate::git) fn change(model: &mut Model, dice: &mut Dice) {
    let depth = 1 + dice.roll(4);
    let names: Vec<&[u8]> = (0..depth).map(|_| NAMES[dice.roll(NAMES.len())]).collect();
    let path = names.join(&b'/');
    let below = [&path[..], b"/"].concat();
    let is_in_the_way = |other: &Vec<u8>| {
        *other == path || other.starts_with(&below) || path.starts_with(&[&other[..], b"/"].concat())
    };
    let had = model.keys().any(is_in_the_way);
    model.retain(|other, _| !is_in_the_way(other));
    if had && dice.roll(2) == 0 {
        return;
    }
    let mode = [0o100_644, 0o100_755, 0o120_000][dice.roll(3)];
    model.insert(path, (mode, format!("{}", dice.roll(3)).into_bytes()));
}

pub(in crate::git) fn commit_of(repo: &Repo, model: &Model) -> Sha {
    let library = git2::Repository::open(repo.root()).unwrap();
    let mut index = git2::Index::new().unwrap();
    for (path, (mode, content)) in model {
        let never = git2::IndexTime::new(0, 0);
        let id = library.blob(content).unwrap();
        let entry = git2::IndexEntry {
            ctime: never,
            mtime: never,
            dev: 0,
            ino: 0,
            mode: *mode,
            uid: 0,
            gid: 0,
            file_size: 0,
            id,
            flags: 0,
            flags_extended: 0,
            path: path.clone(),
        };
        index.add(&entry).unwrap();
    }
    let tree = library.find_tree(index.write_tree_to(&library).unwrap()).unwrap();
    let who = git2::Signature::now("T", "t@example.org").unwrap();
    Sha::new(&library.commit(None, &who, &who, "random", &tree, &[]).unwrap().to_string()).unwrap()
}

/// What a lane holds; a directory that holds nothing is there too.
pub(in crate::git) fn model_of(root: &Path) -> Model {
    let found = walkdir::WalkDir::new(root).min_depth(1).into_iter().map(Result::unwrap);
    let mut model = Model::new();
    for entry in found.filter(|entry| entry.path() != root.join(".git")) {
        let path = entry.path().strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
        let meta = entry.path().symlink_metadata().unwrap();
        if meta.is_dir() {
            if fs::read_dir(entry.path()).unwrap().next().is_none() {
                model.insert(path, (0o040_000, Vec::new()));
            }
        } else if meta.is_symlink() {
            let to = fs::read_link(entry.path()).unwrap().into_os_string().into_encoded_bytes();
            model.insert(path, (0o120_000, to));
        } else {
            let mode = if meta.permissions().mode() & 0o111 == 0 { 0o100_644 } else { 0o100_755 };
            model.insert(path, (mode, fs::read(entry.path()).unwrap()));
        }
    }
    model
}

#[test]
fn p10_p16_between_random_trees_what_differs_is_done_and_nothing_else() {
    let made = made(":");
    let (root, path) = (made.dir.path().join("files"), made.dir.path().join("index"));
    fs::create_dir(&root).unwrap();
    git2::Index::open(&path).unwrap().write().unwrap();
    let (mut dice, mut model, mut before) = (Dice(0xd1ff_e4e2), Model::new(), Model::new());
    for n in 0..150 {
        for _ in 0..=dice.roll(12) {
            change(&mut model, &mut dice);
        }
        let listing =
            made.repo.with(|repo| Listing::of(repo, &commit_of(&made.repo, &model))).unwrap().unwrap();
        let known = git2::Index::open(&path).unwrap();
        let stats = Difference::new(&known, &listing).apply(&made.repo, &root).unwrap().unwrap();
        assert_eq!(model_of(&root), model, "{n}");
        for (entry, stat) in listing.entries.iter().zip(&stats) {
            let found = root.join(OsStr::from_bytes(&entry.path)).symlink_metadata().unwrap();
            let is = [
                found.ctime(),
                found.ctime_nsec(),
                found.mtime(),
                found.ino().cast_signed(),
                found.size().cast_signed(),
            ];
            let said = [stat.ctime[0], stat.ctime[1], stat.mtime[0], stat.ino, stat.size];
            assert_eq!(is.map(|number| number & i64::from(u32::MAX)), said.map(i64::from), "{n}");
            let old = known
                .get_path(Path::new(OsStr::from_bytes(&entry.path)), 0)
                .map(|old| stat_index::Stat::from(&old));
            let is_same = before.get(&entry.path) == model.get(&entry.path);
            assert_eq!(old == Some(*stat), is_same, "{n}: {:?}", OsStr::from_bytes(&entry.path));
        }
        stat_index::write(&path, &listing, &stats).unwrap();
        before.clone_from(&model);
    }
}

#[test]
fn p16_nothing_is_reached_through_a_link() {
    let made = made("mkdir -p a/b && echo x > a/b/c");
    let dir = made.dir.path();
    fs::create_dir_all(dir.join("real/b")).unwrap();
    std::os::unix::fs::symlink("real", dir.join("link")).unwrap();
    std::os::unix::fs::symlink("b", dir.join("real/link")).unwrap();
    let root = rustix::fs::open(dir, rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
    let opens = |path: &str| below::open(&root, path.as_bytes()).is_ok();
    assert!(opens("") && opens("real") && opens("real/b"));
    for path in ["link", "link/b", "real/link", "real/b/missing"] {
        assert!(!opens(path), "{path}");
    }
    let (_, name) = below::open_parent(&root, b"real/b/file").unwrap();
    assert_eq!(name, "file");
    assert_eq!(below::open_parent(&root, b"top").unwrap().1, "top");
    assert!(below::open_parent(&root, b"real/link/file").is_err());
    // Nor is anything written there.
    let listing = made.repo.with(|repo| Listing::of(repo, &made.tip)).unwrap().unwrap();
    fs::create_dir(dir.join("lane")).unwrap();
    std::os::unix::fs::symlink("../real", dir.join("lane/a")).unwrap();
    let ours = vec![true; listing.entries.len()];
    write::missing(&made.repo, &listing, &ours, &dir.join("lane")).unwrap().unwrap_err();
    assert_eq!(fs::read_dir(dir.join("real/b")).unwrap().count(), 0);
}
