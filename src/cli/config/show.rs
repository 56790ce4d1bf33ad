//! `laneway config`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use super::layer::{ForgeChoice, Layers, Source};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::graph_file;
use crate::cli::screen;
use crate::cli::session::Session;
use crate::graph::{Handoff, Lfs, Millis};
use crate::plan::Share;

/// Show every setting that counts, and where it comes from
///
/// A flag is stronger than the environment, that is stronger than the graph, that is stronger than `laneway.toml`,
/// that is stronger than the user's own file, that is stronger than what is built in.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway config --graph graphs/quickstart.toml")]
pub(in crate::cli) struct ConfigArgs {
    /// Take the settings of this graph into account
    #[arg(long, value_name = "FILE")]
    graph: Option<PathBuf>,
}

impl ConfigArgs {
    pub(in crate::cli) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let project = session.project()?;
        let mut layers = Layers::read(session, Some(&project.root()))?;
        if let Some(file) = &self.graph {
            let read = graph_file::read(session, Some(&project), &layers, file)?;
            layers = layers.with(Some(Source::graph(&read.source.path, &read.graph)));
        }
        if session.json() {
            session.answer_json(&as_json(&layers))?;
        } else {
            session.answer(&as_text(&layers, session.color()))?;
        }
        Ok(Exit::Achieved)
    }
}

/// Every setting by name, with its value in JSON.
fn rows(layers: &Layers) -> Vec<(&'static str, Option<(Value, &Source)>)> {
    vec![
        ("max_parallel", layers.pick(|s| s.max_parallel.map(Value::from))),
        ("handoff", layers.pick(|s| s.handoff.map(handoff))),
        ("grace", layers.pick(|s| s.grace.map(duration))),
        ("worktrees", layers.pick(|s| s.worktrees.as_ref().map(|path| path.display().to_string().into()))),
        ("lanes.ports", layers.pick(|s| s.ports.map(|ports| ports.to_string().into()))),
        ("lanes.copy", layers.pick(|s| s.copy.clone().map(Value::from))),
        ("lanes.submodules", layers.pick(|s| s.submodules.map(Value::from))),
        ("lanes.lfs", layers.pick(|s| s.lfs.map(lfs))),
        ("lanes.share", layers.pick(|s| s.share.map(share))),
        ("lanes.warm", layers.pick(|s| s.warm.map(Value::from))),
        ("offline", layers.pick(|s| s.offline.map(Value::from))),
        ("forge.kind", layers.pick(|s| s.forge.map(forge))),
        ("forge.github.api", layers.pick(|s| s.github_api.clone().map(Value::from))),
        ("forge.github.repository", layers.pick(|s| s.github_repository.clone().map(Value::from))),
        ("forge.local.push_target", layers.pick(|s| s.push_target.map(Value::from))),
        ("defaults.attempts", layers.pick(|s| s.attempts.map(Value::from))),
        ("defaults.timeout", layers.pick(|s| s.timeout.map(duration))),
        ("defaults.gate", layers.pick(|s| s.gate.as_ref().map(|gate| gate.command.to_string().into()))),
    ]
}

fn handoff(handoff: Handoff) -> Value {
    match handoff {
        Handoff::Ready => "ready".into(),
        Handoff::Merged => "merged".into(),
    }
}

fn lfs(lfs: Lfs) -> Value {
    match lfs {
        Lfs::Auto => "auto".into(),
        Lfs::Skip => "skip".into(),
    }
}

fn share(share: Share) -> Value {
    match share {
        Share::Auto => "auto".into(),
        Share::Never => "never".into(),
    }
}

fn forge(forge: ForgeChoice) -> Value {
    forge.word().into()
}

/// A duration as a graph writes it.
fn duration(millis: Millis) -> Value {
    let mut left = millis.0;
    let mut text = String::new();
    for (unit, scale) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        if left >= scale {
            write!(text, "{}{unit}", left / scale).expect("a string takes every text");
            left %= scale;
        }
    }
    text.into()
}

fn as_json(layers: &Layers) -> Value {
    let mut all = Map::new();
    for (name, found) in rows(layers) {
        let row = match found {
            Some((value, from)) => json!({ "value": value, "from": from.layer.word(), "place": from.place }),
            None => json!({ "value": null, "from": null, "place": null }),
        };
        all.insert(name.to_owned(), row);
    }
    for (name, (def, from)) in layers.agents() {
        let row = json!({ "value": def, "from": from.layer.word(), "place": from.place });
        all.insert(format!("agents.{name}"), row);
    }
    Value::Object(all)
}

fn as_text(layers: &Layers, color: bool) -> String {
    let mut lines: Vec<[String; 3]> = Vec::new();
    let place = |from: &Source| format!("{} ({})", from.layer.word(), from.place);
    for (name, found) in rows(layers) {
        let (value, from) = match found {
            Some((Value::String(text), from)) => (text, place(from)),
            Some((value, from)) => (value.to_string(), place(from)),
            None => ("-".to_owned(), "not set".to_owned()),
        };
        lines.push([name.to_owned(), value, from]);
    }
    for (name, (def, from)) in layers.agents() {
        lines.push([format!("agents.{name}"), def.command.join(" "), place(from)]);
    }
    screen::table(["setting", "value", "from"], lines, color)
}
