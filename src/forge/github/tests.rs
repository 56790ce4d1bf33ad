use super::found::{Owner, has_key, is_ours, keyed, marked, verdict};
use super::*;
use crate::forge::CheckStatus;
use crate::plan::GitHubPlace;

#[test]
fn s20_the_address_of_a_remote_says_where_its_repository_is() {
    for (url, host) in [
        ("https://github.com/acme/toy.git", "github.com"),
        ("https://github.com/acme/toy/", "github.com"),
        ("https://user:secret@GitHub.com/acme/toy", "github.com"),
        ("git@github.com:acme/toy.git", "github.com"),
        ("ssh://git@ssh.github.com:443/acme/toy.git", "github.com"),
        ("ssh://git@git.example.org:2222/acme/toy", "git.example.org"),
    ] {
        let found = repository_of(url);
        assert_eq!(found, Some((host.to_owned(), "acme/toy".to_owned())), "{url}");
    }
    for url in [
        "/srv/git/toy.git",
        "../toy.git",
        "file:///srv/acme/toy",
        "https://github.com/toy",
        "https://github.com/a/b/c",
        "git@github.com:acme/../toy",
        "C:/acme/toy",
    ] {
        assert_eq!(repository_of(url), None, "{url}");
    }
    assert_eq!(api_of("github.com"), "https://api.github.com");
    assert_eq!(api_of("git.example.org"), "https://git.example.org/api/v3");
}

#[test]
fn s22_the_token_is_sent_to_nothing_but_an_encrypted_or_local_interface() {
    for api in ["https://api.github.com/", "https://git.example.org/api/v3", "http://127.0.0.1:8080"] {
        assert!(GitHubPlace::new(api, "acme/toy").is_ok(), "{api}");
    }
    for api in ["http://git.example.org", "ftp://x", "git.example.org", "", "https://a@b/c", "https://x/?q=1"]
    {
        assert!(GitHubPlace::new(api, "acme/toy").is_err(), "{api}");
    }
    assert!(GitHubPlace::new("https://api.github.com", "toy").is_err());
    let enterprise = GitHubPlace::new("https://git.example.org/api/v3", "acme/toy").unwrap();
    assert_eq!((enterprise.host(), enterprise.origin()), ("git.example.org", "https://git.example.org"));
    assert_eq!((enterprise.base_path(), enterprise.graphql().as_str()), ("/api/v3", "/api/graphql"));
    let github = GitHubPlace::new("https://api.github.com", "acme/toy").unwrap();
    assert_eq!(
        (github.host(), github.base_path(), github.graphql().as_str()),
        ("github.com", "", "/graphql")
    );
}

#[test]
fn s13_whose_a_pull_request_is_stands_in_the_last_marker() {
    let branch = "laneway/demo-r3/core/integration";
    let body = "text <!-- laneway:demo:u0:evil --> more\n<!-- laneway:demo:u1:core -->\n";
    let owner = Owner::of(body, branch).unwrap();
    assert_eq!(owner.marker, "laneway:demo:u1:core");
    assert!(Owner::of("no marker", branch).is_none());
    assert!(Owner::of("<!-- laneway:demo:u1:core -->", "feature").is_none());
    assert!(Owner::of("<!-- laneway:demo:u1 -->", branch).is_none());
    assert!(Owner::of("<!-- laneway:demo:u1:core", branch).is_none());
    for (marker, known) in
        [("u1:core:task", true), ("u1:core:task:2", true), ("u1:core:A task", false), ("u1:c:t:x", false)]
    {
        let owner = Owner::of(&format!("<!-- laneway:demo:{marker} -->"), branch);
        assert_eq!(owner.map(|owner| owner.marker), known.then(|| format!("laneway:demo:{marker}")));
    }
    assert_eq!(marked(body, "laneway:demo:u1:core"), body);
    assert!(marked("x", "laneway:a:b:c").ends_with("<!-- laneway:a:b:c -->\n"));
}

#[test]
fn s13_one_whose_marker_was_edited_away_is_known_by_its_branch() {
    for (branch, expected) in [
        ("laneway/demo/core/integration", Some(("demo", 1, "core"))),
        ("laneway/demo-r12/core/integration", Some(("demo", 12, "core"))),
        ("laneway/demo-rest/core/integration", Some(("demo-rest", 1, "core"))),
        ("laneway/demo/core/task/x/1", None),
        ("feature/core/integration", None),
    ] {
        let owner = Owner::of_branch(branch);
        let found = owner.as_ref().map(|o| (o.graph.as_str(), o.run.0, o.lane.as_str()));
        assert_eq!(found, expected, "{branch}");
    }
    assert_eq!(marked("text", ""), "text");
}

#[test]
fn p19_words_of_laneways_own_are_recognised() {
    let said = keyed("fine", Some("approve-1"));
    assert!(has_key(&said, "approve-1") && !has_key(&said, "approve-12") && is_ours(&said));
    assert!(!is_ours(&keyed("fine", None)));
}

#[test]
fn s20_every_conclusion_of_a_check_has_its_verdict() {
    for (word, expected) in [
        (Some("success"), CheckStatus::Pass),
        (Some("skipped"), CheckStatus::Skip),
        (Some("timed_out"), CheckStatus::Fail),
        (Some("error"), CheckStatus::Fail),
        (Some("pending"), CheckStatus::Pending),
        (None, CheckStatus::Pending),
        (Some("something_new"), CheckStatus::Warn),
    ] {
        assert_eq!(verdict(word), expected, "{word:?}");
    }
}
