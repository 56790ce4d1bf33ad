//! What an agent's output says that it used.

use serde_json::Value;

use crate::graph::{JsonUsage, OutputRules};

/// How long the id of a session may be, in bytes.
const MOST_ID: usize = 200;
/// Millionths of a US dollar in one.
const MICROS: f64 = 1e6;

/// What one process used, as far as its output says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Used {
    /// The id of its session.
    pub session: Option<String>,
    /// Input tokens, those read from a cache among them.
    pub input_tokens: Option<u64>,
    /// Input tokens that were read from a cache.
    pub cached_tokens: Option<u64>,
    /// Output tokens.
    pub output_tokens: Option<u64>,
    /// Cost in millionths of a US dollar.
    pub cost_micros: Option<u64>,
}

/// Reads the output of one process, line by line. What does not fit the rules is passed over: the output of an agent
/// is for people first.
#[derive(Debug)]
pub struct UsageReader<'a> {
    rules: &'a OutputRules,
    used: Used,
}

impl<'a> UsageReader<'a> {
    /// A reader that has read nothing.
    pub fn new(rules: &'a OutputRules) -> Self {
        Self { rules, used: Used::default() }
    }

    /// Takes in one line, without its end.
    pub fn line(&mut self, line: &str) {
        match self.rules {
            OutputRules::JsonLines { session, usage } => {
                let line = line.trim();
                if !line.starts_with('{') {
                    return;
                }
                let Ok(value) = serde_json::from_str::<Value>(line) else { return };
                let id = session.as_ref().and_then(|place| value.pointer(place)?.as_str());
                if let Some(id) = id.filter(|id| is_id(id)) {
                    self.used.session = Some(id.to_owned());
                }
                if let Some(usage) = usage
                    && value["type"] == usage.kind.as_str()
                {
                    self.json(usage, &value);
                }
            }
            OutputRules::Text { line: mark, input, output, cost } => {
                if !line.contains(mark.as_str()) {
                    return;
                }
                add(&mut self.used.input_tokens, number_before(line, input).and_then(whole));
                add(&mut self.used.output_tokens, number_before(line, output).and_then(whole));
                let cost = cost.as_ref().and_then(|cost| number_before(line, cost));
                add(&mut self.used.cost_micros, cost.and_then(|dollars| whole(dollars * MICROS)));
            }
        }
    }

    /// What was read; `None` where the output said nothing.
    pub fn finish(self) -> Option<Used> {
        (self.used != Used::default()).then_some(self.used)
    }

    fn json(&mut self, rules: &JsonUsage, line: &Value) {
        let sum = |places: &[String], scale: f64| {
            let numbers = places.iter().filter_map(|place| line.pointer(place)?.as_f64());
            numbers.map(|number| number * scale).reduce(|a, b| a + b).and_then(whole)
        };
        let found = [
            (&mut self.used.input_tokens, sum(&rules.input, 1.0)),
            (&mut self.used.cached_tokens, sum(&rules.cached, 1.0)),
            (&mut self.used.output_tokens, sum(&rules.output, 1.0)),
            (&mut self.used.cost_micros, sum(&rules.cost, MICROS)),
        ];
        for (total, found) in found {
            if rules.adds {
                add(total, found);
            } else {
                *total = found.or(*total);
            }
        }
    }
}

/// An id becomes an argument of a later process, so it must not pass for anything else.
fn is_id(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    !text.is_empty() && text.len() <= MOST_ID && !text.starts_with('-') && text.chars().all(plain)
}

fn add(total: &mut Option<u64>, more: Option<u64>) {
    if let Some(more) = more {
        *total = Some(total.unwrap_or(0).saturating_add(more));
    }
}

/// A count that was read as a number; `None` for one that nobody can have used.
fn whole(number: f64) -> Option<u64> {
    // A count in text has few digits, and beyond 2^53 it would not be a count.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was looked at")]
    (0.0..9e15).contains(&number).then(|| number.round() as u64)
}

