//! The objects of GitHub's interface.

use serde_json::{Value, json};

use super::world::{Pull, World};

pub(super) fn user(login: &str) -> Value {
    let api = "http://x/users";
    json!({
        "login": login, "id": 7, "node_id": "U7", "avatar_url": "http://x/a", "gravatar_id": "",
        "url": api, "html_url": format!("http://x/{login}"), "followers_url": api,
        "following_url": api, "gists_url": api, "starred_url": api, "subscriptions_url": api,
        "organizations_url": api, "repos_url": api, "events_url": api, "received_events_url": api,
        "type": "User", "site_admin": false,
    })
}

fn label(name: &str) -> Value {
    json!({
        "id": 1, "node_id": "L1", "url": "http://x/l", "name": name, "description": "", "color": "ededed",
        "default": false,
    })
}

pub(super) fn labels(pull: &Pull) -> Value {
    pull.labels.iter().map(|name| label(name)).collect()
}

fn end(world: &World, branch: &str, sha: &str) -> Value {
    let owner = world.slug.split('/').next().unwrap_or_default();
    json!({ "label": format!("{owner}:{branch}"), "ref": branch, "sha": sha, "user": user(owner), "repo": repo(world) })
}

fn repo(world: &World) -> Value {
    let (owner, name) = world.slug.split_once('/').unwrap_or_default();
    let url = format!("http://x/{}", world.slug);
    let mut repo = json!({
        "id": 42, "node_id": "R42", "name": name, "full_name": world.slug, "owner": user(owner),
        "private": false, "html_url": url, "description": null, "fork": false, "url": url,
        "homepage": null, "language": null, "forks_count": 0, "stargazers_count": 0, "watchers_count": 0,
        "size": 1, "default_branch": "main", "open_issues_count": 0, "has_issues": true, "has_projects": true,
        "has_wiki": true, "has_pages": false, "has_downloads": true, "has_discussions": false,
        "archived": false, "disabled": false, "pushed_at": "2026-01-01T00:00:00Z",
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "forks": 0,
        "open_issues": 0, "watchers": 0, "license": null, "mirror_url": null, "allow_forking": true,
    });
    for word in ["is_template", "web_commit_signoff_required"] {
        repo[word] = false.into();
    }
    for word in ["git_url", "ssh_url", "clone_url", "svn_url"] {
        repo[word] = url.clone().into();
    }
    repo["topics"] = json!([]);
    repo["visibility"] = "public".into();
    for word in [
        "archive",
        "assignees",
        "blobs",
        "branches",
        "collaborators",
        "comments",
        "commits",
        "compare",
        "contents",
        "contributors",
        "deployments",
        "downloads",
        "events",
        "forks",
        "git_commits",
        "git_refs",
        "git_tags",
        "hooks",
        "issue_comment",
        "issue_events",
        "issues",
        "keys",
        "labels",
        "languages",
        "merges",
        "milestones",
        "notifications",
        "pulls",
        "releases",
        "stargazers",
        "statuses",
        "subscribers",
        "subscription",
        "tags",
        "teams",
        "trees",
    ] {
        repo[format!("{word}_url")] = url.clone().into();
    }
    repo
}

/// A pull request in a list.
pub(super) fn simple(world: &World, pull: &Pull) -> Value {
    let url = format!("http://x/{}/pull/{}", world.slug, pull.number);
    let link = json!({ "href": url });
    json!({
        "url": url, "id": 1000 + pull.number, "node_id": format!("PR{}", pull.number), "html_url": url,
        "diff_url": url, "patch_url": url, "issue_url": url, "commits_url": url, "review_comments_url": url,
        "review_comment_url": url, "comments_url": url, "statuses_url": url, "number": pull.number,
        "state": if pull.open { "open" } else { "closed" }, "locked": false, "title": pull.title,
        "user": user("laneway-bot"), "body": pull.body, "labels": labels(pull), "milestone": null,
        "created_at": pull.created, "updated_at": pull.updated,
        "closed_at": pull.closed.as_ref().map(|(_, at)| at),
        "merged_at": pull.merged.as_ref().map(|(_, _, at)| at),
        "merge_commit_sha": pull.merged.as_ref().map(|(sha, _, _)| sha),
        "assignee": null, "assignees": [], "requested_teams": [],
        "requested_reviewers": pull.reviewers.iter().map(|login| user(login)).collect::<Vec<_>>(),
        "head": end(world, &pull.head, &pull.head_sha), "base": end(world, &pull.base, &pull.base_sha),
        "_links": {
            "comments": link, "commits": link, "statuses": link, "html": link, "issue": link,
            "review_comments": link, "review_comment": link, "self": link,
        },
        "author_association": "OWNER", "auto_merge": null, "draft": pull.draft,
    })
}

