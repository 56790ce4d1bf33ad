//! The figures of `docs/performance.md`, measured with the release program: `cargo bench`, or some of them:
//! `cargo bench -- graphs signals`. `--runs N` changes how often each is repeated; the table shows medians.
#![expect(clippy::disallowed_methods, reason = "a benchmark makes files, starts processes and reads clocks")]

mod conflicts;
mod graphs;
mod journal;
mod landing;
mod lanes;
mod live;
mod machine;
mod player;
mod provisioning;
mod samples;
mod scratch;
mod shared;
mod table;
mod verb;
mod waves;

use std::path::Path;
use std::process::ExitCode;

use table::Row;

/// What a figure needs to be taken.
struct Setting<'a> {
    /// A directory on the disk that is measured. Nothing in it is deleted before the end: on some file systems
    /// making files is slow just after many were deleted.
    dir: &'a Path,
    /// How often a measurement is repeated.
    runs: usize,
}

type Figure = fn(&Setting<'_>) -> Vec<Row>;

const FIGURES: &[(&str, Figure)] = &[
    ("lanes", lanes::rows),
    ("provisioning", provisioning::rows),
    ("large", provisioning::large),
    ("crowd", provisioning::crowd),
    ("shared", shared::rows),
    ("graphs", graphs::rows),
    ("landing", landing::rows),
    ("signals", live::latency_alone),
    ("live", live::rows),
    ("conflicts", conflicts::rows),
    ("verb", verb::rows),
    ("waves", waves::rows),
    ("journal", journal::rows),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [role, shared] = words.as_slice()
        && role == player::ROLE
    {
        player::play(Path::new(shared));
        return ExitCode::SUCCESS;
    }
    if words.first().is_some_and(|role| role == provisioning::ROLE) {
        provisioning::make_alone(words.into_iter().skip(1));
        return ExitCode::SUCCESS;
    }
    let mut runs = 5;
    let mut wanted = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            // Cargo says so to every benchmark.
            "--bench" => {}
            "--runs" => runs = words.next().and_then(|n| n.parse().ok()).unwrap_or(runs),
            name if FIGURES.iter().any(|(known, _)| *known == name) => wanted.push(word),
            other => {
                let known: Vec<&str> = FIGURES.iter().map(|(name, _)| *name).collect();
                eprintln!("there is no figure `{other}`; there are {}", known.join(", "));
                return ExitCode::from(2);
            }
        }
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    println!("{}\n", machine::describe(dir.path()));
    let mut rows = Vec::new();
    for (name, figure) in FIGURES {
        if wanted.is_empty() || wanted.iter().any(|w| w == name) {
            let measured = figure(&Setting { dir: dir.path(), runs });
            // A look at what there is already, while the rest takes its time.
            eprintln!("{name}\n{}\n", table::render(&measured));
            rows.extend(measured);
        }
    }
    println!("{}", table::render(&rows));
    ExitCode::SUCCESS
}
