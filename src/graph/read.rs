//! From spanned TOML values to typed ones; what does not fit becomes a diagnostic and reading goes on.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::code::Code;
use super::diagnostic::Diagnostic;
use super::file::{Keys, TABLES};
use super::nearest::{Nearest, did_you_mean};

/// A value and the bytes of the text where it stands.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// What the file says for one key.
#[derive(Debug, Clone, Default)]
pub(super) enum Field<T> {
    /// Nothing.
    #[default]
    Absent,
    /// Something that does not fit and has its diagnostic already.
    Bad,
    /// A value.
    Good(At<T>),
}

impl<T> Field<T> {
    /// The value, if there is a good one.
    pub(super) fn get(&self) -> Option<&At<T>> {
        match self {
            Self::Good(at) => Some(at),
            Self::Absent | Self::Bad => None,
        }
    }

    /// The value without its place.
    pub(super) fn value(&self) -> Option<&T> {
        self.get().map(|at| &at.value)
    }

    /// Whether the file says nothing.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl<T> Field<Vec<T>> {
    /// The members of a list; none where the file says nothing.
    pub(super) fn items(&self) -> &[T] {
        self.value().map_or(&[], Vec::as_slice)
    }
}

/// Something that a graph file can say for a key.
pub(super) trait Read: Sized {
    /// What it is called in "takes ...".
    const TAKES: &'static str;

    /// Reads the value of `key`; `None` has left a diagnostic.
    fn read(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self>;
}

/// Collects the diagnostics of one file.
#[derive(Debug)]
pub(super) struct Reader<'t> {
    pub(super) text: &'t str,
    pub(super) list: Vec<Diagnostic>,
    pub(super) nearest: Nearest,
    /// Whether the text is not TOML, so that what is missing may only have been lost.
    pub(super) broken: bool,
    /// How the key that is being read is written.
    example: &'static str,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, list: Vec::new(), nearest: Nearest::default(), broken: false, example: "" }
    }

    /// Notes a problem.
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// Notes that `key` takes something else than `value`.
    pub(super) fn wrong_type(&mut self, value: &Spanned<DeValue<'_>>, key: &str, takes: &str) {
        let found = match value.get_ref().type_str() {
            "string" => "a string",
            "integer" => "an integer",
            "float" => "a float",
            "boolean" => "a boolean",
            "array" => "a list",
            "table" => "a table",
            _ => "a date or time",
        };
        let message = format!("`{key}` takes {takes}, not {found}");
        let label = format!("this is {found}");
        let hint = self.like_example();
        self.push(Diagnostic::new(Code::WrongType, value.span(), message, label).hint(hint));
    }

    /// Shows how the key that is being read is written.
    pub(super) fn like_example(&self) -> String {
        format!("write it like `{}`", self.example)
    }

    /// Notes that `what` is part of the format, but cannot be carried out yet.
    pub(super) fn not_supported(&mut self, span: Range<usize>, what: &str) {
        let message = format!("{what} is not supported yet");
        let hint =
            "it is part of the graph format, but this version would not carry it out; remove it".to_owned();
        self.push(Diagnostic::new(Code::NotSupported, span, message, "not supported yet").hint(hint));
    }

    /// Notes that the table lacks `key`.
    pub(super) fn missing(&mut self, span: Range<usize>, key: &str, keys: &Keys) {
        if !self.broken {
            let message = format!("`{key}` is missing in {}", keys.table);
            let hint = keys
                .known
                .iter()
                .find(|known| known.name == key)
                .map(|known| format!("add `{}`", known.example));
            self.push(Diagnostic::new(Code::MissingKey, span, message, format!("has no `{key}`")).hint(hint));
        }
    }

    /// Notes a key that is not in the list of its table, or is for later.
    pub(super) fn stray_key(&mut self, key: &Spanned<std::borrow::Cow<'_, str>>, keys: &Keys) {
        let name = key.get_ref().as_ref();
        if keys.later.contains(&name) {
            return self.not_supported(key.span(), &format!("`{name}` in {}", keys.table));
        }
        let hint = self.key_hint(name, keys);
        let message = format!("unknown key `{name}` in {}", keys.table);
        self.push(Diagnostic::new(Code::UnknownKey, key.span(), message, "no such key here").hint(hint));
    }

    fn key_hint(&mut self, name: &str, keys: &Keys) -> String {
        let has = |keys: &Keys, name: &str| keys.names().any(|known| known == name);
        if let Some(meant) = alias(name).filter(|meant| has(keys, meant)) {
            return format!("did you mean `{meant}`?");
        }
        if let Some(hint) = did_you_mean(self.nearest.find(name, keys.names())) {
            return hint;
        }
        let owners: Vec<&str> =
            TABLES.iter().filter(|other| has(other, name)).map(|other| other.table).collect();
        if !owners.is_empty() {
            return format!("`{name}` is a key of {}", owners.join(" and of "));
        }
        let known: Vec<String> = keys.names().map(|name| format!("`{name}`")).collect();
        format!("the keys of {} are {}", keys.table, known.join(", "))
    }
}

