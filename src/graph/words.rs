//! Keys that take one of a few words, and keys that take an id.

use toml::Spanned;
use toml::de::DeValue;

use super::agent::{ClaimBy, SessionPolicy};
use super::code::Code;
use super::contract::AdrLevel;
use super::diagnostic::Diagnostic;
use super::file::SchemaVersion;
use super::furnish::Lfs;
use super::model::{CommitPolicy, DiffPolicy, Handoff, MergePolicy, PromptBy, RetryOn, Teardown};
use super::nearest::did_you_mean;
use super::read::{Read, Reader};
use crate::id::{self, AgentName, Category, GraphName, LaneId, RoleName, TaskId};

/// A type whose values are words.
pub(super) trait Words: Copy + 'static {
    /// The words, and what they stand for.
    const WORDS: &'static [(&'static str, Self)];
    /// Words of the format that cannot be carried out yet.
    const LATER: &'static [&'static str];
}

macro_rules! words {
    ($($ty:ident: $($word:literal $variant:ident)* $(, later = $later:literal)?;)*) => {
        $(
            impl Words for $ty {
                const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),*];
                const LATER: &'static [&'static str] = &[$($later)?];
            }

            impl Read for $ty {
                const TAKES: &'static str = "a string";

                fn read(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
                    word(value, key, reader)
                }
            }
        )*
    };
}

words! {
    Handoff: "ready" Ready "merged" Merged;
    ClaimBy: "signal" Signal "exit" Exit;
    SessionPolicy: "fresh" Fresh "continue" Continue;
    PromptBy: "file" File "stdin" Stdin "arg" Arg;
    MergePolicy: "review" Review "auto" Auto, later = "queue";
    Teardown: "always" Always "on_success" OnSuccess "never" Never;
    DiffPolicy: "required" Required "optional" Optional "none" None;
    CommitPolicy: "auto" Auto "agent" Agent;
    RetryOn: "transient" Transient;
    Lfs: "auto" Auto "skip" Skip;
    AdrLevel: "none" None "standard" Standard "detailed" Detailed;
}

fn word<T: Words + Read>(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<T> {
    let text = String::read(value, key, reader)?;
    if let Some((_, found)) = T::WORDS.iter().find(|(word, _)| *word == text) {
        return Some(*found);
    }
    if T::LATER.contains(&text.as_str()) {
        reader.not_supported(value.span(), &format!("`{key} = \"{text}\"`"));
        return None;
    }
    let words: Vec<String> = T::WORDS.iter().map(|(word, _)| format!("\"{word}\"")).collect();
    let nearest = did_you_mean(reader.nearest.find(&text, T::WORDS.iter().map(|(word, _)| *word)));
    let hint = nearest.unwrap_or_else(|| format!("write {}", words.join(" or ")));
    let message = format!("`{key}` does not know \"{}\"; it takes {}", text.escape_debug(), words.join(", "));
    reader
        .push(Diagnostic::new(Code::UnknownValue, value.span(), message, "not one of the words").hint(hint));
    None
}

macro_rules! ids {
    ($($ty:ident)*) => {
        $(
            impl Read for $ty {
                const TAKES: &'static str = "a string";

                fn read(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
                    let text = id_text(value, key, reader)?;
                    Self::new(&text).ok()
                }
            }
        )*
    };
}

ids! { GraphName LaneId TaskId RoleName Category }

impl Read for AgentName {
    const TAKES: &'static str = "a string";

    fn read(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let text = id_text(value, key, reader)?;
        if text == "person" {
            reader.not_supported(value.span(), "`person` as an agent");
            return None;
        }
        Self::new(&text).ok()
    }
}

/// Returns the text if it is an id.
fn id_text(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<String> {
    let text = String::read(value, key, reader)?;
    let Err(error) = id::check(&text) else {
        return Some(text);
    };
    let hint = match id::suggest(&text) {
        Some(good) => format!("write `{good}`"),
        None => "use lower-case letters, digits, `-` and `_`".to_owned(),
    };
    let message = format!("\"{}\" cannot be used as an id: {error}", text.escape_debug());
    reader.push(Diagnostic::new(Code::BadId, value.span(), message, "not an id").hint(hint));
    None
}

impl Read for SchemaVersion {
    const TAKES: &'static str = "the integer 1";

    fn read(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let Some(number) = value.get_ref().as_integer() else {
            reader.wrong_type(value, key, Self::TAKES);
            return None;
        };
        if u64::from_str_radix(number.as_str(), number.radix()) == Ok(1) {
            return Some(Self);
        }
        let message = format!("version {number} of the graph format cannot be read");
        let hint = "this version of Laneway reads `schema = 1`".to_owned();
        reader.push(
            Diagnostic::new(Code::UnsupportedSchema, value.span(), message, "unknown version").hint(hint),
        );
        None
    }
}
