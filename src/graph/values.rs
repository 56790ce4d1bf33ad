//! The kinds of value that only a graph file has: durations, branches, scopes, commands, environments.

use toml::Spanned;
use toml::de::DeValue;

use super::code::Code;
use super::diagnostic::Diagnostic;
use super::model::{Command, Millis};
use super::read::{At, Free, Read, Reader, table};
use super::when::{self, When};
use super::{branch, duration, scope};

impl Read for Millis {
    const TAKES: &'static str = "a duration such as \"45m\"";

    fn read(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        if !value.get_ref().is_str() {
            reader.wrong_type(value, key, Self::TAKES);
            return None;
        }
        let text = String::read(value, key, reader)?;
        match duration::parse(&text) {
            Ok(millis) => Some(millis),
            Err(error) => {
                let code = match error {
                    duration::DurationError::Range => Code::OutOfRange,
                    _ => Code::BadDuration,
                };
                let message = format!("`{key}` is not a duration that can be used: {error}");
                let label = if code == Code::OutOfRange { "out of range" } else { "not a duration" };
                let hint = "write it like \"500ms\", \"90s\", \"45m\", \"2h\" or \"1h30m\"".to_owned();
                reader.push(Diagnostic::new(code, value.span(), message, label).hint(hint));
                None
            }
        }
    }
}

/// A table with names as keys, in the order of the names.
#[derive(Debug, Clone)]
pub(super) struct Named<K, V>(pub(super) Vec<(At<K>, At<V>)>);

impl<K: Read, V: Read> Read for Named<K, V> {
    const TAKES: &'static str = "a table";

    fn read(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let mut entries = Vec::new();
        for (name, value) in table(value, key, reader)? {
            let as_text = Spanned::new(name.span(), DeValue::String(name.get_ref().clone()));
            let read_name = K::read(&as_text, key, reader);
            let read_value = V::read(value, name.get_ref(), reader);
            if let (Some(k), Some(v)) = (read_name, read_value) {
                entries.push((At { value: k, span: name.span() }, At { value: v, span: value.span() }));
            }
        }
        Some(Self(entries))
    }
}

/// The name of an environment variable that a file may set.
#[derive(Debug, Clone)]
pub(super) struct EnvName(pub(super) String);

impl Read for EnvName {
    const TAKES: &'static str = "the name of an environment variable";

    fn read(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let Free(name) = Free::read(value, key, reader)?;
        let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !letters || name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            let message = format!("\"{}\" is not the name of an environment variable", name.escape_debug());
            let hint = "names match [A-Za-z_][A-Za-z0-9_]*".to_owned();
            reader.push(Diagnostic::new(Code::BadEnvName, value.span(), message, "not a name").hint(hint));
            return None;
        }
        if name.starts_with("LANEWAY_") {
            let message = format!("`{name}` is set by Laneway itself");
            let hint = "choose a name that does not begin with `LANEWAY_`".to_owned();
            reader.push(Diagnostic::new(Code::BadEnvName, value.span(), message, "reserved").hint(hint));
            return None;
        }
        Some(Self(name))
    }
}

/// The name of an environment variable that is to hold a port.
#[derive(Debug, Clone)]
pub(super) struct PortName(pub(super) String);

impl PortName {
    /// What programs are found by and begin with. A number in their place would break whatever runs in the lane.
    const RESERVED: [&'static str; 12] = [
        "BASH_ENV", "ENV", "HOME", "IFS", "LANG", "LOGNAME", "PATH", "PWD", "SHELL", "TERM", "TMPDIR", "USER",
    ];
    /// What such names begin with.
    const FAMILIES: [&'static str; 5] = ["DYLD_", "GIT_", "LC_", "LD_", "XDG_"];
}

impl Read for PortName {
    const TAKES: &'static str = EnvName::TAKES;

    fn read(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let EnvName(name) = EnvName::read(value, key, reader)?;
        if Self::RESERVED.contains(&name.as_str())
            || Self::FAMILIES.iter().any(|start| name.starts_with(start))
        {
            let message = format!("`{name}` means something to the system or to git, and cannot hold a port");
            let hint = "choose a name of your own, such as `HTTP_PORT`".to_owned();
            reader.push(Diagnostic::new(Code::BadEnvName, value.span(), message, "reserved").hint(hint));
            return None;
        }
        Some(Self(name))
    }
}

/// The short name of a branch.
#[derive(Debug, Clone)]
pub(super) struct Branch(pub(super) String);

impl Read for Branch {
    const TAKES: &'static str = "the name of a branch";

    fn read(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let name = String::read(value, key, reader)?;
        let Err(error) = branch::check(&name) else {
            return Some(Self(name));
        };
        let hint = match name.strip_prefix("refs/heads/") {
            Some(short) => format!("write `{short}`"),
            None => "write a name that git accepts, such as `main`".to_owned(),
        };
        let message = format!("`{}` is not the name of a branch: {error}", name.escape_debug());
        reader.push(Diagnostic::new(Code::BadBranch, value.span(), message, "not a branch name").hint(hint));
        None
    }
}

/// A glob of paths inside the repository.
#[derive(Debug, Clone)]
pub(super) struct Scope(pub(super) String);

impl Read for Scope {
    const TAKES: &'static str = "a list of path patterns";

