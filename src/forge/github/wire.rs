//! What of GitHub's answers is read.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct Pull {
    pub(super) number: u64,
    pub(super) node_id: String,
    pub(super) html_url: String,
    pub(super) title: String,
    pub(super) body: Option<String>,
    pub(super) state: OpenOrClosed,
    #[serde(default)]
    pub(super) draft: bool,
    pub(super) merged_at: Option<String>,
    pub(super) merge_commit_sha: Option<String>,
    #[serde(default)]
    pub(super) merged_by: Option<User>,
    pub(super) head: End,
    pub(super) base: End,
    pub(super) user: Option<User>,
    pub(super) created_at: String,
    pub(super) updated_at: String,
    pub(super) closed_at: Option<String>,
    #[serde(default)]
    pub(super) labels: Vec<Label>,
    #[serde(default)]
    pub(super) requested_reviewers: Vec<User>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum OpenOrClosed {
    Open,
    Closed,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct User {
    pub(super) login: String,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct Label {
    pub(super) name: String,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct End {
    pub(super) r#ref: String,
    pub(super) sha: String,
}

/// Of an issue, which every pull request is too.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Issue {
    #[serde(default)]
    pub(super) closed_by: Option<User>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct Review {
    pub(super) id: u64,
    pub(super) user: Option<User>,
    pub(super) state: String,
    pub(super) body: Option<String>,
    pub(super) commit_id: Option<String>,
    pub(super) submitted_at: Option<String>,
}

/// A comment on the whole, or on a line of a file.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct Comment {
    pub(super) id: u64,
    pub(super) user: Option<User>,
    pub(super) body: Option<String>,
    pub(super) created_at: String,
    #[serde(default)]
    pub(super) path: Option<String>,
    #[serde(default)]
    pub(super) line: Option<u32>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct CheckRuns {
    pub(super) check_runs: Vec<CheckRun>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct CheckRun {
    pub(super) name: String,
    pub(super) conclusion: Option<String>,
    #[serde(default)]
    pub(super) html_url: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct CombinedStatus {
    pub(super) statuses: Vec<Status>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Status {
    pub(super) context: String,
    pub(super) state: String,
    #[serde(default)]
    pub(super) description: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Merge {
    pub(super) sha: String,
}

/// What every refusal says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) errors: Vec<serde_json::Value>,
}

impl Refusal {
    /// All of it on one line.
    pub(super) fn text(&self) -> String {
        let mut parts = vec![self.message.clone()];
        for error in &self.errors {
            let word = |key: &str| error.get(key).and_then(serde_json::Value::as_str);
            match (word("message"), word("field"), word("code")) {
                (Some(message), _, _) => parts.push(message.to_owned()),
                (None, Some(field), Some(code)) => parts.push(format!("`{field}` is {code}")),
                _ => parts.extend(error.as_str().map(str::to_owned)),
            }
        }
        parts.retain(|part| !part.trim().is_empty());
        let text = parts.join(": ");
        if text.is_empty() { "no reason was given".to_owned() } else { text }
    }
}