/// A pull request by itself.
pub(super) fn pull(world: &World, pull: &Pull) -> Value {
    let mut full = simple(world, pull);
    let more = json!({
        "merged": pull.merged.is_some(), "mergeable": pull.open, "rebaseable": true, "mergeable_state": "clean",
        "merged_by": pull.merged.as_ref().map(|(_, by, _)| user(by)), "comments": pull.comments.len(),
        "review_comments": 0, "maintainer_can_modify": false, "commits": 1, "additions": 1, "deletions": 0,
        "changed_files": 1,
    });
    for (key, value) in more.as_object().expect("it is one") {
        full[key] = value.clone();
    }
    full
}

/// A pull request as an issue.
pub(super) fn issue(world: &World, pull: &Pull) -> Value {
    let url = format!("http://x/{}/issues/{}", world.slug, pull.number);
    json!({
        "id": 2000 + pull.number, "node_id": "I", "url": url, "repository_url": url, "labels_url": url,
        "comments_url": url, "events_url": url, "html_url": url, "number": pull.number,
        "state": if pull.open { "open" } else { "closed" }, "title": pull.title, "body": pull.body,
        "user": user("laneway-bot"), "labels": labels(pull), "assignee": null, "milestone": null, "locked": false,
        "comments": pull.comments.len(), "closed_at": pull.closed.as_ref().map(|(_, at)| at),
        "created_at": pull.created, "updated_at": pull.updated,
        "closed_by": pull.closed.as_ref().map(|(by, _)| user(by)), "author_association": "OWNER",
    })
}

pub(super) fn comment(id: u64, by: &str, body: &str, at: &str) -> Value {
    json!({
        "id": id, "node_id": "C", "url": "http://x/c", "html_url": "http://x/c", "issue_url": "http://x/i",
        "body": body, "user": user(by), "created_at": at, "updated_at": at, "author_association": "OWNER",
    })
}

pub(super) fn runs(world: &World, sha: &str) -> Value {
    let runs = world.runs.get(sha).map(Vec::as_slice).unwrap_or_default();
    let made: Vec<Value> = runs
        .iter()
        .enumerate()
        .map(|(n, (name, conclusion))| {
            json!({
                "id": n + 1, "name": name, "head_sha": sha, "node_id": "CR", "external_id": null,
                "url": "http://x/cr", "html_url": "http://x/cr", "details_url": null,
                "status": if conclusion.is_some() { "completed" } else { "in_progress" },
                "conclusion": conclusion, "started_at": null, "completed_at": null,
                "output": {
                    "title": null, "summary": null, "text": null, "annotations_count": 0,
                    "annotations_url": "http://x/an",
                },
                "check_suite": null, "app": null, "pull_requests": [],
            })
        })
        .collect();
    json!({ "total_count": made.len(), "check_runs": made })
}

pub(super) fn status(world: &World, sha: &str) -> Value {
    let statuses = world.statuses.get(sha).map(Vec::as_slice).unwrap_or_default();
    let made: Vec<Value> = statuses
        .iter()
        .map(|(context, state)| {
            json!({
                "id": 1, "node_id": "S", "url": "http://x/s", "avatar_url": null, "state": state,
                "description": null, "target_url": null, "context": context,
                "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
            })
        })
        .collect();
    json!({
        "state": "pending", "statuses": made, "sha": sha, "total_count": made.len(), "repository": repo(world),
        "commit_url": "http://x/c", "url": "http://x/s",
    })
}
