//! The way from views to the screen: the one place that knows how `view` and `render` are called.

use super::error::Trouble;
use crate::render::{self, Cell, Palette, Table};
use crate::runtime::Loaded;
use crate::runtime::checkup::{Finding, Verdict};
use crate::state::State;
use crate::view;

/// How much of a finding is shown, in characters.
const MOST: usize = 400;

/// The styles of a stream.
pub(super) fn palette(color: bool) -> Palette {
    if color { Palette::coloured() } else { Palette::plain() }
}

/// A failure for people.
pub(super) fn error(trouble: &Trouble, color: bool) -> String {
    match &trouble.report {
        Some(report) if color => report.colored.clone(),
        Some(report) => report.plain.clone(),
        None => render::error(&trouble.message, &trouble.causes, &trouble.hints, &palette(color)),
    }
}

/// Where a run stands.
pub(super) fn status(loaded: &Loaded) -> view::Status {
    view::status(&loaded.plan, &loaded.state)
}

/// What became of a run, for people.
pub(super) fn summary(state: &State) -> String {
    view::summary(state.plan(), state)
}

/// Rows under titles, as many as there are.
pub(super) fn grid(titles: &[String], rows: Vec<Vec<String>>, color: bool) -> String {
    let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
    let mut table = Table::new(&titles, palette(color).dim);
    for row in rows {
        table.row(row.into_iter().map(Cell::from).collect());
    }
    table.text(0)
}

/// Rows under titles.
pub(super) fn table<const N: usize>(titles: [&str; N], rows: Vec<[String; N]>, color: bool) -> String {
    let mut table = Table::new(&titles, palette(color).dim);
    for row in rows {
        table.row(row.into_iter().map(Cell::from).collect());
    }
    table.text(0)
}

/// What was looked at, each with how it stands, and under it what to do about it.
pub(super) fn findings(findings: &[Finding], color: bool) -> String {
    let palette = palette(color);
    let mut table = Table::new(&["", "check", "found"], palette.dim);
    for finding in findings {
        let (word, style) = match finding.verdict {
            Verdict::Ok => ("ok", palette.good),
            Verdict::Warn => ("warn", palette.warn),
            Verdict::Fail => ("FAIL", palette.bad),
        };
        // Names and messages of others may hold anything.
        let found = view::plain::one_line(&finding.found, MOST);
        table.row(vec![Cell::new(word, style), finding.check.into(), found.into()]);
        if let Some(next) = &finding.next {
            let next = format!("-> {}", view::plain::one_line(next, MOST));
            table.row(vec!["".into(), "".into(), Cell::new(next, palette.strong)]);
        }
    }
    table.text(0)
}
