//! From an agent's command with placeholders to an argv.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// How a prompt reaches an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PromptBy {
    /// In a file that `{prompt_file}` names.
    #[default]
    File,
    /// On standard input, from that file.
    Stdin,
    /// As an argument: `{prompt}`, or the last one where the command has no `{prompt}`.
    Arg,
}

/// How one agent program is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentCommand {
    /// Program and arguments, with `{prompt_file}`, `{prompt}`, `{model}`, `{session}`, `{signals}` and `{lane}`.
    pub command: Vec<String>,
    /// How the prompt reaches it.
    pub prompt: PromptBy,
    /// The model, where a task names none.
    pub model: Option<String>,
}

/// What the placeholders stand for in one attempt. All paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fill {
    /// The main worktree, which a relative program path starts from.
    pub root: PathBuf,
    /// The file that holds the prompt.
    pub prompt_file: PathBuf,
    /// The prompt itself.
    pub prompt: String,
    /// The model that the task names.
    pub model: Option<String>,
    /// The session that is to be continued.
    pub session: Option<String>,
    /// The directory for signals.
    pub signals: PathBuf,
    /// The lane's worktree.
    pub lane: PathBuf,
}

/// One piece of an argument.
enum Piece<'a> {
    Text(&'a str),
    Value(&'a OsStr),
    /// A placeholder that has no value in this attempt.
    Missing,
}

/// Makes the argv of an agent.
///
/// An argument with a placeholder that has no value is left out, and with it, where the placeholder was the whole
/// argument, the flag in front of it: `--model {model}` without a model is nothing. Values are never searched for
/// placeholders themselves. A word in braces that is no placeholder stays as it is.
pub fn argv(agent: &AgentCommand, fill: &Fill) -> Vec<OsString> {
    let model = fill.model.as_deref().or(agent.model.as_deref());
    let mut argv: Vec<OsString> = Vec::with_capacity(agent.command.len() + 1);
    let mut previous_is_flag = false;
    let mut prompt_is_placed = false;
    for (index, argument) in agent.command.iter().enumerate() {
        let pieces = split(argument, fill, model);
        if pieces.iter().any(|piece| matches!(piece, Piece::Missing)) {
            if pieces.len() == 1 && previous_is_flag {
                argv.pop();
            }
            previous_is_flag = false;
            continue;
        }
        prompt_is_placed |= argument.contains("{prompt}");
        previous_is_flag = index > 0 && is_flag(argument);
        argv.push(join(&pieces));
    }
    if agent.prompt == PromptBy::Arg && !prompt_is_placed {
        argv.push(fill.prompt.clone().into());
    }
    if let Some(program) = argv.first_mut() {
        resolve(program, &fill.root);
    }
    argv
}

/// Whether the next argument may be this one's value.
fn is_flag(argument: &str) -> bool {
    argument.len() > 1 && argument != "--" && argument.starts_with('-') && !argument.contains(['=', '{'])
}

/// A bare name is looked up in `PATH` later; a path is one from the repository, not from the lane, whose files an
/// agent may have changed.
fn resolve(program: &mut OsString, root: &Path) {
    if Path::new(program).is_relative() && program.as_encoded_bytes().contains(&b'/') {
        *program = root.join(Path::new(program)).into_os_string();
    }
}

fn split<'a>(argument: &'a str, fill: &'a Fill, model: Option<&'a str>) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    let mut rest = argument;
    while let Some((before, name, after)) = next_braces(rest) {
        let value = match name {
            "prompt_file" => Some(fill.prompt_file.as_os_str()),
            "prompt" => Some(OsStr::new(fill.prompt.as_str())),
            "signals" => Some(fill.signals.as_os_str()),
            "lane" => Some(fill.lane.as_os_str()),
            "model" => model.map(OsStr::new),
            "session" => fill.session.as_deref().map(OsStr::new),
            _ => {
                let kept = before.len() + 1;
                pieces.push(Piece::Text(&rest[..kept]));
                rest = &rest[kept..];
                continue;
            }
        };
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(value.map_or(Piece::Missing, Piece::Value));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

/// Splits at the first `{...}`: the text before, the name in it, the text after.
fn next_braces(text: &str) -> Option<(&str, &str, &str)> {
    let (before, from) = text.split_once('{')?;
    let (name, after) = from.split_once('}')?;
    Some((before, name, after))
}

fn join(pieces: &[Piece<'_>]) -> OsString {
    let mut argument = OsString::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => argument.push(text),
            Piece::Value(value) => argument.push(value),
            Piece::Missing => {}
        }
    }
    argument
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill() -> Fill {
        Fill {
            root: "/repo".into(),
            prompt_file: "/board/instructions.md".into(),
            prompt: "use {model} and {prompt}".into(),
            model: None,
            session: None,
            signals: "/board/signals".into(),
            lane: "/repo/.worktrees/g/api".into(),
        }
    }

    fn made(command: &[&str], prompt: PromptBy, fill: &Fill) -> Vec<String> {
        let command = command.iter().map(ToString::to_string).collect();
        let agent = AgentCommand { command, prompt, model: None };
        argv(&agent, fill).into_iter().map(|argument| argument.into_string().expect("ASCII")).collect()
    }

    #[test]
    fn placeholders_are_filled_once_and_values_are_left_alone() {
        let argv = made(&["x", "-f={prompt_file}", "{prompt}", "{lane}:{signals}"], PromptBy::Arg, &fill());
        let expected = ["x", "-f=/board/instructions.md", "use {model} and {prompt}"];
        assert_eq!(argv[..3], expected);
        assert_eq!(argv[3], "/repo/.worktrees/g/api:/board/signals");
        assert_eq!(argv.len(), 4);
    }

    #[test]
    fn a_placeholder_without_a_value_goes_with_its_flag() {
        let command = ["x", "--model", "{model}", "--quiet", "--resume={session}", "run", "{session}", "end"];
        assert_eq!(made(&command, PromptBy::File, &fill()), ["x", "--quiet", "run", "end"]);
        let given = Fill { model: Some("m1".into()), session: Some("s".into()), ..fill() };
        let expected = ["x", "--model", "m1", "--quiet", "--resume=s", "run", "s", "end"];
        assert_eq!(made(&command, PromptBy::File, &given), expected);
    }

    #[test]
    fn the_model_of_the_task_goes_before_the_agents() {
        let agent = AgentCommand {
            command: vec!["x".into(), "{model}".into()],
            prompt: PromptBy::File,
            model: Some("own".into()),
        };
        assert_eq!(argv(&agent, &fill()), ["x", "own"]);
        assert_eq!(argv(&agent, &Fill { model: Some("task".into()), ..fill() }), ["x", "task"]);
    }

    #[test]
    fn the_prompt_is_appended_only_where_nothing_else_places_it() {
        assert_eq!(made(&["x", "-p"], PromptBy::Arg, &fill())[2], "use {model} and {prompt}");
        assert_eq!(made(&["x", "-p", "{prompt}", "-v"], PromptBy::Arg, &fill()).len(), 4);
        assert_eq!(made(&["x", "-p"], PromptBy::Stdin, &fill()), ["x", "-p"]);
    }

    #[test]
    fn a_program_path_starts_from_the_repository_and_a_name_does_not() {
        assert_eq!(made(&["tools/agent.sh"], PromptBy::File, &fill()), ["/repo/tools/agent.sh"]);
        assert_eq!(made(&["/bin/agent"], PromptBy::File, &fill()), ["/bin/agent"]);
        assert_eq!(made(&["agent"], PromptBy::File, &fill()), ["agent"]);
        assert_eq!(made(&[], PromptBy::File, &fill()), [""; 0]);
    }

    #[test]
    fn braces_that_are_no_placeholder_stay() {
        let argv = made(&["sh", "-c", "a() { echo ${x} {lane}; }", "{", "{{lane}}"], PromptBy::File, &fill());
        assert_eq!(argv[2], "a() { echo ${x} /repo/.worktrees/g/api; }");
        assert_eq!(argv[3..], ["{", "{/repo/.worktrees/g/api}"]);
    }
}
