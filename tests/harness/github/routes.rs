//! What is answered to what.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method as HttpMethod, Response, Uri, response::Builder};
use serde_json::{Value, json};

use super::faults::Fault;
use super::objects;
use super::world::{Logged, Method, Pull, World, git, tip};

/// A status and what goes with it.
type Said = (u16, Value);

fn no(status: u16, message: &str) -> Said {
    (status, json!({ "message": message, "documentation_url": "http://x/docs" }))
}

fn invalid(error: &Value) -> Said {
    (422, json!({ "message": "Validation Failed", "errors": [error], "documentation_url": "http://x/docs" }))
}

pub(super) fn handle(
    world: &mut World,
    method: &HttpMethod,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> (Option<Fault>, Response<Body>) {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let path = uri.path_and_query().map_or("", |all| all.as_str()).to_owned();
    let token = header("authorization").and_then(|text| text.strip_prefix("Bearer ")).map(str::to_owned);
    let sent: Value = serde_json::from_slice(body).unwrap_or_default();
    let fault = armed(world, method.as_str(), &path);
    let (status, answered) = match fault {
        Some(Fault::Status(status)) => no(status, "made to fail"),
        Some(Fault::Exhausted(_)) => no(403, "API rate limit exceeded for user ID 7."),
        Some(Fault::TooMany(_)) => no(429, "You have exceeded a secondary rate limit."),
        Some(Fault::Hang) => (200, Value::Null),
        Some(Fault::Cut | Fault::Lost) | None => {
            allowed(world, token.as_deref(), method.as_str(), &path, &sent)
        }
    };
    let etag = format!("W/\"{:x}\"", digest(&answered));
    let same = method == HttpMethod::GET && status == 200 && header("if-none-match") == Some(etag.as_str());
    let status = if same { 304 } else { status };
    if !same {
        world.left -= 1;
    }
    world.log.push(Logged {
        method: method.to_string(),
        path,
        status,
        token,
        sent,
        answered: answered.clone(),
    });
    (fault, reply(world, fault, status, &etag, &answered))
}

fn armed(world: &mut World, method: &str, path: &str) -> Option<Fault> {
    if world.down {
        return Some(Fault::Status(503));
    }
    let fits = world.armed.iter_mut().find(|armed| {
        armed.left > 0 && (armed.method.is_empty() || armed.method == method) && path.contains(&armed.path)
    })?;
    fits.left -= 1;
    Some(fits.fault)
}

fn digest(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.to_string().hash(&mut hasher);
    hasher.finish()
}

fn reply(world: &World, fault: Option<Fault>, status: u16, etag: &str, answered: &Value) -> Response<Body> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |t| t.as_secs());
    let (left, reset) = match fault {
        Some(Fault::Exhausted(wait)) => (0, now + wait),
        _ => (world.left, now + 3600),
    };
    let mut builder = Builder::new()
        .status(status)
        .header("content-type", "application/json; charset=utf-8")
        .header("etag", etag)
        .header("x-ratelimit-limit", 5000)
        .header("x-ratelimit-remaining", left)
        .header("x-ratelimit-reset", reset);
    if let Some(Fault::TooMany(wait)) = fault {
        builder = builder.header("retry-after", wait);
    }
    if status == 301 || status == 307 {
        builder = builder.header("location", answered["url"].as_str().unwrap_or_default());
    }
    let text = if status == 304 || status == 204 { String::new() } else { answered.to_string() };
    let broken = || Err(io::Error::from(io::ErrorKind::ConnectionReset));
    let body = match fault {
        Some(Fault::Cut) => {
            let half = Bytes::from(text[..text.len() / 2].to_owned());
            Body::from_stream(futures_util::stream::iter([Ok(half), broken()]))
        }
        Some(Fault::Lost) => Body::from_stream(futures_util::stream::iter([broken() as io::Result<Bytes>])),
        _ => Body::from(text),
    };
    builder.body(body).expect("a response")
}

fn allowed(world: &mut World, token: Option<&str>, method: &str, path: &str, sent: &Value) -> Said {
    match token {
        None => return no(401, "Requires authentication"),
        Some(token) if token != world.token => return no(401, "Bad credentials"),
        Some(_) => {}
    }
    if method != "GET" && !world.may_write {
        return no(403, "Resource not accessible by personal access token");
    }
    if method == "POST" && path == "/graphql" {
        return graphql(world, sent);
    }
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let rest = match path.strip_prefix("/repos/").or_else(|| path.strip_prefix("/repositories/42/")) {
        Some(rest) if path.starts_with("/repositories/") => rest,
        Some(rest) => {
            if let Some(rest) = rest.strip_prefix(&format!("{}/", world.slug)) {
                rest
            } else if let Some(rest) = world.old_slug.as_ref().and_then(|old| rest.strip_prefix(old.as_str()))
            {
                let query = if query.is_empty() { String::new() } else { format!("?{query}") };
                let status = if method == "GET" { 301 } else { 307 };
                let url = format!("/repositories/42{rest}{query}");
                return (status, json!({ "message": "Moved Permanently", "url": url }));
            } else {
                return no(404, "Not Found");
            }
        }
        None => return no(404, "Not Found"),
    };
    if let Some(away) = &world.away {
        return (301, json!({ "message": "Moved Permanently", "url": format!("{away}{path}") }));
    }
    world.look();
    let query: Vec<(String, String)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.replace("%2F", "/")))
        .collect();
    let parts: Vec<&str> = rest.trim_matches('/').split('/').collect();
    of_repo(world, method, &parts, &query, sent)
}

