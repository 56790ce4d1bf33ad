//! The forges of a repository, for runs and for those who look at their pull requests.

use std::ffi::{OsStr, OsString};

use super::{Project, RuntimeError, credentials, store};
use crate::forge::{Forge, GitHub, LocalForge, Pace};
use crate::plan::{GitHubPlace, Plan};

/// Divides every pause of the client; for tests only.
const PACE: &str = "LANEWAY_TEST_GITHUB_PACE";

/// The client of a run whose forge is GitHub. Without a token there is one too: what it says then is for the effects.
pub(super) async fn github(
    project: &Project,
    plan: &Plan,
    environment: &[(OsString, OsString)],
) -> Result<Option<GitHub>, RuntimeError> {
    match &plan.settings.github {
        Some(at) => Ok(Some(open(project, at, environment).await?)),
        None => Ok(None),
    }
}

async fn open(
    project: &Project,
    at: &GitHubPlace,
    environment: &[(OsString, OsString)],
) -> Result<GitHub, RuntimeError> {
    let token = credentials::find_token(environment, at).await;
    let faster = environment.iter().find(|(name, _)| name == OsStr::new(PACE));
    let faster = faster.and_then(|(_, by)| by.to_str()?.parse().ok()).unwrap_or(1);
    let github = GitHub::open(at.clone(), token, Pace::default().faster(faster));
    Ok(github.map_err(crate::forge::ForgeError::from)?.sharing(&project.record.github_dir()))
}

/// Every forge that runs of the repository have opened pull requests in; the local one comes last, and only if it has
/// ever been used. To be called within a tokio runtime.
pub async fn forges(
    project: &Project,
    environment: &[(OsString, OsString)],
) -> Result<Vec<Forge>, RuntimeError> {
    let mut places: Vec<GitHubPlace> = Vec::new();
    for graph in project.record.graphs()? {
        for run in project.record.runs(&graph)? {
            // What a damaged run knew is said where that run is looked at.
            let Ok((plan, _)) = store::read_plan(project, &graph, run) else { continue };
            places.extend(plan.settings.github.filter(|at| !places.contains(at)));
        }
    }
    let mut forges = Vec::new();
    for at in &places {
        forges.push(Forge::GitHub(Box::new(open(project, at, environment).await?)));
    }
    let dir = project.record.forge_dir();
    if dir.exists() {
        forges.push(Forge::Local(LocalForge::open(&dir)?));
    }
    Ok(forges)
}
