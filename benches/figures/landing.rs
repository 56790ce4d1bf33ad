//! Tasks that commit, pass a gate and merge.

use std::fmt::Write as _;

use crate::Setting;
use crate::samples::Samples;
use crate::scratch::Scratch;
use crate::table::{Amount, Goal, Row};

const LANES: usize = 10;
const TASKS: usize = 100;

/// The same work by hand: a worktree and a branch a lane, and for each task a commit and a gate, two lanes at a time.
/// Nothing is merged, proven or recorded.
const BY_HAND: &str = r#"
lane() {
    git worktree add -q -b "hand$1" ".hand/$1" && cd ".hand/$1" || exit 1
    for task in 0 1 2 3 4 5 6 7 8 9; do
        sh -c "echo x > t$1-$task.txt" && git add -A && git commit -q -m "t$task" || exit 1
        sh -c "test -f t$1-$task.txt" || exit 1
    done
}
for n in 0 2 4 6 8; do
    (lane $n) & (lane $((n + 1))) & wait
done
"#;

/// 100 tasks in 10 lanes, from start to the last pull request.
pub(crate) fn rows(setting: &Setting<'_>) -> Vec<Row> {
    let graph = graph();
    let mut hand = Vec::new();
    let each = Samples::take(setting.runs, || {
        let scratch = Scratch::new(setting.dir, &graph);
        hand.push(a_task(scratch.program("sh", &["-c", BY_HAND])));
        let took = Scratch::new(setting.dir, &graph).run();
        a_task(took)
    });
    let hand = Samples::new(hand).median();
    vec![Row {
        spread: Some(each.spread(Amount::Millis)),
        beside: Some(("git add, commit by hand".to_owned(), Amount::Millis(hand))),
        ratio: Some(each.median() / hand),
        ..Row::new(
            "a task with a commit, a gate and a merge (100 in 10 lanes)",
            Amount::Millis(each.median()),
            Goal::AtMost(Amount::Millis(15.0)),
        )
    }]
}

/// Milliseconds.
fn a_task(whole: std::time::Duration) -> f64 {
    whole.as_secs_f64() * 10.0
}

fn graph() -> String {
    let mut text = "schema = 1\nname = \"g\"\nmax_parallel = 4\n".to_owned();
    for lane in 0..LANES {
        _ = write!(text, "[[workstreams]]\nid = \"w{lane}\"\n");
        for n in 0..TASKS / LANES {
            let id = format!("t{lane}-{n}");
            _ = write!(text, "[[tasks]]\nid = \"{id}\"\nworkstream = \"w{lane}\"\n");
            _ = write!(text, "run = \"echo x > {id}.txt\"\ngate = \"test -f {id}.txt\"\n");
        }
    }
    text
}