    fn read(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let pattern = String::read(value, key, reader)?;
        let Err(error) = scope::check(&pattern) else {
            return Some(Self(pattern));
        };
        let code = match error {
            scope::ScopeError::Glob { .. } => Code::BadGlob,
            _ => Code::BadPath,
        };
        let diagnostic =
            Diagnostic::new(code, value.span(), error.to_string(), "matches no file of the repository");
        reader.push(diagnostic.hint(error.hint()));
        None
    }
}

/// One path inside the repository, without wildcards.
#[derive(Debug, Clone)]
pub(super) struct Plain(pub(super) String);

impl Read for Plain {
    const TAKES: &'static str = "a list of paths";

    fn read(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let Scope(path) = Scope::read(value, key, reader)?;
        if path == ".git" || path.starts_with(".git/") {
            let message = format!("`{path}` belongs to git");
            let hint = "name a path of the worktree".to_owned();
            reader
                .push(Diagnostic::new(Code::BadPath, value.span(), message, "not a path to use").hint(hint));
            return None;
        }
        if path.contains(['*', '?', '[', '{', '\\']) {
            let message = format!("`{key}` takes paths, and `{path}` is a pattern");
            let hint = "name the files or folders themselves".to_owned();
            reader
                .push(Diagnostic::new(Code::BadPath, value.span(), message, "not a single path").hint(hint));
            return None;
        }
        Some(Self(path))
    }
}

/// A folder inside the repository, with or without a slash at its end.
#[derive(Debug, Clone)]
pub(super) struct Folder(pub(super) String);

impl Read for Folder {
    const TAKES: &'static str = "a list of folders";

    fn read(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::read(value, key, reader)?;
        let folder = text.strip_suffix('/').unwrap_or(&text);
        let (message, hint) = match scope::check(folder) {
            _ if folder == "." => {
                ("`.` is the whole repository".to_owned(), format!("leave `{key}` out to have all of it"))
            }
            Err(error) => (error.to_string(), error.hint()),
            Ok(()) if folder.contains(['*', '?', '[', '{', '\\']) => (
                format!("`{key}` takes folders, and `{text}` is a pattern"),
                "name the folders themselves; all that is in them comes along".to_owned(),
            ),
            Ok(()) => return Some(Self(folder.to_owned())),
        };
        reader.push(Diagnostic::new(Code::BadPath, value.span(), message, "not a folder").hint(hint));
        None
    }
}

/// A command as a file says it: one line for the shell, or a list of words.
#[derive(Debug, Clone)]
pub(super) struct CommandText(pub(super) Command);

impl Read for CommandText {
    const TAKES: &'static str = "a command: a string, or a list of strings";

    fn read(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(_) => String::read(value, key, reader).map(|line| Self(Command::Shell(line))),
            DeValue::Array(_) => Argv::read(value, key, reader).map(|argv| Self(Command::Argv(argv.0))),
            DeValue::Table(table)
                if ["template", "script", "image"].iter().any(|later| table.contains_key(*later)) =>
            {
                reader.not_supported(value.span(), &format!("`{key}` as a table"));
                None
            }
            _ => {
                reader.wrong_type(value, key, Self::TAKES);
                None
            }
        }
    }
}

/// A condition.
#[derive(Debug, Clone)]
pub(super) struct WhenText(pub(super) When);

impl Read for WhenText {
    const TAKES: &'static str = "a condition";

    fn read(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        if !value.get_ref().is_str() {
            reader.wrong_type(value, key, Self::TAKES);
            return None;
        }
        let text = String::read(value, key, reader)?;
        match when::read(&text, &mut reader.nearest) {
            Ok(when) => Some(Self(when)),
            Err(when::Problem { span, message, hint }) => {
                let whole = value.span();
                // Where escapes hide the text, the whole value is marked.
                let place = match reader.text.get(whole.clone()).and_then(|raw| raw.find(&text)) {
                    Some(at) => whole.start + at + span.start..whole.start + at + span.end,
                    None => whole,
                };
                let label = "not a condition";
                reader.push(Diagnostic::new(Code::BadCondition, place, message, label).hint(hint));
                None
            }
        }
    }
}

/// A program and its arguments.
#[derive(Debug, Clone)]
pub(super) struct Argv(pub(super) Vec<String>);

impl Read for Argv {
    const TAKES: &'static str = "a list of strings";

    fn read(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let before = reader.list.len();
        let words = Vec::<At<Free>>::read(value, key, reader)?;
        if reader.list.len() > before {
            return None;
        }
        if words.first().is_none_or(|program| program.value.0.trim().is_empty()) {
            let message = format!("`{key}` names no program");
            let hint = "the first word is the program, such as [\"make\", \"test\"]".to_owned();
            reader.push(Diagnostic::new(Code::Blank, value.span(), message, "no program").hint(hint));
            return None;
        }
        Some(Self(words.into_iter().map(|word| word.value.0).collect()))
    }
}
