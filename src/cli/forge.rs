//! Which forge a run uses, chosen from all layers, from what origin is, and from whether there is a token.

use super::config::{ForgeChoice, Layers};
use super::drive::runtime;
use super::error::CliError;
use super::exit::Exit;
use super::session::Session;
use crate::forge::{Forge, PullRequest, api_of, repository_of};
use crate::id::{GraphName, RunNo};
use crate::plan::{ForgeKind, GitHubPlace, Plan};
use crate::runtime::{Config, Project, find_token, forges};

/// The configuration of a run, with its forge; what is chosen is said where origin is on GitHub.
pub(super) fn config(session: &Session, project: &Project, layers: &Layers) -> Result<Config, CliError> {
    let mut config = layers.config();
    let choice = layers.pick(|s| s.forge).map_or(ForgeChoice::Auto, |(choice, _)| choice);
    if choice == ForgeChoice::Local {
        return Ok(config);
    }
    let at = place(project, layers)?;
    let at = match (choice, at) {
        (ForgeChoice::GitHub, None) => {
            return Err(CliError::new("forge", Exit::Usage, "origin is not a repository on GitHub")
                .hint("set forge.github.api and forge.github.repository, or use --forge local".to_owned()));
        }
        (ForgeChoice::GitHub, Some(_)) if config.offline => {
            return Err(CliError::usage("offline there is no GitHub")
                .hint("--forge local keeps the pull requests here".to_owned()));
        }
        (_, None) => return Ok(config),
        (_, Some(at)) => at,
    };
    if config.offline {
        session.note("pull requests stay in the local forge: offline");
        return Ok(config);
    }
    let token = runtime()?.block_on(find_token(&session.environment(), &at));
    let way = "set GH_TOKEN, or log in with `gh auth login`";
    match (choice, token) {
        (_, Some(_)) => {
            session.note(&format!("pull requests go to {} on {}", at.repository, at.host()));
            config.forge = ForgeKind::GitHub;
            config.github = Some(at);
        }
        (ForgeChoice::GitHub, None) => {
            let message = format!("there is no token for {}", at.host());
            return Err(CliError::new("forge", Exit::Environment, message).hint(way.to_owned()));
        }
        (_, None) => {
            let host = at.host();
            session
                .note(&format!("pull requests stay in the local forge: there is no token for {host}; {way}"));
        }
    }
    Ok(config)
}

/// Where the repository is on GitHub: as configured, else as origin's address says.
pub(super) fn place(project: &Project, layers: &Layers) -> Result<Option<GitHubPlace>, CliError> {
    let api = layers.pick(|s| s.github_api.clone()).map(|(api, _)| api);
    let named = layers.pick(|s| s.github_repository.clone()).map(|(name, _)| name);
    let origin = project.repo.origin()?.and_then(|remote| repository_of(&remote.url));
    let asked = layers.pick(|s| s.forge).is_some_and(|(choice, _)| choice == ForgeChoice::GitHub);
    let (api, repository) = match (api, named, origin) {
        (Some(api), Some(name), _) | (Some(api), None, Some((_, name))) => (api, name),
        (None, named, Some((host, name))) if asked || host == "github.com" => {
            (api_of(&host), named.unwrap_or(name))
        }
        (None, Some(name), None) if asked => (api_of("github.com"), name),
        _ => return Ok(None),
    };
    let bad = |error: crate::forge::AddressError| CliError::usage(error.to_string());
    GitHubPlace::new(&api, &repository).map(Some).map_err(bad)
}

/// Hears what became of the pull requests of a run that nobody carries; where that cannot be heard, it is said.
pub(super) fn ask_for_news(
    session: &Session,
    project: &Project,
    graph: &GraphName,
    run: RunNo,
) -> Result<(), CliError> {
    let asked = crate::runtime::ask_for_news(project, graph, run, session.environment());
    if let Some(problem) = runtime()?.block_on(asked)? {
        session.note(&problem);
    }
    Ok(())
}

/// That a run keeps its pull requests here although its repository is on GitHub.
pub(super) fn remark(project: &Project, plan: &Plan) -> Result<Option<String>, CliError> {
    let origin = project.repo.origin()?.and_then(|remote| repository_of(&remote.url));
    let on_github = origin.is_some_and(|(host, _)| host == "github.com");
    let here = plan.settings.forge == ForgeKind::Local;
    Ok((on_github && here).then(|| {
        "the pull requests of this run are in the local forge, although origin is on GitHub".to_owned()
    }))
}

/// Does `work` with every forge that holds pull requests of runs here.
pub(super) fn with_forges<T, F: Future<Output = Result<T, CliError>>>(
    session: &Session,
    project: &Project,
    work: impl FnOnce(Vec<Forge>) -> F,
) -> Result<T, CliError> {
    let environment = session.environment();
    runtime()?.block_on(async {
        let all = forges(project, &environment).await?;
        work(all).await
    })
}

/// The pull request of a number, with the forge that has it: GitHub's before the local forge's.
pub(super) async fn find(forges: Vec<Forge>, number: u64) -> Result<(Forge, PullRequest), CliError> {
    use crate::forge::{ForgeError, GitHubError};
    let mut foreign = None;
    for forge in forges {
        match forge.get(number).await {
            Ok(pull) => return Ok((forge, pull)),
            Err(ForgeError::NotFound { .. }) => {}
            Err(error @ ForgeError::GitHub(GitHubError::Foreign { .. })) => foreign = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    match foreign {
        Some(error) => Err(error.into()),
        None => Err(CliError::new("forge", Exit::Usage, format!("there is no pull request {number}"))
            .hint("a run opens them: `laneway run FILE`".to_owned())),
    }
}
