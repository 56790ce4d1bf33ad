//! Diagnostics as text: the lines of the file with a caret under what is wrong.

use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use super::diagnostic::{Diagnostic, Diagnostics};
use super::parse::Source;

/// Places at most this many lines apart are shown in one excerpt.
const NEAR_LINES: usize = 6;

impl Diagnostics {
    /// Shows every problem with its line, a caret and what to do about it, and then how many there are.
    pub fn render(&self, source: &Source, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for diagnostic in self {
            out.push_str(&renderer.render(&[group(self.path(), &source.text, diagnostic)]));
            out.push_str("\n\n");
        }
        let plural = if self.len() == 1 { "" } else { "s" };
        out + &format!("{} error{plural} in {}\n", self.len(), self.path())
    }
}

fn group<'a>(path: &'a str, text: &'a str, diagnostic: &'a Diagnostic) -> Group<'a> {
    let title = Level::ERROR.primary_title(diagnostic.message.as_str()).id(diagnostic.code.number());
    let primary = Excerpt::around(text, &diagnostic.span, diagnostic.at.line);
    let mut group = match &diagnostic.related {
        None => title.element(primary.snippet(path, vec![primary.mark(AnnotationKind::Primary, diagnostic)])),
        Some(related) => {
            let secondary = Excerpt::around(text, &related.span, related.at.line);
            let context = |excerpt: &Excerpt<'_>| {
                AnnotationKind::Context.span(excerpt.within(&related.span)).label(related.label.as_str())
            };
            match primary.joined(text, &secondary) {
                Some(both) => {
                    let marks = vec![both.mark(AnnotationKind::Primary, diagnostic), context(&both)];
                    title.element(both.snippet(path, marks))
                }
                None => title
                    .element(primary.snippet(path, vec![primary.mark(AnnotationKind::Primary, diagnostic)]))
                    .element(secondary.snippet(path, vec![context(&secondary)])),
            }
        }
    };
    if let Some(hint) = &diagnostic.hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    group
}

/// Whole lines of the text. Only these are given to the renderer, so that a large file costs no more than a small one.
struct Excerpt<'a> {
    lines: &'a str,
    start: usize,
    first_line: usize,
}

impl<'a> Excerpt<'a> {
    fn around(text: &'a str, span: &Range<usize>, first_line: usize) -> Self {
        let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
        let end = text[span.start..].find('\n').map_or(text.len(), |at| span.start + at);
        Self { lines: text[start..end].trim_end_matches('\r'), start, first_line }
    }

    fn end(&self) -> usize {
        self.start + self.lines.len()
    }

    fn joined(&self, text: &'a str, other: &Self) -> Option<Self> {
        (self.first_line.abs_diff(other.first_line) <= NEAR_LINES).then(|| {
            let start = self.start.min(other.start);
            let end = self.end().max(other.end());
            Self { lines: &text[start..end], start, first_line: self.first_line.min(other.first_line) }
        })
    }

    /// The span in the excerpt, cut off at the end of its first line.
    fn within(&self, span: &Range<usize>) -> Range<usize> {
        let start = (span.start - self.start).min(self.lines.len());
        let line_end = self.lines[start..].find('\n').map_or(self.lines.len(), |at| start + at);
        start..(span.end.saturating_sub(self.start)).clamp(start, line_end)
    }

    fn mark(&self, kind: AnnotationKind, diagnostic: &'a Diagnostic) -> Annotation<'a> {
        kind.span(self.within(&diagnostic.span)).label(diagnostic.label.as_str())
    }

    fn snippet(&self, path: &'a str, marks: Vec<Annotation<'a>>) -> Snippet<'a, Annotation<'a>> {
        Snippet::source(self.lines).line_start(self.first_line).path(path).annotations(marks)
    }
}