fn of_repo(
    world: &mut World,
    method: &str,
    parts: &[&str],
    query: &[(String, String)],
    sent: &Value,
) -> Said {
    if let ["commits", sha, what] = parts {
        return match *what {
            "check-runs" => (200, objects::runs(world, sha)),
            "status" => (200, objects::status(world, sha)),
            _ => no(404, "Not Found"),
        };
    }
    match (method, parts) {
        ("GET", ["pulls"]) => return list(world, query),
        ("POST", ["pulls"]) => return open(world, sent),
        _ => {}
    }
    let number = parts.get(1).and_then(|text| text.parse::<u64>().ok());
    let Some(number) = number.filter(|number| world.pulls.contains_key(number)) else {
        return no(404, "Not Found");
    };
    let action = (method, parts[0], parts.get(2).copied().unwrap_or(""));
    of_pull(world, number, action, query, sent)
}

fn of_pull(
    world: &mut World,
    number: u64,
    action: (&str, &str, &str),
    query: &[(String, String)],
    sent: &Value,
) -> Said {
    let text = |key: &str| sent[key].as_str().unwrap_or_default().to_owned();
    let at = |world: &World| world.pulls[&number].clone();
    match action {
        ("GET", "pulls", "") => (200, objects::pull(world, &at(world))),
        ("GET", "issues", "") => (200, objects::issue(world, &at(world))),
        ("PATCH", "pulls", "") => patch(world, number, sent),
        ("PUT", "pulls", "merge") => merge(world, number, sent),
        ("GET", "pulls", "reviews") => (200, page(at(world).reviews, query)),
        ("GET", "issues", "comments") => (200, page(at(world).comments, query)),
        ("GET", "pulls", "comments") => (200, page(at(world).line_comments, query)),
        ("POST", "pulls", "reviews") => {
            let state = match text("event").as_str() {
                "APPROVE" => "APPROVED",
                "REQUEST_CHANGES" => "CHANGES_REQUESTED",
                _ => "COMMENTED",
            };
            (200, world.review(number, "laneway-bot", state, &text("body")))
        }
        ("POST", part @ ("issues" | "pulls"), "comments") => {
            let (id, when) = (world.id(), world.tick());
            let mut made = objects::comment(id, "laneway-bot", &text("body"), &when);
            if part == "pulls" {
                made["path"] = sent["path"].clone();
                made["line"] = sent["line"].clone();
            }
            let added = made.clone();
            world.change(number, |pull| {
                if part == "pulls" { pull.line_comments.push(added) } else { pull.comments.push(added) }
            });
            (201, made)
        }
        ("PUT", "issues", "labels") => {
            let names = words(&sent["labels"]);
            world.change(number, |pull| pull.labels = names);
            (200, objects::labels(&at(world)))
        }
        ("POST", "pulls", "requested_reviewers") => {
            let come = words(&sent["reviewers"]);
            world.change(number, |pull| pull.reviewers.extend(come));
            (201, objects::simple(world, &at(world)))
        }
        ("DELETE", "pulls", "requested_reviewers") => {
            let gone = words(&sent["reviewers"]);
            world.change(number, |pull| pull.reviewers.retain(|one| !gone.contains(one)));
            (200, objects::simple(world, &at(world)))
        }
        _ => no(404, "Not Found"),
    }
}

