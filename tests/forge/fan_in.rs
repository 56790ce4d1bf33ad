//! Ten lanes into one, with each handoff, merged without people.

use super::hub::Hub;
use crate::harness::Status;

/// The shipped graph as `hub`, with another handoff and with lanes that merge themselves.
fn graph(handoff: &str) -> String {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/graphs/fan-in.toml"));
    let text = text.expect("it ships").replace("name = \"fan-in\"", "name = \"hub\"");
    let text = text.replace("handoff = \"ready\"", &format!("handoff = \"{handoff}\""));
    text.replace("[[workstreams]]\n", "[[workstreams]]\nmerge = \"auto\"\n")
}

#[track_caller]
fn expect_end(hub: &Hub, status: &Status) {
    let lanes = status.value()["lanes"].as_array().expect("a list");
    assert_eq!(lanes.len(), 11);
    assert!(lanes.iter().all(|lane| lane["status"] == "merged"), "{:#}", status.value());
    assert_eq!(hub.events("pr.opened").len(), 11);
    assert_eq!(hub.events("process.started").len(), 11, "a task ran twice");
    assert!(hub.origin_file("ops/all.sh").is_some() && hub.origin_file("ops/times10.sh").is_some());
}

#[test]
fn ar21_ten_lanes_merge_themselves_into_one_on_the_local_forge() {
    for handoff in ["ready", "merged"] {
        let hub = Hub::new();
        hub.scratch.write("graphs/hub.toml", &graph(handoff));
        hub.scratch.laneway(&["run", "graphs/hub.toml"]).success();
        expect_end(&hub, &hub.scratch.status("hub"));
    }
}

#[test]
fn ar21_ten_lanes_merge_themselves_into_one_on_github() {
    for handoff in ["ready", "merged"] {
        let hub = Hub::new();
        hub.scratch.write("graphs/hub.toml", &graph(handoff));
        hub.run().success();
        expect_end(&hub, &hub.status());
        assert_eq!(hub.fake.numbers().len(), 11);
    }
}
