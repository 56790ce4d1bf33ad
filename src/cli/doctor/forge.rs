//! Where pull requests would go, and why. A token is looked for and never shown.

use super::failed;
use crate::cli::config::{ForgeChoice, Layers};
use crate::cli::drive::runtime;
use crate::cli::error::CliError;
use crate::cli::forge::place;
use crate::cli::session::Session;
use crate::runtime::checkup::{Finding, Verdict};
use crate::runtime::{Project, find_token};

/// What a run would choose.
pub(super) fn chosen(session: &Session, project: &Project, layers: &Layers) -> Result<Finding, CliError> {
    let (choice, by) = layers
        .pick(|s| s.forge)
        .map_or((ForgeChoice::Auto, "built in"), |(choice, source)| (choice, source.place.as_str()));
    if choice == ForgeChoice::Local {
        return Ok(Finding::ok("forge", format!("local ({by})")));
    }
    let at = match place(project, layers) {
        Ok(at) => at,
        Err(error) => return failed("forge", Verdict::Fail, &error),
    };
    let wanted = choice == ForgeChoice::GitHub;
    let Some(at) = at else {
        let found = "origin is not a repository on GitHub";
        return Ok(if wanted {
            let next = "set forge.github.api and forge.github.repository, or use --forge local".to_owned();
            Finding::fail("forge", format!("{found}, and {by} asks for it"), next)
        } else {
            Finding::ok("forge", format!("local: {found}"))
        });
    };
    if layers.config().offline {
        return Ok(Finding::ok("forge", "local: offline"));
    }
    let token = runtime()?.block_on(find_token(&session.environment(), &at)).is_some();
    let (repository, host) = (&at.repository, at.host());
    let next = format!("gh auth login --hostname {host}, or set GH_TOKEN");
    Ok(match (token, wanted) {
        (true, _) => Finding::ok("forge", format!("github: {repository} on {host}, a token was found")),
        (false, true) => Finding::fail("forge", format!("there is no token for {host}"), next),
        (false, false) => {
            let found = format!("local: {repository} is on {host}, and there is no token for it");
            Finding::warn("forge", found, next)
        }
    })
}
