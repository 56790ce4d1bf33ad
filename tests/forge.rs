//! The forges: one suite for both, GitHub's faults, and whole runs against a GitHub of our own.

mod bench;
mod conformance;
mod diamond;
mod fan_in;
mod faults;
mod hub;
mod nested;
mod news;
mod openapi;
mod parts;
mod refused;
mod runs;
mod shared;
mod skipped;
mod task_prs;
mod undo;
