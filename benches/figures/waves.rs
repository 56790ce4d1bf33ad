//! Lanes that build on one that works: what they gain by being made meanwhile.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::Setting;
use crate::samples::Samples;
use crate::scratch::Scratch;
use crate::table::{Amount, Goal, Row};

const LANES: usize = 4;
const FILES: usize = 5000;
/// Files in a directory.
const IN_A_DIR: usize = 25;

/// What is over after the first lane has ended, with the others made ahead and without.
pub(crate) fn rows(setting: &Setting<'_>) -> Vec<Row> {
    vec![
        row(setting, &format!("{LANES} lanes of {FILES} files after one that works for 2 s, made ahead"), ""),
        row(setting, "the same, each with a setup of 1 s", "setup = [\"sleep 1\"]\n"),
    ]
}

fn row(setting: &Setting<'_>, name: &str, furnish: &str) -> Row {
    let mut graph = String::from(
        "schema = 1\nname = \"g\"\nmax_parallel = 4\n[[workstreams]]\nid = \"first\"\n\
         [[tasks]]\nid = \"t\"\nworkstream = \"first\"\nrun = [\"sleep\", \"2\"]\ndiff = \"none\"\n",
    );
    for n in 0..LANES {
        _ = write!(graph, "[[workstreams]]\nid = \"w{n}\"\n{furnish}");
        _ = write!(
            graph,
            "[[tasks]]\nid = \"t{n}\"\nworkstream = \"w{n}\"\nneeds = [\"t\"]\nrun = [\"true\"]\ndiff = \"none\"\n"
        );
    }
    let take = |warm: usize| {
        Samples::take(setting.runs, || {
            let scratch = Scratch::new(setting.dir, &graph);
            fill(&scratch);
            let settings = format!("[lanes]\nwarm = {warm}\n");
            fs::write(scratch.repo().join("laneway.toml"), settings).expect("a writable repository");
            scratch.run().as_secs_f64()
        })
    };
    let (ahead, later) = (take(LANES), take(0));
    Row {
        spread: Some(ahead.spread(Amount::Seconds)),
        beside: Some(("made when they begin".to_owned(), Amount::Seconds(later.median()))),
        ratio: Some(ahead.median() / later.median()),
        ..Row::new(name, Amount::Seconds(ahead.median()), Goal::None)
    }
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
