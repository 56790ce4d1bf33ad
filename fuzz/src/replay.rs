//! The lines of a journal that hang together and yet say nonsense: each is an event that the state takes, or an error.

use std::sync::{Arc, LazyLock};

use laneway::engine::Core;
use laneway::event::{Envelope, Timestamp};
use laneway::plan::Plan;
use laneway::view;

use super::planned;

const GRAPH: &str = "schema = 1\nname = \"g\"\nagent = \"a\"\n[agents.a]\ncommand = [\"a\"]\n\
    [[workstreams]]\nid = \"api\"\n[[workstreams]]\nid = \"ui\"\n\
    [[tasks]]\nid = \"one\"\nworkstream = \"api\"\nprompt = \"p\"\n\
    [[tasks]]\nid = \"two\"\nworkstream = \"ui\"\nneeds = [\"one\"]\nprompt = \"p\"\n";

static PLAN: LazyLock<Arc<Plan>> = LazyLock::new(|| {
    let graph = planned::read(&planned::source(GRAPH)).unwrap_or_else(|_| panic!("the graph is good"));
    Arc::new(planned::plan(&graph))
});

/// One event a line, up to the first that is refused.
pub fn run(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        taken(text);
    }
}

/// How many events were taken.
pub fn taken(text: &str) -> usize {
    let mut core = Core::new(Arc::clone(&PLAN));
    let mut taken = Vec::new();
    let mut refused = false;
    for line in text.lines() {
        let Ok(envelope) = Envelope::from_json(line) else { break };
        let written = envelope.to_json().expect("an event can be written");
        let again = Envelope::from_json(&written).expect("and read");
        assert_eq!(again, envelope);
        if core.replay(&envelope).is_err() {
            refused = true;
            break;
        }
        taken.push(envelope);
    }
    let mut twice = Core::new(Arc::clone(&PLAN));
    for envelope in &taken {
        twice.replay(envelope).expect("a fold takes again what it took");
    }
    // A state that has refused an event is never used again, and may be half-way.
    if !refused {
        assert_eq!(status(&twice), status(&core));
        assert_eq!(twice.outstanding(), core.outstanding());
    }
    shown(&twice, &taken);
    taken.len()
}

fn status(core: &Core) -> String {
    serde_json::to_string(&view::status(core.plan(), core.state())).expect("a status can be written")
}

/// Whatever was taken can be shown, and plays no tricks on a terminal.
fn shown(core: &Core, taken: &[Envelope]) {
    _ = core.next_deadline();
    _ = core.is_settled();
    let (plan, state) = (core.plan(), core.state());
    let at = taken.last().map_or(Timestamp(0), |last| last.at);
    let mut texts = vec![view::summary(plan, state), format!("{:?}", view::progress(plan, state, at))];
    texts.extend(taken.iter().map(view::line));
    texts.extend(taken.iter().filter_map(|envelope| view::recorded(plan, envelope)));
    for text in &texts {
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    }
    _ = view::waiting(plan, state);
    _ = view::lane_files(plan, state);
    for lane in 0..plan.lanes.len() {
        assert!(view::pull_request(plan, state, lane, &[]).body.len() < 65_536 * 4);
        _ = view::last_word(plan, state, lane);
    }
}
