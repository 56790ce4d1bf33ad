//! `laneway signal done` as an agent calls it.

use laneway::id::TaskId;
use laneway::signal::Board;

use crate::Setting;
use crate::samples::Samples;
use crate::scratch::Scratch;
use crate::table::{Amount, Goal, Row};

const CALLS: usize = 200;

/// The whole process, against one that does nothing.
pub(crate) fn rows(setting: &Setting<'_>) -> Vec<Row> {
    let scratch = Scratch::new(setting.dir, "");
    let board = Board::new(scratch.repo().join("board"));
    let task = TaskId::new("t").expect("an id");
    let put_up = board.put_up_attempt(&task, 1).expect("a writable directory");
    assert!(put_up.in_the_way.is_empty(), "the directory is new");
    let signals = board.signals_dir(&task, 1);
    let call = |program: &str, arguments: &[&str]| {
        let mut command = scratch.command(program);
        command.args(arguments).env("LANEWAY_SIGNALS", &signals);
        let mut status = None;
        let took = crate::samples::time(|| status = command.status().ok());
        assert!(status.is_some_and(|s| s.success()), "{program} {arguments:?}");
        took.as_secs_f64() * 1000.0
    };
    let nothing = Samples::take(CALLS, || call("true", &[])).median();
    let done = Samples::take(CALLS, || call(env!("CARGO_BIN_EXE_laneway"), &["signal", "done", "said"]));
    vec![Row {
        spread: Some(done.spread(Amount::Millis)),
        beside: Some(("true".to_owned(), Amount::Millis(nothing))),
        ratio: Some(done.median() / nothing),
        ..Row::new("laneway signal done", Amount::Millis(done.median()), Goal::AtMost(Amount::Millis(5.0)))
    }]
}
