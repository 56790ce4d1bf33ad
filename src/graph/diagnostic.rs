//! One problem of a graph file, and all of them in the order of the text.

use std::fmt;
use std::ops::Range;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::code::Code;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file is refused.
    Error,
}

/// A place in the text: both 1-based, columns in characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

/// Another place that a problem is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// Its bytes in the text.
    pub span: Range<usize>,
    /// Where that is.
    pub at: Position,
    /// What is there.
    pub label: String,
}

/// One problem of a graph file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of problem it is.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, as a lower-case fragment.
    pub message: String,
    /// What the caret points at.
    pub label: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The bytes of the text that the caret marks.
    pub span: Range<usize>,
    /// Where they begin.
    pub at: Position,
    /// Another place, such as the first of two equal ids.
    pub related: Option<Related>,
}

impl Diagnostic {
    /// Returns an error of `code` at the bytes `span`; its position is filled in when all are there.
    pub(super) fn new(
        code: Code,
        span: Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            label: label.into(),
            hint: None,
            span,
            at: Position::default(),
            related: None,
        }
    }

    /// Says what to do about it.
    pub(super) fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into();
        self
    }

    /// Shows another place.
    pub(super) fn related(mut self, span: Range<usize>, label: &str) -> Self {
        self.related = Some(Related { span, at: Position::default(), label: label.to_owned() });
        self
    }
}

/// The problems of one file: at least one, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    path: String,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Sorts `list`, drops what is said twice and finds the lines; `None` where there is nothing to say.
    pub(super) fn collect(path: &str, text: &str, mut list: Vec<Diagnostic>) -> Option<Self> {
        if list.is_empty() {
            return None;
        }
        list.sort_by(|a, b| (a.span.start, a.code, &a.message).cmp(&(b.span.start, b.code, &b.message)));
        list.dedup();
        locate(text, &mut list);
        Some(Self { path: path.to_owned(), list })
    }

    /// The file, as shown to people.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The problems, in the order of the text.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "there is always at least one")]
    pub fn len(&self) -> usize {
        self.list.len()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.list.len() == 1 { "problem" } else { "problems" };
        write!(f, "{} {plural} in {}", self.list.len(), self.path)
    }
}

impl std::error::Error for Diagnostics {}

/// Fills in the positions in one pass over the text, however many problems a line has.
fn locate(text: &str, list: &mut [Diagnostic]) {
    let mut wanted: Vec<(usize, &mut Position)> = Vec::with_capacity(list.len());
    for diagnostic in list {
        wanted.push((diagnostic.span.start, &mut diagnostic.at));
        if let Some(related) = &mut diagnostic.related {
            wanted.push((related.span.start, &mut related.at));
        }
    }
    wanted.sort_by_key(|(offset, _)| *offset);
    let mut here = Position { line: 1, column: 1 };
    let mut chars = text.char_indices().peekable();
    for (offset, at) in wanted {
        while let Some((_, c)) = chars.next_if(|(index, _)| *index < offset) {
            if c == '\n' {
                here = Position { line: here.line + 1, column: 1 };
            } else {
                here.column += 1;
            }
        }
        *at = here;
    }
}

impl Serialize for Diagnostics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.list.iter().map(|diagnostic| Located { path: &self.path, diagnostic }))
    }
}

/// A diagnostic as `--json` shows it, which can be read without its neighbours.
struct Located<'a> {
    path: &'a str,
    diagnostic: &'a Diagnostic,
}

impl Serialize for Located<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Diagnostic { code, severity, message, label, hint, at, related, span: _ } = self.diagnostic;
        let mut out = serializer.serialize_struct("Diagnostic", 10)?;
        out.serialize_field("code", code.number())?;
        out.serialize_field("name", code.name())?;
        out.serialize_field("severity", severity)?;
        out.serialize_field("message", message)?;
        out.serialize_field("path", self.path)?;
        out.serialize_field("line", &at.line)?;
        out.serialize_field("column", &at.column)?;
        out.serialize_field("label", label)?;
        out.serialize_field("hint", hint)?;
        out.serialize_field("related", &related.as_ref().map(RelatedView::from))?;
        out.end()
    }
}

#[derive(Serialize)]
struct RelatedView<'a> {
    line: usize,
    column: usize,
    label: &'a str,
}

impl<'a> From<&'a Related> for RelatedView<'a> {
    fn from(related: &'a Related) -> Self {
        Self { line: related.at.line, column: related.at.column, label: &related.label }
    }
}
