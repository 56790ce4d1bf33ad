//! The agents that Laneway knows from the start: a data file each.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::graph::AgentDef;
use crate::id::AgentName;

const FILES: &[(&str, &str)] = &[
    ("aider", include_str!("adapters/aider.toml")),
    ("claude", include_str!("adapters/claude.toml")),
    ("codex", include_str!("adapters/codex.toml")),
    ("gemini", include_str!("adapters/gemini.toml")),
    ("opencode", include_str!("adapters/opencode.toml")),
];

static AGENTS: LazyLock<BTreeMap<AgentName, AgentDef>> = LazyLock::new(|| {
    let read = |(name, text): &(&str, &str)| {
        let name = AgentName::new(name).expect("the names are ids");
        (name, toml::from_str(text).expect("the data files are read by a test"))
    };
    FILES.iter().map(read).collect()
});

/// The agents that a graph may name without defining them, and without any configuration.
pub fn built_in() -> &'static BTreeMap<AgentName, AgentDef> {
    &AGENTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{AgentCommand, Fill, PromptBy, argv};
    use crate::graph::{ClaimBy, OutputRules};

    fn words(name: &str, command: &[String], model: Option<&str>, session: Option<&str>) -> Vec<String> {
        let def = &built_in()[&AgentName::new(name).unwrap()];
        let fill = Fill {
            root: "/r".into(),
            prompt_file: "/b/instructions.md".into(),
            prompt: "do it".into(),
            model: model.map(str::to_owned),
            session: session.map(str::to_owned),
            signals: "/b/signals".into(),
            lane: "/w".into(),
        };
        let template =
            AgentCommand { command: command.to_vec(), prompt: PromptBy::File, model: def.model.clone() };
        argv(&template, &fill).into_iter().map(|word| word.into_string().unwrap()).collect()
    }

    #[test]
    fn s26_every_built_in_agent_can_be_launched_probed_installed_and_read() {
        assert_eq!(built_in().len(), 5);
        for (name, def) in built_in() {
            assert!(def.takes_model(), "{name} takes no model");
            assert!(def.install.is_some(), "{name} does not say how it is installed");
            assert!(def.env.is_empty() && def.model.is_none(), "{name} decides for its user");
            let probe = def.probe.as_ref().unwrap();
            assert_eq!(probe, &[name.as_str(), "--version"]);
            assert_eq!(def.command[0], name.as_str());
            assert!(def.output.is_some(), "{name}: what it used is not read");
            let plain = words(name.as_str(), &def.command, None, None);
            assert!(!plain.iter().any(|word| word.contains("model}") || word == "--model"), "{plain:?}");
            let large = words(name.as_str(), &def.command, Some("large"), None).join(" ");
            assert!(large.contains("--model large"), "{large}");
        }
    }

    #[test]
    fn every_key_of_the_data_files_is_read() {
        for (name, text) in FILES {
            let written: toml::Table = toml::from_str(text).unwrap();
            let read = toml::Table::try_from(&built_in()[&AgentName::new(name).unwrap()]).unwrap();
            for (key, value) in &written {
                assert_eq!(read.get(key).map(ToString::to_string), Some(value.to_string()), "{name}: {key}");
            }
        }
    }

    #[test]
    fn a21_those_with_sessions_go_on_with_one_that_is_named() {
        for (name, def) in built_in() {
            let command = def.resume.as_ref().unwrap_or(&def.command);
            let line = words(name.as_str(), command, None, Some("s-1")).join(" ");
            assert_eq!(line.contains("s-1"), name.as_str() != "aider", "{line}");
            assert_eq!(def.continues(), name.as_str() != "aider");
            let has_id = matches!(def.output, Some(OutputRules::JsonLines { session: Some(_), .. }));
            assert_eq!(has_id, def.continues(), "{name}");
        }
    }

    #[test]
    fn only_the_one_without_signal_files_claims_by_its_exit() {
        let by_exit = built_in().iter().filter(|(_, def)| def.claim == ClaimBy::Exit);
        assert_eq!(by_exit.map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["aider"]);
    }
}
