//! What GitHub, or whoever answers in its place, says: pull requests that are Laneway's, or an error with a reason.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use laneway::forge::{GitHub, Pace, PullRequest, Understood};
use laneway::plan::GitHubPlace;

use super::pieces::Pieces;

/// The first byte chooses what was asked for.
pub fn run(data: &[u8]) {
    let mut pieces = Pieces::new(data);
    let place = GitHubPlace::new("https://api.github.com", "acme/toy").expect("an address");
    let github = GitHub::open(place, None, Pace::default()).expect("a client");
    let what = pieces.byte() % 5;
    if what == 4 {
        return refusal(&github, &mut pieces);
    }
    let Ok(text) = std::str::from_utf8(pieces.rest()) else { return };
    let understood = match what {
        0 => github.understand_pulls(text),
        1 => github.understand_reviews(text),
        2 => github.understand_comments(text),
        _ => match text.split_once('\n') {
            Some((runs, status)) => github.understand_checks(runs, status),
            None => return,
        },
    };
    match understood {
        Ok(Understood::Pulls(pulls)) => pulls.iter().for_each(ours),
        Ok(Understood::Reviews(reviews)) => assert!(reviews.iter().all(|r| !r.sha.as_str().is_empty())),
        Ok(_) => {}
        Err(error) => {
            assert!(!error.to_string().is_empty());
            _ = (error.kind(), error.until(), error.hint());
        }
    }
}

fn ours(pull: &PullRequest) {
    assert!(pull.head.starts_with("laneway/"), "{} is taken for ours", pull.head);
    assert!(pull.head.contains(&format!("/{}/", pull.lane)) || !pull.marker.is_empty());
    if !pull.marker.is_empty() {
        assert!(pull.marker.starts_with(&format!("laneway:{}:", pull.graph)));
        assert!(pull.body.contains(&pull.marker));
        assert!(!pull.marker.contains("-->"));
    }
}

fn refusal(github: &GitHub, pieces: &mut Pieces<'_>) {
    let Ok(status) = StatusCode::from_u16(300 + u16::from(pieces.byte())) else { return };
    let mut headers = HeaderMap::new();
    for name in ["retry-after", "x-ratelimit-remaining", "x-ratelimit-reset"] {
        if let Ok(value) = HeaderValue::from_bytes(pieces.bytes())
            && !value.is_empty()
        {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let Ok(text) = std::str::from_utf8(pieces.rest()) else { return };
    if let Some(error) = github.understand_refusal(status, &headers, text) {
        assert!(!error.to_string().is_empty());
        _ = (error.kind(), error.until(), error.hint());
    }
}
