//! `laneway pr show`.

use std::fmt::Write as _;

use clap::Args;
use serde_json::json;

use super::{Number, since};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::forge::{find, with_forges};
use crate::cli::session::Session;
use crate::event::named;
use crate::forge::{CheckStatus, Comment, PullRequest, Review, Verdict};
use crate::git::CommitInfo;
use crate::view::plain::visible;

/// Why writing into a string cannot fail.
const FITS: &str = "a string takes every text";

/// Show a pull request: its text, its checks, reviews and comments
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway pr show 1")]
pub(super) struct PrShowArgs {
    #[command(flatten)]
    number: Number,
}

impl PrShowArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let project = session.project()?;
        let (number, repo) = (self.number.pr, &project.repo);
        let (pull, since, reviews, comments) = with_forges(session, &project, |all| async move {
            let (forge, pull) = find(all, number).await?;
            let since = since(repo, &forge, &pull)?;
            Ok((pull, since, forge.reviews(number).await?, forge.comments(number).await?))
        })?;
        if session.json() {
            let mut answer = json!(pull);
            answer["since"] = since.iter().map(|c| json!({ "sha": c.sha, "subject": c.subject })).collect();
            answer["reviews"] = json!(reviews);
            answer["comments"] = json!(comments);
            session.answer_json(&answer)?;
        } else {
            session.answer(&visible(&text(&pull, &since, &reviews, &comments)))?;
        }
        Ok(Exit::Achieved)
    }
}

fn text(pull: &PullRequest, since: &[CommitInfo], reviews: &[Review], comments: &[Comment]) -> String {
    let commits: Vec<String> = since.iter().map(ToString::to_string).collect();
    let later = match since {
        [] => String::new(),
        _ => format!("came to the branch later, and was seen by no gate: {}\n", named(&commits)),
    };
    let mut out = format!(
        "#{} {}\n{}: {} -> {} at {}\n{later}\n{}\n",
        pull.number,
        pull.title,
        pull.state,
        pull.head,
        pull.base,
        pull.head_sha.short(),
        pull.body.trim()
    );
    if !pull.checks.is_empty() {
        out.push_str("\nchecks\n");
    }
    for check in &pull.checks {
        writeln!(out, "  {} {} {}", verdict_of(check.status), check.name, check.detail).expect(FITS);
    }
    for review in reviews {
        let deed = match review.verdict {
            Verdict::Approve => "approved",
            Verdict::RequestChanges => "asked for changes to",
            Verdict::Comment => "commented on",
        };
        let stale = if review.covers(pull) { "" } else { " (an older head)" };
        let sha = review.sha.short();
        writeln!(out, "\n{} {deed} {sha}{stale}, {}", review.author, review.at).expect(FITS);
        indent(&mut out, &review.body);
    }
    for comment in comments {
        writeln!(out, "\n{} commented, {}", comment.author, comment.at).expect(FITS);
        indent(&mut out, &comment.body);
    }
    out
}

fn verdict_of(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Pending => "pending",
        CheckStatus::Pass => "pass",
        CheckStatus::Warn => "warn",
        CheckStatus::Fail => "fail",
        CheckStatus::Skip => "skip",
    }
}

fn indent(out: &mut String, text: &str) {
    for line in text.trim().lines() {
        writeln!(out, "  {line}").expect(FITS);
    }
}
