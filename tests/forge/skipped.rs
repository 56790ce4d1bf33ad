//! Going on without a lane whose pull request was closed unmerged.

use std::fmt::Write as _;

use super::hub::{Hub, Token};
use crate::harness::{Output, Status};

/// `core`, and `docs` that needs it in the target; on one of the forges.
struct Stand {
    hub: Hub,
    token: Token,
}

impl Stand {
    fn new(token: Token) -> Self {
        let hub = Hub::new();
        let mut text = "schema = 1\nname = \"hub\"\nhandoff = \"merged\"\n".to_owned();
        for (lane, needs) in [("core", ""), ("docs", "\"write-core\"")] {
            write!(
                text,
                "\n[[workstreams]]\nid = \"{lane}\"\n\n[[tasks]]\nid = \"write-{lane}\"\nworkstream = \"{lane}\"\n\
                 needs = [{needs}]\nrun = \"mkdir -p new && echo {lane} > new/{lane}.txt\"\ndiff = \"required\"\n"
            )
            .expect("a string takes every text");
        }
        hub.scratch.write("graphs/hub.toml", &text);
        Self { hub, token }
    }

    fn laneway(&self, arguments: &[&str]) -> Output {
        self.hub.with(self.token, arguments)
    }

    #[track_caller]
    fn status(&self) -> Status {
        Status::of(self.laneway(&["status", "hub", "--json"]).success().json())
    }
}

#[test]
fn s20_a_run_goes_on_without_a_lane_whose_pull_request_was_closed() {
    for token in [Token::None, Token::Right] {
        let stand = Stand::new(token);
        stand.laneway(&["run", "graphs/hub.toml"]).failure();
        let status = stand.status();
        let number = status.pr("core");
        if token == Token::Right {
            stand.hub.fake.close(number.parse().expect("a number"), "carol");
        } else {
            stand.laneway(&["pr", "close", &number]).success();
        }
        let status = stand.status();
        assert_eq!(status.lane("core")["status"], "failed", "{token:?}: {:#}", status.value());
        stand.laneway(&["skip", "hub", "--lane", "core"]).success();
        stand.laneway(&["resume", "hub"]).success();
        let status = stand.status();
        assert_eq!(status.lane("docs")["status"], "pr_created", "{token:?}: {:#}", status.value());
        assert_eq!(status.attempts("write-core"), 1, "{token:?}: the work was done again");
        let tip = status.tip("docs");
        let repo = stand.hub.scratch.repo();
        assert_eq!(stand.hub.scratch.file_at(repo, tip, "new/docs.txt").as_deref(), Some("docs"));
        assert_eq!(stand.hub.scratch.file_at(repo, tip, "new/core.txt"), None, "{token:?}");
        stand.laneway(&["pr", "merge", &status.pr("docs")]).success();
        assert_eq!(stand.status().lane("docs")["status"], "merged", "{token:?}");
        assert_eq!(stand.hub.events("pr.opened").len(), 2, "{token:?}");
        stand.laneway(&["verify", "hub"]).success();
    }
}
