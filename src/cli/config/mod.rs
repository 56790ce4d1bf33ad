//! The configuration: what is set where, and which setting counts.
//!
//! ```text
//! default < user < project < graph < env < flag
//! ```
//!
//! `laneway.toml` at the root of the repository, and `$XDG_CONFIG_HOME/laneway/config.toml` of the user, have the
//! same form. Every key is optional; an unknown one is refused.
//!
//! ```toml
//! max_parallel = 4            # attempts at once
//! handoff = "ready"           # ready | merged
//! grace = "10s"               # between being asked to end and being killed
//! worktrees = "../lanes"      # the folder of the lanes; from the root of the repository
//! offline = false             # true: nothing is fetched or pushed
//!
//! [lanes]
//! ports = "20000-29999"       # what lanes are given ports from
//! share = "auto"              # auto | never: snapshots of whole trees, where the file system has them
//! warm = 0                    # worktrees of next lanes that are made while others work
//!
//! [defaults]                  # for tasks of graphs that do not say otherwise
//! attempts = 2
//! timeout = "1h"
//! gate = "make test"
//!
//! [forge]
//! kind = "auto"               # auto | local | github
//!
//! [forge.github]              # where origin does not say it
//! api = "https://github.example.org/api/v3"
//! repository = "owner/name"
//!
//! [forge.local]
//! push_target = false         # true: a merge by the local forge moves the target at origin too
//!
//! [agents.mine]               # agents that every graph may name; keys as in a graph
//! command = ["./agent.sh", "{prompt_file}"]
//! ```

mod env;
mod file;
mod layer;
mod show;

pub(super) use file::{ConfigError, nearest};
pub(super) use layer::{ForgeChoice, Layers, Settings, Source};
pub(super) use show::ConfigArgs;

#[cfg(test)]
mod tests;
