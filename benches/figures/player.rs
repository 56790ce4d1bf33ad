//! The part of an agent, played by the benchmark itself so that nothing but a clock read is done at its start.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The first argument of the benchmark when it plays an agent.
pub(crate) const ROLE: &str = "--play-agent";

/// Notes when it began, waits where there is a fifo to wait at, claims to be done and notes when.
pub(crate) fn play(shared: &Path) {
    let began = nanos();
    let task = std::env::var("LANEWAY_TASK").expect("Laneway names the task");
    let signals = std::env::var_os("LANEWAY_SIGNALS").expect("Laneway names the place for signals");
    fs::write(shared.join(format!("{task}.began")), began.to_string()).expect("a shared directory");
    if let Ok(gate) = fs::File::open(shared.join(format!("{task}.gate"))) {
        let mut word = String::new();
        BufReader::new(gate).read_line(&mut word).expect("a fifo can be read");
    }
    let signals = Path::new(&signals);
    let private = signals.join(".done.tmp");
    fs::write(&private, "done\n").expect("a place for signals");
    let claimed = nanos();
    fs::rename(&private, signals.join("done")).expect("a place for signals");
    fs::write(shared.join(format!("{task}.claimed")), claimed.to_string()).expect("a shared directory");
}

fn nanos() -> u128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("it is past 1970").as_nanos()
}

/// Milliseconds from the claim of one task to the first instruction of the next.
pub(crate) fn gap(shared: &Path, before: &str, after: &str) -> f64 {
    let read = |name: String| -> i128 {
        let text = fs::read_to_string(shared.join(&name));
        let text = text.unwrap_or_else(|error| panic!("{name}: {error}"));
        text.parse().expect("a number")
    };
    let nanos = read(format!("{after}.began")) - read(format!("{before}.claimed"));
    let micros = i32::try_from(nanos / 1000).expect("less than half an hour");
    f64::from(micros) / 1000.0
}
