//! Conditions: a text is refused with a place in it, or says the same after it was written down and read again.

use laneway::graph::{OUTCOMES, When};
use laneway::id::Category;

use super::planned;

/// Puts the text into a graph, where everything that it may name is there.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let graph = format!(
        "schema = 1\nname = \"g\"\nagent = \"a\"\n[agents.a]\ncommand = [\"a\"]\n\
         [[tasks]]\nid = \"spec\"\nprompt = \"p\"\n[[tasks]]\nid = \"other\"\nprompt = \"p\"\n\
         [[tasks]]\nid = \"last\"\nneeds = [\"spec\", \"other\"]\nprompt = \"p\"\nwhen = {}\n",
        toml::Value::from(text)
    );
    let source = planned::source(&graph);
    match planned::read(&source) {
        Ok(graph) => {
            let when = graph
                .tasks
                .iter()
                .find_map(|task| task.contract.when.as_ref())
                .expect("the condition is kept");
            check(when);
        }
        Err(diagnostics) => {
            for diagnostic in &diagnostics {
                let shown = graph.get(diagnostic.span.clone());
                assert!(shown.is_some(), "{:?}", diagnostic.span);
                let condition = graph.find("\nwhen = ").expect("it is there");
                assert!(diagnostic.span.start > condition, "the rest of the graph is good");
            }
            _ = diagnostics.render(&source, false);
        }
    }
}

fn check(when: &When) {
    let again: When =
        serde_json::from_str(&serde_json::to_string(when).expect("it can be written")).expect("and read");
    assert_eq!(again, *when);
    for outcome in OUTCOMES {
        for count in [0, 1, 7] {
            let holds = when.condition.holds(&|_| outcome, &|_, _: &Category| count);
            assert_eq!(holds, again.condition.holds(&|_| outcome, &|_, _: &Category| count));
        }
    }
    assert!(when.condition.looks_at().iter().all(|(task, _)| ["spec", "other"].contains(&task.as_str())));
}
