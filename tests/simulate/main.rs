//! The pure core against seeded random graphs, outcomes, delays, lost and repeated reports, failures of the forge, people,
//! crashes and restarts, on a virtual clock; what must hold is looked at after every step.
//!
//! ```text
//! cargo test --test simulate                                        a sample, and every past scenario
//! cargo test --release --test simulate -- --seeds 2000 [--seed S]   so many seeds, from S on
//! cargo test --release --test simulate -- --steps 1000000           seeds until so many steps are done
//! cargo test --release --test simulate -- --large 100000x10000      one graph of 100,000 tasks in 10,000 lanes
//! cargo test --release --test simulate -- --scenario FILE           one scenario
//! ```
//!
//! A seed that fails prints the smallest scenario that breaks the same law. In `fixtures/simulate/` it becomes a test.
#![expect(clippy::disallowed_methods, reason = "scenarios are files, and how long it took is measured")]

mod chance;
mod deeds;
mod generate;
mod history;
mod invariants;
mod large;
mod options;
mod origin;
mod processes;
mod pulls;
mod scenario;
mod shrink;
mod simulation;
mod undoing;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use options::Options;
use scenario::Scenario;
use simulation::{Ended, Look, run};

/// Seeds of a sample.
const SAMPLE: u64 = 40;
/// Failing seeds that are reported; more say little.
const MOST_REPORTED: usize = 5;

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("error: {why}");
            return ExitCode::from(2);
        }
    };
    if options.list {
        println!("simulate: test");
        return ExitCode::SUCCESS;
    }
    let passed = if let Some(file) = &options.scenario {
        one(Path::new(file), &options)
    } else if let Some((tasks, lanes)) = options.large {
        one_large(tasks, lanes, &options)
    } else {
        let asked = options.seeds.is_some() || options.seed.is_some() || options.steps.is_some();
        (asked || corpus(&options)) && seeds(&options)
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What many simulations came to.
#[derive(Debug, Default, serde::Serialize)]
struct Total {
    seeds: u64,
    steps: u64,
    events: u64,
    crashes: u64,
    journal_bytes: u64,
    virtual_days: u64,
    failed: u64,
    seconds: f64,
    peak_mib: u64,
}

impl Total {
    fn add(&mut self, ended: &Ended) {
        self.seeds += 1;
        self.steps += ended.steps;
        self.events += ended.events;
        self.crashes += ended.crashes;
        self.journal_bytes += ended.bytes;
        self.virtual_days += ended.elapsed;
        self.failed += u64::from(ended.wrong.is_some());
    }
}

/// Runs seeds on every core until there are enough seeds or steps.
fn seeds(options: &Options) -> bool {
    let began = Instant::now();
    let first = options.seed.unwrap_or(1);
    let until_steps = options.steps;
    let only_one = options.seed.is_some() && options.seeds.is_none() && until_steps.is_none();
    let count = match options.seeds {
        Some(count) => count,
        None if only_one => 1,
        None if until_steps.is_some() => u64::MAX - first,
        None => SAMPLE,
    };
    let next = AtomicU64::new(first);
    let total = Mutex::new((Total::default(), Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first.saturating_add(count) {
                        return;
                    }
                    let scenario = generate::scenario(seed);
                    let ended = run(&scenario, Look::default());
                    let mut held = total.lock().unwrap_or_else(PoisonError::into_inner);
                    held.0.add(&ended);
                    if ended.wrong.is_some() {
                        held.1.push((seed, scenario, ended));
                    }
                    let enough = until_steps.is_some_and(|steps| held.0.steps >= steps);
                    if enough || held.1.len() >= MOST_REPORTED && until_steps.is_none() && !options.whole {
                        return;
                    }
                }
            });
        }
    });
    let (mut total, mut failed) = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    total.seconds = began.elapsed().as_secs_f64();
    total.peak_mib = large::peak_mib();
    total.virtual_days /= 24 * 3600 * 1000;
    failed.sort_by_key(|(seed, ..)| *seed);
    for (seed, _, ended) in &failed {
        let Some(wrong) = &ended.wrong else { continue };
        eprintln!("seed {seed}: {}: {} (step {})", wrong.broken.law, wrong.broken.how, wrong.step);
    }
    for (seed, scenario, ended) in failed.iter().take(MOST_REPORTED) {
        report(&format!("seed {seed}"), scenario, ended, options);
    }
    say(&total, options);
    failed.is_empty()
}