/// The key that other tools' users write for ours.
fn alias(name: &str) -> Option<&'static str> {
    Some(match name {
        "depends_on" | "depends-on" | "dependencies" | "deps" | "after" | "requires" => "needs",
        "cmd" | "command" | "script" | "exec" => "run",
        "title" | "summary" => "description",
        "lane" | "stream" => "workstream",
        "instructions" => "prompt",
        "retries" | "max_attempts" => "attempts",
        "concurrency" => "parallel",
        _ => return None,
    })
}

/// Reads one value of a table; `example` is shown where it does not fit.
pub(super) fn field<T: Read>(
    value: &Spanned<DeValue<'_>>,
    key: &str,
    example: &'static str,
    reader: &mut Reader<'_>,
) -> Field<T> {
    let outer = std::mem::replace(&mut reader.example, example);
    let read = T::read(value, key, reader);
    reader.example = outer;
    read.map_or(Field::Bad, |read| Field::Good(At { value: read, span: value.span() }))
}

/// Returns the table, or notes that it is none.
pub(super) fn table<'v, 'i>(
    value: &'v Spanned<DeValue<'i>>,
    key: &str,
    reader: &mut Reader<'_>,
) -> Option<&'v DeTable<'i>> {
    let table = value.get_ref().as_table();
    if table.is_none() {
        reader.wrong_type(value, key, "a table");
    }
    table
}

/// A text that may be empty.
#[derive(Debug, Clone)]
pub(super) struct Free(pub(super) String);

impl Read for Free {
    const TAKES: &'static str = "a string";

    fn read(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let Some(text) = value.get_ref().as_str() else {
            reader.wrong_type(value, key, Self::TAKES);
            return None;
        };
        if text.contains('\0') {
            let message = format!("`{key}` contains the character U+0000");
            reader.push(
                Diagnostic::new(Code::Nul, value.span(), message, "in this text")
                    .hint("remove it".to_owned()),
            );
            return None;
        }
        Some(Self(text.to_owned()))
    }
}

/// A text that says something.
impl Read for String {
    const TAKES: &'static str = "a string";

    fn read(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let Free(text) = Free::read(value, key, reader)?;
        if text.trim().is_empty() {
            let message = format!("`{key}` is blank");
            let hint = "say something here, or remove the key where it is optional".to_owned();
            reader.push(
                Diagnostic::new(Code::Blank, value.span(), message, "nothing but white space").hint(hint),
            );
            return None;
        }
        Some(text)
    }
}

impl Read for bool {
    const TAKES: &'static str = "`true` or `false`";

    fn read(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let found = value.get_ref().as_bool();
        if found.is_none() {
            reader.wrong_type(value, key, Self::TAKES);
        }
        found
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole<const MIN: i32, const MAX: i32>(pub(super) i32);

impl<const MIN: i32, const MAX: i32> Whole<MIN, MAX> {
    /// The number as a count.
    pub(super) fn count(self) -> u32 {
        u32::try_from(self.0).expect("the range of a count begins above zero")
    }
}

impl<const MIN: i32, const MAX: i32> Read for Whole<MIN, MAX> {
    const TAKES: &'static str = "a whole number";

    fn read(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let Some(number) = value.get_ref().as_integer() else {
            reader.wrong_type(value, key, Self::TAKES);
            return None;
        };
        let parsed = i32::from_str_radix(number.as_str(), number.radix()).ok();
        if let Some(fits) = parsed.filter(|number| (MIN..=MAX).contains(number)) {
            return Some(Self(fits));
        }
        let range = if (MIN, MAX) == (i32::MIN, i32::MAX) {
            "of 32 bits".to_owned()
        } else {
            format!("from {MIN} to {MAX}")
        };
        let message = format!("`{key}` takes a whole number {range}");
        let hint = reader.like_example();
        reader.push(Diagnostic::new(Code::OutOfRange, value.span(), message, "out of range").hint(hint));
        None
    }
}

impl<T: Read> Read for Vec<At<T>> {
    const TAKES: &'static str = "a list";

    fn read(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let Some(array) = value.get_ref().as_array() else {
            reader.wrong_type(value, key, Self::TAKES);
            return None;
        };
        let before = reader.list.len();
        let read = |item: &Spanned<DeValue<'_>>| {
            T::read(item, key, reader).map(|value| At { value, span: item.span() })
        };
        let items: Vec<At<T>> = array.iter().filter_map(read).collect();
        // A list that lost a member is still good for what it has: the diagnostic is there, and the graph is refused.
        debug_assert!(
            items.len() == array.len() || reader.list.len() > before,
            "a member was lost in silence"
        );
        Some(items)
    }
}