/// The number that ends where `after` begins: `768`, `2.5k`, `1.2M`, `$0.03`.
fn number_before(line: &str, after: &str) -> Option<f64> {
    let (before, _) = line.split_once(after)?;
    let word = before.rsplit(|c: char| c.is_whitespace()).next()?.trim_start_matches('$');
    let (digits, scale) = match word.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1e3),
        None => word.strip_suffix('M').map_or((word, 1.0), |digits| (digits, 1e6)),
    };
    digits.replace(',', "").parse::<f64>().ok().map(|number| number * scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::built_in;
    use crate::id::AgentName;

    fn read(agent: &str, lines: &str) -> Option<Used> {
        let def = &built_in()[&AgentName::new(agent).unwrap()];
        let mut reader = UsageReader::new(def.output.as_ref().unwrap());
        lines.lines().for_each(|line| reader.line(line));
        reader.finish()
    }

    fn used(session: &str, input: u64, cached: Option<u64>, output: u64, cost: Option<u64>) -> Used {
        Used {
            session: Some(session.to_owned()).filter(|s| !s.is_empty()),
            input_tokens: Some(input),
            cached_tokens: cached,
            output_tokens: Some(output),
            cost_micros: cost,
        }
    }

    #[test]
    fn a21_what_claude_prints_is_read() {
        let lines = r#"
            {"type":"system","subtype":"init","session_id":"8b1fd3d5-f8be","model":"m"}
            not JSON {"session_id":"no"}
            {"type":"assistant","message":{"usage":{"input_tokens":5}},"session_id":"8b1fd3d5-f8be"}
            {"type":"result","session_id":"8b1fd3d5-f8be","total_cost_usd":0.0027,"usage":{"input_tokens":300,
            {"type":"result","session_id":"8b1fd3d5-f8be","total_cost_usd":0.0027,"usage":{"input_tokens":300,"cache_creation_input_tokens":20,"cache_read_input_tokens":4,"output_tokens":21}}"#;
        assert_eq!(read("claude", lines), Some(used("8b1fd3d5-f8be", 324, Some(4), 21, Some(2700))));
    }

    #[test]
    fn a21_what_codex_and_gemini_print_is_read() {
        let codex = r#"{"type":"thread.started","thread_id":"01a1fd2b-f82b"}
            {"type":"turn.completed","usage":{"input_tokens":300,"cached_input_tokens":120,"output_tokens":21}}"#;
        assert_eq!(read("codex", codex), Some(used("01a1fd2b-f82b", 300, Some(120), 21, None)));
        let gemini = r#"{"type":"init","session_id":"93563bfa","model":"m"}
            {"type":"result","status":"success","stats":{"total_tokens":321,"input_tokens":300,"output_tokens":21,"cached":0}}"#;
        assert_eq!(read("gemini", gemini), Some(used("93563bfa", 300, Some(0), 21, None)));
    }

    #[test]
    fn a21_what_opencode_and_aider_print_adds_up() {
        let step = r#"{"type":"step_finish","sessionID":"ses_1","part":{"tokens":{"input":100,"output":7,"reasoning":1,"cache":{"write":0,"read":10}},"cost":0.01}}"#;
        let opencode = format!("{step}\n{step}\n");
        assert_eq!(read("opencode", &opencode), Some(used("ses_1", 220, Some(20), 16, Some(20_000))));
        let aider = "Tokens: 768 sent, 14 received.\nsome text\n\
            Tokens: 2.5k sent, 1.1k received. Cost: $0.0066 message, $0.02 session.\n";
        assert_eq!(read("aider", aider), Some(used("", 3268, None, 1114, Some(6600))));
    }

    #[test]
    fn output_that_says_nothing_or_nonsense_is_passed_over() {
        assert_eq!(read("claude", "hello\n{}\n[1]\n"), None);
        assert_eq!(
            read("claude", r#"{"type":"result","usage":{"input_tokens":-5,"output_tokens":"many"}}"#),
            None
        );
        assert_eq!(read("aider", "Tokens: many sent, 1e300 received."), None);
        for id in ["--yolo", "a b", "", "x;y"] {
            assert_eq!(read("claude", &format!(r#"{{"session_id":"{id}"}}"#)), None, "{id}");
        }
    }
}
