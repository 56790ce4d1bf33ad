//! Lanes that build on one that works: what they gain by being made meanwhile.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::Setting;
use crate::samples::Samples;
use crate::scratch::Scratch;
use crate::table::{Amount, Goal, Row};

const LANES: usize = 4;
const FILES: usize = 5000;
/// Files in a directory.
const IN_A_DIR: usize = 25;

/// From the end of the first lane's task to the start of the last of the others, made ahead and made when they begin.
pub(crate) fn rows(setting: &Setting<'_>) -> Vec<Row> {
    vec![
        row(setting, &format!("the next {LANES} lanes of {FILES} files after one that worked for 5 s"), ""),
        row(setting, "the same, each with a setup of 1 s", "setup = [\"sleep 1\"]\n"),
    ]
}

fn row(setting: &Setting<'_>, name: &str, furnish: &str) -> Row {
    let graph = graph(furnish);
    let take = |warm: usize| {
        let scratch = Scratch::new(setting.dir, &graph);
        fill(&scratch);
        let settings = format!("[lanes]\nwarm = {warm}\n");
        fs::write(scratch.repo().join("laneway.toml"), settings).expect("a writable repository");
        scratch.run();
        between_waves(&scratch)
    };
    // In turn, so that both meet the same machine.
    let (ahead, later): (Vec<f64>, Vec<f64>) =
        (0..setting.runs.max(1)).map(|_| (take(LANES), take(0))).unzip();
    let (ahead, later) = (Samples::new(ahead), Samples::new(later));
    Row {
        spread: Some(ahead.spread(Amount::Seconds)),
        beside: Some(("made when they begin".to_owned(), Amount::Seconds(later.median()))),
        ratio: Some(ahead.median() / later.median()),
        ..Row::new(name, Amount::Seconds(ahead.median()), Goal::None)
    }
}

/// One lane, and others that build on it. Each task notes when it was there.
fn graph(furnish: &str) -> String {
    let task = |id: &str, more: &str, script: &str| {
        format!(
            "[[tasks]]\nid = \"{id}\"\n{more}run = [\"sh\", \"-c\", \"{script} date +%s%N > $HOME/{id}\"]\ndiff = \"none\"\n"
        )
    };
    let mut graph =
        String::from("schema = 1\nname = \"g\"\nmax_parallel = 4\n[[workstreams]]\nid = \"first\"\n");
    graph += &task("t", "workstream = \"first\"\n", "sleep 5;");
    for n in 0..LANES {
        _ = write!(graph, "[[workstreams]]\nid = \"w{n}\"\n{furnish}");
        graph += &task(&format!("t{n}"), &format!("workstream = \"w{n}\"\nneeds = [\"t\"]\n"), "");
    }
    graph
}

/// In seconds.
fn between_waves(scratch: &Scratch) -> f64 {
    let home = scratch.repo().with_file_name("home");
    let at = |id: &str| -> u128 {
        let text = fs::read_to_string(home.join(id)).expect("the task was there");
        text.trim().parse().expect("a number")
    };
    let last = (0..LANES).map(|n| at(&format!("t{n}"))).max().expect("there are lanes");
    Duration::from_nanos(u64::try_from(last.saturating_sub(at("t"))).unwrap_or(u64::MAX)).as_secs_f64()
}

fn fill(scratch: &Scratch) {
    for n in 0..FILES {
        let path = scratch.repo().join(format!("part{}/file{n}.txt", n / IN_A_DIR));
        fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).expect("a writable repository");
        let text =
            format!("line of file {n}, as it stands in many a source file\n").repeat(4 + n * 7919 % 150);
        fs::write(path, text).expect("a writable repository");
    }
    scratch.git(&["add", "-A"]);
    scratch.git(&["commit", "-q", "-m", "Fill"]);
}
