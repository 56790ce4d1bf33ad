//! Graphs of tasks that do nothing, against make.

use std::fmt::Write as _;

use crate::Setting;
use crate::samples::Samples;
use crate::scratch::Scratch;
use crate::table::{Amount, Goal, Row};

const TASKS: usize = 1000;
const LAYERS: usize = 10;

/// What each task needs, by number.
struct Shape {
    name: &'static str,
    needs: Vec<Vec<usize>>,
}

/// 1000 no-op tasks as a chain, a fan and layers, two at a time, in one lane.
pub(crate) fn rows(setting: &Setting<'_>) -> Vec<Row> {
    [chain(), fan(), layers()].iter().map(|shape| row(setting, shape)).collect()
}

fn chain() -> Shape {
    let needs = (0..TASKS).map(|n| n.checked_sub(1).into_iter().collect());
    Shape { name: "chain", needs: needs.collect() }
}

/// One, then all but one, then one.
fn fan() -> Shape {
    let mut needs = vec![vec![0]; TASKS];
    needs[0].clear();
    needs[TASKS - 1] = (1..TASKS - 1).collect();
    Shape { name: "fan", needs }
}

/// Layers of 100, each task with two needs in the layer above.
fn layers() -> Shape {
    let wide = TASKS / LAYERS;
    let above = |n: usize| {
        let row = (n / wide).checked_sub(1)? * wide;
        Some(vec![row + n % wide, row + (n + 1) % wide])
    };
    Shape { name: "layers", needs: (0..TASKS).map(|n| above(n).unwrap_or_default()).collect() }
}

fn row(setting: &Setting<'_>, shape: &Shape) -> Row {
    let mut make = Vec::new();
    // In turn, so that both meet the same moods of the machine.
    let ours = Samples::take(setting.runs, || {
        let scratch = Scratch::new(setting.dir, &shape.graph());
        std::fs::write(scratch.repo().join("Makefile"), shape.makefile()).expect("a writable repository");
        make.push(scratch.program("make", &["-s", "-j2"]).as_secs_f64());
        scratch.run().as_secs_f64()
    });
    let make = Samples::new(make).median();
    Row {
        spread: Some(ours.spread(Amount::Seconds)),
        beside: Some(("make -j2".to_owned(), Amount::Seconds(make))),
        ratio: Some(ours.median() / make),
        ..Row::new(
            format!("1000 no-op tasks, {}", shape.name),
            Amount::Seconds(ours.median()),
            Goal::AtMost(Amount::Times(1.5)),
        )
    }
}

impl Shape {
    fn graph(&self) -> String {
        let mut text = "schema = 1\nname = \"g\"\nmax_parallel = 2\n".to_owned();
        text += "[[workstreams]]\nid = \"default\"\nparallel = 2\n";
        for (n, needs) in self.needs.iter().enumerate() {
            let needs: Vec<String> = needs.iter().map(|need| format!("\"t{need}\"")).collect();
            _ = write!(text, "[[tasks]]\nid = \"t{n}\"\nrun = [\"true\"]\ndiff = \"none\"\n");
            _ = writeln!(text, "needs = [{}]", needs.join(", "));
        }
        text
    }

    fn makefile(&self) -> String {
        let names: Vec<String> = (0..self.needs.len()).map(|n| format!("t{n}")).collect();
        let names = names.join(" ");
        let mut text = format!(".PHONY: all {names}\nall: {names}\n");
        for (n, needs) in self.needs.iter().enumerate() {
            let needs: Vec<String> = needs.iter().map(|need| format!("t{need}")).collect();
            _ = write!(text, "t{n}: {}\n\t@true\n", needs.join(" "));
        }
        text
    }
}
