//! What agents print: whatever it is, it is read without trouble, and the id of a session is one harmless word.

use laneway::agent::{UsageReader, built_in};

/// The first byte chooses the agent, the rest is its output.
pub fn run(data: &[u8]) {
    let Some((choice, output)) = data.split_first() else { return };
    let agents = built_in();
    let Some(rules) =
        agents.values().nth(usize::from(*choice) % agents.len()).and_then(|agent| agent.output.as_ref())
    else {
        return;
    };
    let mut reader = UsageReader::new(rules);
    for line in String::from_utf8_lossy(output).split('\n') {
        reader.line(line);
    }
    if let Some(session) = reader.finish().and_then(|used| used.session) {
        assert!(!session.is_empty() && session.len() <= 200);
        assert!(!session.starts_with('-'), "{session:?} would be an option of the next command");
        assert!(!session.chars().any(|c| c.is_control() || c.is_whitespace()), "{session:?}");
    }
}
