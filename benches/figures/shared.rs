//! Lanes that are snapshots, beside lanes that are written. Only on btrfs.

use std::path::PathBuf;

use laneway::git::Shape;
use laneway::id::Sha;
use laneway::plan::Share;

use crate::Setting;
use crate::provisioning::Big;
use crate::samples::{Samples, time};
use crate::table::{Amount, Goal, Row};

const FILES: usize = 20_000;
/// Files in which a landing makes the next commit differ.
const CHANGED: usize = 12;

/// One lane, eight and 32; with nothing to share yet, with everything, and with all but a few files.
pub(crate) fn rows(setting: &Setting<'_>) -> Vec<Row> {
    let big = Big::new(&setting.dir.join("shared"), FILES);
    if let Err(error) = big.repo.can_share(setting.dir) {
        eprintln!("shared: not measured: {error}");
        return Vec::new();
    }
    let landed = big.with_changed(CHANGED);
    [1, 8, 32].into_iter().flat_map(|lanes| of(&big, &landed, lanes, setting.runs)).collect()
}

fn of(big: &Big, landed: &Sha, lanes: usize, runs: usize) -> [Row; 3] {
    let (mut first, mut next, mut after, mut written) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs.max(1) {
        for base in big.repo.bases().expect("they can be listed") {
            big.repo.drop_base(&base).expect("it can be removed");
        }
        for took in [&mut first, &mut next] {
            took.push(timed(big, lanes, |places| big.by_laneway(places)));
        }
        after.push(timed(big, lanes, |places| big.at_commit(landed, places)));
        written.push(timed(big, lanes, |places| write(big, places)));
    }
    let written = Samples::new(written);
    let row = |name: &str, took: Vec<f64>, goal: Goal| {
        let took = Samples::new(took);
        Row {
            spread: Some(took.spread(Amount::Seconds)),
            beside: Some(("written".to_owned(), Amount::Seconds(written.median()))),
            ratio: Some(written.median() / took.median()),
            ..Row::new(
                format!("make lanes that share, {FILES} files x{lanes}{name}: times faster"),
                Amount::Seconds(took.median()),
                goal,
            )
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "a few lanes")]
    let goal = Goal::AtMost(Amount::Seconds(0.01 * lanes as f64));
    let of_next = format!(", the first of a commit that changes {CHANGED} files");
    [
        row(", the first of their commit", first, Goal::None),
        row("", next, goal),
        row(&of_next, after, Goal::None),
    ]
}

fn timed(big: &Big, lanes: usize, make: impl FnOnce(&[PathBuf])) -> f64 {
    let places = big.places(lanes);
    rustix::fs::sync();
    let took = time(|| make(&places)).as_secs_f64();
    for place in &places {
        let lane = big.repo.reopen(place).expect("it can be read").expect("it was made");
        big.repo.remove(&lane, &big.repo.record_dir().join("trash")).expect("removed");
    }
    took
}

fn write(big: &Big, places: &[PathBuf]) {
    let shape = Shape { share: Share::Never, ..Shape::default() };
    std::thread::scope(|scope| {
        for place in places {
            scope.spawn(|| big.repo.provision_as(place, &big.tip, &shape).expect("a lane"));
        }
    });
}
