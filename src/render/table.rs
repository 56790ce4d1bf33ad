//! Columns that line up.

use anstyle::Style;

use super::style::paint;

/// One cell, in one style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A cell with a style.
    pub fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Style::new())
    }
}

/// Rows of cells. A column without any text is left out, its title with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    titles: Vec<Cell>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with these column titles, which look like `style`.
    pub fn new(titles: &[&str], style: Style) -> Self {
        Self { titles: titles.iter().map(|&t| Cell::new(t, style)).collect(), rows: Vec::new() }
    }

    /// Adds a row of as many cells as there are titles.
    pub fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.titles.len(), "a row has a cell for each column");
        self.rows.push(cells);
    }

    /// The table as lines, each with a line end; `indent` spaces before each. No line ends in white space.
    pub fn text(&self, indent: usize) -> String {
        let widths: Vec<usize> = (0..self.titles.len()).map(|column| self.width(column)).collect();
        let mut out = String::new();
        for row in std::iter::once(&self.titles).chain(&self.rows) {
            let shown = || row.iter().zip(&widths).filter(|(_, width)| **width > 0);
            let last =
                shown().enumerate().filter(|(_, (cell, _))| !cell.text.is_empty()).map(|(ix, _)| ix).last();
            out.push_str(&" ".repeat(if last.is_some() { indent } else { 0 }));
            for (ix, (cell, &width)) in shown().enumerate().take(last.map_or(0, |l| l + 1)) {
                out.push_str(&paint(cell.style, &cell.text));
                if Some(ix) != last {
                    out.push_str(&" ".repeat(width - cell.text.chars().count() + 2));
                }
            }
            out.push('\n');
        }
        out
    }

    /// The width of a column in characters; 0 where only the title has text.
    fn width(&self, column: usize) -> usize {
        let size = |row: &Vec<Cell>| row.get(column).map_or(0, |c| c.text.chars().count());
        match self.rows.iter().map(size).max() {
            None | Some(0) => 0,
            Some(width) => width.max(size(&self.titles)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_an_empty_one_is_left_out() {
        let mut table = Table::new(&["lane", "nothing", "status"], Style::new());
        table.row(vec!["a".into(), "".into(), "merged".into()]);
        table.row(vec!["längere".into(), "".into(), "".into()]);
        assert_eq!(table.text(2), "  lane     status\n  a        merged\n  längere\n");
    }

    #[test]
    fn colour_does_not_move_a_column() {
        let style = crate::render::Palette::coloured().good;
        let mut table = Table::new(&["a", "b"], Style::new());
        table.row(vec![Cell::new("xx", style), "y".into()]);
        let plain = anstream::adapter::strip_str(&table.text(0)).to_string();
        assert_eq!(plain, "a   b\nxx  y\n");
    }
}
