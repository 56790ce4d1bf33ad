//! Tasks of one second, side by side.

use std::fmt::Write as _;

use crate::Setting;
use crate::samples::Samples;
use crate::scratch::Scratch;
use crate::table::{Amount, Goal, Row};

const LANES: usize = 20;

/// 20 tasks of 1 s in 20 lanes; the work alone takes 1 s.
pub(crate) fn rows(setting: &Setting<'_>) -> Vec<Row> {
    let goal = Goal::AtMost(Amount::Seconds(2.5));
    vec![
        row(setting, "20 tasks of 1 s in 20 lanes", "run = [\"sleep\", \"1\"]\ndiff = \"none\"", goal),
        row(
            setting,
            "the same, each with a file merged and a PR opened",
            "run = \"sleep 1; echo x > $LANEWAY_TASK.txt\"",
            goal,
        ),
    ]
}

fn row(setting: &Setting<'_>, name: &str, work: &str, goal: Goal) -> Row {
    let mut graph = format!("schema = 1\nname = \"g\"\nmax_parallel = {LANES}\n");
    for n in 0..LANES {
        _ = write!(graph, "[[workstreams]]\nid = \"w{n}\"\n");
        _ = write!(graph, "[[tasks]]\nid = \"t{n}\"\nworkstream = \"w{n}\"\n{work}\n");
    }
    let seconds = Samples::take(setting.runs, || Scratch::new(setting.dir, &graph).run().as_secs_f64());
    Row {
        spread: Some(seconds.spread(Amount::Seconds)),
        beside: Some(("the work alone".to_owned(), Amount::Seconds(1.0))),
        ratio: Some(seconds.median()),
        ..Row::new(name, Amount::Seconds(seconds.median()), goal)
    }
}
