use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use super::LaneStatus::{Active, Failed, MergeReady, Merged, Pending, PrCreated};
use super::*;

struct Lane {
    _home: tempfile::TempDir,
    board: Board,
    id: LaneId,
}

impl Lane {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let board = Board::new(home.path().join(".laneway/shop/1"));
        Self { board, id: LaneId::new("api").unwrap(), _home: home }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.board.lane_dir(&self.id).join(name)
    }

    fn project(&self, wanted: &[(LaneStatus, &str)], judged: &[&str]) -> Projection {
        let wanted = wanted.iter().map(|(status, text)| (*status, (*text).to_owned())).collect();
        let judged = judged.iter().map(|digest| (*digest).to_owned()).collect();
        project(&self.board, &self.id, &wanted, &judged, Settle::Ended).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.board.lane_dir(&self.id)).unwrap();
        let mut names: Vec<_> =
            entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

const T1: &str = "2026-01-01T00:00:00Z";
const T2: &str = "2026-01-01T00:01:00Z";

#[test]
fn ar09_status_is_readable_with_ls_and_cat() {
    let lane = Lane::new();
    let done = lane.project(&[(Pending, T1)], &[]);
    assert_eq!(done, Projection { written: vec![Pending], ..Projection::default() });
    assert_eq!(lane.project(&[(Pending, T1), (Active, T2)], &[]).written, [Active]);
    let url = "https://example.org/pull/7";
    _ = lane.project(&[(Pending, T1), (Active, T2), (PrCreated, url)], &[]);
    assert_eq!(lane.names(), ["active", "pending", "pr_created"]);
    let cat = std::process::Command::new("cat").arg(lane.path("pr_created")).output().unwrap();
    assert_eq!(cat.stdout, b"https://example.org/pull/7\n");
    let all = read_lane(&lane.board, &lane.id).unwrap();
    assert_eq!(LaneStatus::derive(all.keys().copied()), Some(PrCreated));
}

#[test]
fn ar09_precedence_is_failed_merged_pr_created_merge_ready_active_pending() {
    let order = [Failed, Merged, PrCreated, MergeReady, Active, Pending];
    for (index, status) in order.into_iter().enumerate() {
        assert_eq!(LaneStatus::derive(order[index..].iter().copied()), Some(status));
    }
    assert_eq!(LaneStatus::derive([]), None);
}

#[test]
fn ar09_projecting_again_touches_nothing() {
    let lane = Lane::new();
    _ = lane.project(&[(Active, T1)], &[]);
    let before = fs::metadata(lane.path("active")).unwrap();
    assert_eq!(lane.project(&[(Active, T1)], &[]), Projection::default());
    let after = fs::metadata(lane.path("active")).unwrap();
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
}

#[test]
fn ar09_an_outside_touch_is_reported_and_stays_until_it_is_judged() {
    let lane = Lane::new();
    _ = lane.project(&[(Active, T1)], &[]);
    let shell = format!("echo 'stop it' > '{}'", lane.path("failed").display());
    assert!(std::process::Command::new("sh").args(["-c", &shell]).status().unwrap().success());
    let found = lane.project(&[(Active, T1)], &[]);
    let touched = Touched {
        lane: lane.id.clone(),
        status: Failed,
        digest: digest(b"stop it\n"),
        found: Found::Text("stop it\n".to_owned()),
    };
    assert_eq!(found, Projection { touched: vec![touched.clone()], ..Projection::default() });
    assert_eq!(lane.names(), ["active", "failed"]);
    assert_eq!(lane.project(&[(Active, T1)], &[&touched.digest]).removed, [Failed]);
    assert_eq!(lane.names(), ["active"]);
}

#[test]
fn ar09_a_bare_touch_of_a_status_counts() {
    let lane = Lane::new();
    _ = lane.project(&[(Active, T1)], &[]);
    fs::write(lane.path("merged"), "").unwrap();
    let found = lane.project(&[(Active, T1)], &[]);
    assert_eq!((found.touched[0].status, &found.touched[0].digest), (Merged, &digest(b"")));
}

