//! What lanes get beside the files of their commit.

use super::{Merges, busy_user, integration, run, run_again};

#[test]
fn p12_p13_environment_gives_lanes_settings_setup_and_ports() {
    let scratch = busy_user();
    run(&scratch, "environment", 0, Merges::Nothing);
    let status = scratch.status("environment");
    status.expect(
        "completed",
        &[("api", "pr_created"), ("web", "pr_created")],
        &[("serve", "merged"), ("browse", "merged")],
    );
    let found = |lane: &str, path: &str| {
        let tip = integration(&scratch, &status, "environment", lane);
        scratch.file_at(scratch.repo(), &tip, path)
    };
    assert_eq!(found("api", "found.txt").as_deref(), Some("settings\nsums\nport\nlooked"));
    // Only the lane that asked for the settings has them.
    assert_eq!(found("web", "seen.txt").as_deref(), Some("sums\nsparse\nports\nlooked"));
    // What the sparse lane does not hold is in its commits all the same.
    assert!(found("web", "graphs/environment.toml").is_some());
    for lane in ["api", "web"] {
        let tip = integration(&scratch, &status, "environment", lane);
        for ignored in [".env", "known.log"] {
            assert_eq!(scratch.file_at(scratch.repo(), &tip, ignored), None, "{ignored} in {lane}");
        }
    }
    let port = status.lane("api")["ports"]["HTTP_PORT"].as_u64().expect("a port");
    assert!((20_000..30_000).contains(&port), "{port}");
    let shown = scratch.laneway(&["status", "environment"]).success().stdout().to_owned();
    assert!(shown.contains(&format!("HTTP_PORT={port}")), "{shown}");
    run_again(&scratch, "environment");
}
