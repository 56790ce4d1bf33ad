//! The settings of the environment: `LANEWAY_MAX_PARALLEL`, `LANEWAY_HANDOFF`, `LANEWAY_GRACE`, `LANEWAY_FORGE`,
//! `LANEWAY_GITHUB_API`, `LANEWAY_WARM`, `LANEWAY_GITHUB_REPOSITORY`, `LANEWAY_WORKTREES`, `LANEWAY_OFFLINE`, `LANEWAY_PUSH_TARGET`.

use super::file::{self, ConfigError};
use super::layer::{ForgeChoice, Layer, Settings, Source};
use crate::cli::session::Session;
use crate::graph::Handoff;
use crate::plan::GitHubPlace;

/// Reads the variables that are set, each as a source of its own.
pub(super) fn read(session: &Session) -> Result<Vec<Source>, ConfigError> {
    let mut sources = Vec::new();
    for (name, takes, set) in VARIABLES {
        if let Some(text) = session.env(name) {
            let settings =
                set(text.trim()).ok_or(ConfigError::Variable { name, value: text.to_owned(), takes })?;
            sources.push(Source { layer: Layer::Env, place: (*name).to_owned(), settings });
        }
    }
    Ok(sources)
}

/// A variable, what it takes, and what a text in it sets.
type Variable = (&'static str, &'static str, fn(&str) -> Option<Settings>);

const VARIABLES: &[Variable] = &[
    ("LANEWAY_MAX_PARALLEL", "a whole number of at least 1", max_parallel),
    ("LANEWAY_HANDOFF", "`ready` or `merged`", |text| {
        Some(Settings { handoff: Some(handoff(text)?), ..Settings::default() })
    }),
    ("LANEWAY_GRACE", "a duration such as `10s`", |text| {
        Some(Settings { grace: Some(file::duration(text)?), ..Settings::default() })
    }),
    ("LANEWAY_FORGE", "`auto`, `local` or `github`", |text| {
        Some(Settings { forge: Some(forge(text)?), ..Settings::default() })
    }),
    ("LANEWAY_GITHUB_API", "an address such as `https://api.github.com`", |text| {
        Some(Settings { github_api: Some(github_api(text)?), ..Settings::default() })
    }),
    ("LANEWAY_GITHUB_REPOSITORY", "`owner/name`", |text| {
        Some(Settings { github_repository: Some(github_repository(text)?), ..Settings::default() })
    }),
    ("LANEWAY_WORKTREES", "a path", |text| {
        Some(Settings { worktrees: Some(text.into()), ..Settings::default() })
    }),
    ("LANEWAY_WARM", "a whole number of lanes", |text| {
        Some(Settings { warm: Some(text.parse().ok()?), ..Settings::default() })
    }),
    ("LANEWAY_SHARE", "`auto` or `never`", |text| {
        Some(Settings { share: Some(file::share(text)?), ..Settings::default() })
    }),
    ("LANEWAY_OFFLINE", "`true` or `false`", |text| {
        Some(Settings { offline: Some(switch(text)?), ..Settings::default() })
    }),
    ("LANEWAY_PUSH_TARGET", "`true` or `false`", |text| {
        Some(Settings { push_target: Some(switch(text)?), ..Settings::default() })
    }),
];

fn max_parallel(text: &str) -> Option<Settings> {
    let number: u32 = text.parse().ok().filter(|n| *n > 0)?;
    Some(Settings { max_parallel: Some(number), ..Settings::default() })
}

/// Reads a handoff as a graph writes it.
pub(super) fn handoff(text: &str) -> Option<Handoff> {
    match text {
        "ready" => Some(Handoff::Ready),
        "merged" => Some(Handoff::Merged),
        _ => None,
    }
}

/// Reads the name of a forge.
pub(super) fn forge(text: &str) -> Option<ForgeChoice> {
    match text {
        "auto" => Some(ForgeChoice::Auto),
        "local" => Some(ForgeChoice::Local),
        "github" => Some(ForgeChoice::GitHub),
        _ => None,
    }
}

/// Reads the address of GitHub's interface.
pub(super) fn github_api(text: &str) -> Option<String> {
    GitHubPlace::new(text, "owner/name").ok().map(|place| place.api)
}

/// Reads the name of a repository on GitHub.
pub(super) fn github_repository(text: &str) -> Option<String> {
    GitHubPlace::new("https://api.github.com", text).ok().map(|place| place.repository)
}

fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}