fn words(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn page(all: Vec<Value>, query: &[(String, String)]) -> Value {
    let number = |key: &str, default: usize| {
        query
            .iter()
            .find(|(known, _)| known == key)
            .and_then(|(_, text)| text.parse().ok())
            .unwrap_or(default)
    };
    let (size, page) = (number("per_page", 30), number("page", 1));
    all.into_iter().skip((page - 1) * size).take(size).collect()
}

fn list(world: &World, query: &[(String, String)]) -> Said {
    let asked = |key: &str| query.iter().find(|(known, _)| known == key).map(|(_, text)| text.as_str());
    let owner = world.slug.split('/').next().unwrap_or_default();
    let mut found: Vec<&Pull> = world
        .pulls
        .values()
        .filter(|pull| match asked("state").unwrap_or("open") {
            "open" => pull.open,
            "closed" => !pull.open,
            _ => true,
        })
        .filter(|pull| asked("head").is_none_or(|head| head == format!("{owner}:{}", pull.head)))
        .collect();
    if asked("sort") == Some("updated") {
        found.sort_by(|a, b| a.updated.cmp(&b.updated));
    }
    if asked("direction").unwrap_or("desc") == "desc" {
        found.reverse();
    }
    (200, page(found.into_iter().map(|pull| objects::simple(world, pull)).collect(), query))
}

fn open(world: &mut World, sent: &Value) -> Said {
    let text = |key: &str| sent[key].as_str().map(str::to_owned);
    let (Some(head), Some(base), Some(title)) = (text("head"), text("base"), text("title")) else {
        return invalid(&json!({ "resource": "PullRequest", "code": "missing_field", "field": "base" }));
    };
    let field = |name: &str| invalid(&json!({ "resource": "PullRequest", "field": name, "code": "invalid" }));
    let Some(head_sha) = tip(&world.bare, &head) else { return field("head") };
    let Some(base_sha) = tip(&world.bare, &base) else { return field("base") };
    let custom = |message: String| {
        invalid(&json!({ "resource": "PullRequest", "code": "custom", "message": message }))
    };
    let owner = world.slug.split('/').next().unwrap_or_default();
    if world.pulls.values().any(|pull| pull.open && pull.head == head && pull.base == base) {
        return custom(format!("A pull request already exists for {owner}:{head}."));
    }
    if git(&world.bare, &["merge-base", "--is-ancestor", &head_sha, &base_sha]).is_ok() {
        return custom(format!("No commits between {base} and {head}"));
    }
    if world.most_open.is_some_and(|most| world.pulls.values().filter(|pull| pull.open).count() >= most) {
        return custom("The maximum number of open pull requests has been reached".to_owned());
    }
    let at = world.tick();
    let number = world.pulls.keys().max().copied().unwrap_or(0) + 1;
    let pull = Pull {
        number,
        title,
        body: text("body"),
        open: true,
        draft: sent["draft"] == true,
        head,
        base,
        head_sha,
        base_sha,
        created: at.clone(),
        updated: at,
        closed: None,
        merged: None,
        labels: Vec::new(),
        reviewers: Vec::new(),
        reviews: Vec::new(),
        comments: Vec::new(),
        line_comments: Vec::new(),
    };
    let shown = objects::pull(world, &pull);
    world.pulls.insert(number, pull);
    (201, shown)
}

fn patch(world: &mut World, number: u64, sent: &Value) -> Said {
    let text = |key: &str| sent[key].as_str().map(str::to_owned);
    if let Some(base) = text("base") {
        if !world.pulls[&number].open {
            let message = "Cannot change the base branch of a closed pull request.";
            return invalid(&json!({ "resource": "PullRequest", "code": "custom", "message": message }));
        }
        let Some(sha) = tip(&world.bare, &base) else {
            return invalid(&json!({ "resource": "PullRequest", "field": "base", "code": "invalid" }));
        };
        world.change(number, |pull| {
            pull.base = base;
            pull.base_sha = sha;
        });
    }
    match text("state").as_deref() {
        Some("closed") => world.close(number, "laneway-bot"),
        Some("open") if world.pulls[&number].merged.is_some() => {
            return invalid(&json!({ "resource": "PullRequest", "field": "state", "code": "invalid" }));
        }
        Some("open") => world.change(number, |pull| {
            pull.open = true;
            pull.closed = None;
        }),
        _ => {}
    }
    world.change(number, |pull| {
        pull.title = text("title").unwrap_or_else(|| pull.title.clone());
        pull.body = text("body").or_else(|| pull.body.clone());
    });
    (200, objects::pull(world, &world.pulls[&number].clone()))
}

fn merge(world: &mut World, number: u64, sent: &Value) -> Said {
    let pull = world.pulls[&number].clone();
    if !pull.open || pull.draft {
        return no(405, "Pull Request is not mergeable");
    }
    if sent["sha"].as_str().is_some_and(|sha| sha != pull.head_sha) {
        return no(409, "Head branch was modified. Review and try the merge again.");
    }
    if let Some(message) = world.protection.clone() {
        return no(405, &message);
    }
    let method = match sent["merge_method"].as_str() {
        Some("squash") => Method::Squash,
        Some("rebase") => Method::Rebase,
        _ => Method::Merge,
    };
    let title = sent["commit_title"].as_str().unwrap_or("Merge pull request");
    match world.merge(number, method, "laneway-bot", title) {
        Ok(sha) => {
            (200, json!({ "sha": sha, "merged": true, "message": "Pull Request successfully merged" }))
        }
        Err(why) => no(405, &format!("Pull Request is not mergeable: {why}")),
    }
}

fn graphql(world: &mut World, sent: &Value) -> Said {
    let node = sent["variables"]["id"].as_str().unwrap_or_default();
    let number = node.strip_prefix("PR").and_then(|text| text.parse::<u64>().ok());
    let Some(number) = number.filter(|number| world.pulls.contains_key(number)) else {
        return (200, json!({ "data": null, "errors": [{ "message": "Could not resolve to a node" }] }));
    };
    let draft = sent["query"].as_str().is_some_and(|query| query.contains("convertPullRequestToDraft"));
    world.change(number, |pull| pull.draft = draft);
    (200, json!({ "data": { "done": { "pullRequest": { "isDraft": draft } } } }))
}
