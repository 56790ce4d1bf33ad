//! The command line: one file a command, the layers of configuration, failures with hints, and exit codes.
//!
//! ```text
//! args ──> one command ──> runtime, journal, forge ──> view ──> render ──> standard output
//!              │                       │
//!              └── Session             └── typed errors ──> CliError ──> standard error, exit code
//! ```
//!
//! The answer goes to standard output, everything else to standard error. In JSON a failure is the answer:
//! `{"error": {code, message, causes, hints}}`. A reader that goes away is no failure.

mod age;
mod args;
mod ask;
mod attach;
mod cancel;
mod check;
mod clock;
mod completions;
mod config;
mod conflicts;
mod custody;
mod demo;
mod doctor;
mod drive;
mod error;
mod events;
mod exit;
mod forge;
mod gc;
mod graph_file;
mod list;
mod live;
mod logs;
mod out;
mod pause;
mod plan;
mod pr;
mod program;
mod programs;
mod rebuild;
mod reset;
mod resume;
mod retry;
mod run;
mod schema;
mod screen;
mod select;
mod session;
mod signal;
mod skip;
mod status;
mod tail;
mod ticker;
mod verify;
mod waiting;

#[cfg(test)]
mod tests;

pub use program::main;