fn say(total: &Total, options: &Options) {
    if options.json {
        println!("{}", serde_json::to_string(total).expect("numbers are JSON"));
        return;
    }
    println!(
        "simulate: {} seeds, {} steps, {} events, {} crashes, {} virtual days in {:.1} s, {} MiB; {} failed",
        total.seeds,
        total.steps,
        total.events,
        total.crashes,
        total.virtual_days,
        total.seconds,
        total.peak_mib,
        total.failed
    );
}

/// Says what went wrong, with the smallest scenario in which it does.
fn report(name: &str, scenario: &Scenario, ended: &Ended, options: &Options) {
    let Some(wrong) = &ended.wrong else { return };
    let smallest = if options.whole {
        scenario.clone()
    } else {
        shrink::shrink(scenario, wrong.broken.law, Look::default())
    };
    let again = run(&smallest, Look::default());
    let shown = again.wrong.as_ref().unwrap_or(wrong);
    eprintln!("\n{name}: {}: {} (step {})", shown.broken.law, shown.broken.how, shown.step);
    if options.whole || options.seed.is_some() || options.scenario.is_some() {
        eprintln!("the last events:");
        shown.last.iter().for_each(|line| eprintln!("  {line}"));
    }
    let text = toml::to_string(&smallest).unwrap_or_else(|error| error.to_string());
    eprintln!("the smallest scenario, for fixtures/simulate/:\n{text}");
}

fn one(file: &Path, options: &Options) -> bool {
    match read(file) {
        Ok(scenario) => {
            let ended = run(&scenario, Look::default());
            report(&file.display().to_string(), &scenario, &ended, options);
            if ended.wrong.is_none() {
                println!("simulate: {} holds in {} steps", file.display(), ended.steps);
            }
            ended.wrong.is_none()
        }
        Err(why) => {
            eprintln!("error: {}: {why}", file.display());
            false
        }
    }
}

fn read(file: &Path) -> Result<Scenario, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    toml::from_str(&text).map_err(|error| error.to_string())
}

/// Every scenario that once failed.
fn corpus(options: &Options) -> bool {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/simulate");
    let found = std::fs::read_dir(&dir).map(|entries| entries.flatten().map(|entry| entry.path()).collect());
    let mut files: Vec<PathBuf> = found.unwrap_or_default();
    files.retain(|file| file.extension().is_some_and(|e| e == "toml"));
    files.sort();
    if files.is_empty() {
        eprintln!("error: there is no scenario in {}", dir.display());
        return false;
    }
    let broken = files.iter().filter(|file| !one(file, options)).count();
    broken == 0
}

fn one_large(tasks: usize, lanes: usize, options: &Options) -> bool {
    let figures = large::measure(tasks, lanes);
    if options.json {
        println!("{}", serde_json::to_string(&figures).expect("numbers are JSON"));
    } else {
        println!(
            "simulate: {} tasks in {} lanes ({} bytes of graph): planned in {:.2} s; {} steps and {} events in {:.2} s \
             ({:.0} events/s); peak {} MiB",
            figures.tasks,
            figures.lanes,
            figures.graph_bytes,
            figures.plan_seconds,
            figures.steps,
            figures.events,
            figures.simulate_seconds,
            figures.events_per_second,
            figures.peak_mib
        );
    }
    if let Some(wrong) = &figures.wrong {
        eprintln!("error: {wrong}");
    }
    figures.wrong.is_none()
}
