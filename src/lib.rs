//! Laneway turns a task graph in a TOML file into finished, proven, reviewable integration pull requests.
//!
//! The folders are the data flow:
//!
//! ```text
//! graph/   text -> spanned AST -> Graph, every diagnostic at once              pure
//! plan/    Graph + observed repo -> Plan: every name, path, base, order        pure
//! event/   the event kinds, the envelope, the wire format and its versions     pure
//! state/   State, apply(State, Event), the one transition table                pure
//! engine/  decide(Plan, State, now, Input) -> Events; outstanding effects      pure
//! view/    folds over state and events: run, lanes, timeline, PR body          pure
//! journal/ append, fsync, hash chain, torn-tail recovery, lock                 IO
//! signal/  the noticeboard: lay out, read safely, watch                        IO
//! git/     worktrees, object-database merges, custody                          IO
//! agent/   adapters: argv, prompt delivery                                     data
//! exec/    where an attempt runs: local process group                          IO
//! forge/   the local forge                                                     IO
//! runtime/ the one loop that turns effects into actions, outcomes into inputs  IO
//! render/  view -> text
//! cli/     one file per command, config layers, hints, exit codes
//! ```
//!
//! `graph -> plan -> engine -> journal -> effects -> outcomes -> engine`. A guard test holds the allowed
//! directions; clippy's `disallowed-methods` hold the IO fence.

pub mod agent;
pub mod cli;
pub mod engine;
pub mod event;
pub mod exec;
pub mod failpoint;
pub mod forge;
pub mod git;
pub mod graph;
pub mod id;
pub mod journal;
pub mod plain_file;
pub mod plan;
pub mod render;
pub mod runtime;
pub mod signal;
pub mod state;
pub mod view;