#[test]
fn ar09_an_earlier_projection_is_ours_and_is_rewritten() {
    let lane = Lane::new();
    _ = lane.project(&[(Failed, "old")], &[]);
    let ours = digest(&LaneStatus::bytes("old"));
    assert_eq!(lane.project(&[(Failed, "new")], &[&ours]).written, [Failed]);
    assert_eq!(fs::read_to_string(lane.path("failed")).unwrap(), "new\n");
    assert_eq!(lane.project(&[(Pending, T1)], &[&digest(b"new\n")]).removed, [Failed]);
}

#[test]
fn ar09_deletion_is_repaired_and_never_reported() {
    let lane = Lane::new();
    _ = lane.project(&[(Active, T1)], &[]);
    fs::remove_dir_all(lane.board.root()).unwrap();
    let done = lane.project(&[(Active, T1)], &[]);
    assert_eq!(done, Projection { written: vec![Active], ..Projection::default() });
}

#[test]
fn ar09_what_is_no_file_is_told_and_replaced_without_loss() {
    let lane = Lane::new();
    _ = lane.project(&[(Active, T1)], &[]);
    let target = lane.board.root().join("precious");
    fs::write(&target, "keep").unwrap();
    symlink(&target, lane.path("failed")).unwrap();
    fs::create_dir(lane.path("merged")).unwrap();
    fs::write(lane.path("merged").join("inside"), "keep too").unwrap();
    File::create(lane.path("pr_created")).unwrap().set_len(1 << 33).unwrap();
    let found = lane.project(&[(Active, T1)], &[]).touched;
    let kinds: Vec<_> = found.iter().map(|t| t.found.clone()).collect();
    assert_eq!(
        kinds,
        [
            Found::TooLarge { size: 1 << 33 },
            Found::Other(NodeKind::Directory),
            Found::Other(NodeKind::Symlink)
        ]
    );
    let judged: Vec<&str> = found.iter().map(|t| t.digest.as_str()).collect();
    assert_eq!(lane.project(&[(Active, T1)], &judged).removed, [PrCreated, Merged, Failed]);
    assert_eq!(fs::read_to_string(target).unwrap(), "keep");
    let names = lane.names();
    let moved = names.iter().find(|name| name.starts_with("moved-")).unwrap();
    assert_eq!(fs::read_to_string(lane.path(moved).join("inside")).unwrap(), "keep too");
}

#[test]
fn ar09_a_touch_that_is_still_being_written_waits() {
    let lane = Lane::new();
    _ = lane.project(&[(Active, T1)], &[]);
    let mut writer = File::create(lane.path("failed")).unwrap();
    let wanted = BTreeMap::from([(Active, T1.to_owned())]);
    let project = |closed: &BTreeSet<String>| {
        let settle = Settle::Live { closed, now: SystemTime::now(), quiet: Duration::from_secs(3600) };
        project(&lane.board, &lane.id, &wanted, &BTreeSet::new(), settle).unwrap()
    };
    let mut closed = BTreeSet::from(["active".to_owned()]);
    assert_eq!(project(&closed).unsettled, [Failed]);
    writer.write_all(b"boom\n").unwrap();
    drop(writer);
    closed.insert("failed".to_owned());
    assert_eq!(project(&closed).touched[0].found, Found::Text("boom\n".to_owned()));
}

#[test]
fn ar09_a_touch_that_comes_while_another_is_taken_away_is_not_lost() {
    let lane = Lane::new();
    _ = lane.project(&[(Active, T1)], &[]);
    fs::write(lane.path("failed"), "second").unwrap();
    let dir = SteadyDir::open(&lane.board.lane_dir(&lane.id)).unwrap();
    let judged = BTreeSet::from([digest(b"first")]);
    let place = Place { dir, judged: &judged, settle: Settle::Ended };
    assert!(!place.take_away(&lane.path("failed")).unwrap());
    assert_eq!(fs::read_to_string(lane.path("failed")).unwrap(), "second");
    assert!(!put(&lane.path("failed"), b"ours").unwrap());
    assert_eq!(fs::read_to_string(lane.path("failed")).unwrap(), "second");
    assert_eq!(lane.names(), ["active", "failed"]);
}
