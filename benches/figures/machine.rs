//! The machine that was measured on.

use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;

/// Cores, kernel, file system and tools, in one line.
pub(crate) fn describe(dir: &Path) -> String {
    let cores = available_parallelism().map_or(1, usize::from);
    let path = dir.to_string_lossy();
    format!(
        "{cores} cores, Linux {}, {}, {}, {}, load {}",
        said("uname", &["-r"]),
        said("df", &["--output=fstype", &path]),
        said("git", &["--version"]),
        said("make", &["--version"]),
        std::fs::read_to_string("/proc/loadavg")
            .ok()
            .and_then(|load| load.split(' ').next().map(str::to_owned))
            .unwrap_or_default(),
    )
}

/// The last word of the tool's name line; for `df` the line behind its head.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let Ok(output) = output else {
        return format!("no {program}");
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let line = if program == "df" { text.lines().nth(1) } else { text.lines().next() };
    line.unwrap_or_default().trim().to_owned()
}
