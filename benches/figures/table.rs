//! The table that is printed.

use std::fmt;

/// A measured amount with its unit.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(crate) enum Amount {
    Seconds(f64),
    Millis(f64),
    PerSecond(f64),
    Mebibytes(f64),
    Count(f64),
    Times(f64),
}

/// What is to be reached.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    AtMost(Amount),
    AtLeast(Amount),
    /// For a figure that is only shown.
    None,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) figure: String,
    pub(crate) measured: Amount,
    /// The least and the most of the runs, where there were several.
    pub(crate) spread: Option<(Amount, Amount)>,
    /// What it is compared with, in the same run.
    pub(crate) beside: Option<(String, Amount)>,
    /// Measured and compared, as a ratio, where it means something.
    pub(crate) ratio: Option<f64>,
    pub(crate) goal: Goal,
}

impl Row {
    pub(crate) fn new(figure: impl Into<String>, measured: Amount, goal: Goal) -> Self {
        Self { figure: figure.into(), measured, spread: None, beside: None, ratio: None, goal }
    }

    /// Whether the goal is reached; a goal in times is one for the ratio.
    fn verdict(&self) -> &'static str {
        let held = |goal: Amount| match (goal, self.ratio) {
            (Amount::Times(_), Some(ratio)) => Amount::Times(ratio),
            _ => self.measured,
        };
        match self.goal {
            Goal::None => "",
            Goal::AtMost(most) if held(most) <= most => "yes",
            Goal::AtLeast(least) if held(least) >= least => "yes",
            Goal::AtMost(_) | Goal::AtLeast(_) => "NO",
        }
    }

    fn cells(&self) -> [String; 7] {
        let spread = self.spread.map(|(low, high)| format!("{low} - {high}"));
        let beside = self.beside.as_ref().map(|(what, amount)| format!("{what} {amount}"));
        [
            self.figure.clone(),
            self.measured.to_string(),
            spread.unwrap_or_default(),
            beside.unwrap_or_default(),
            self.ratio.map(|r| Amount::Times(r).to_string()).unwrap_or_default(),
            match self.goal {
                Goal::AtMost(amount) => format!("<= {amount}"),
                Goal::AtLeast(amount) => format!(">= {amount}"),
                Goal::None => String::new(),
            },
            self.verdict().to_owned(),
        ]
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Amount::Seconds(s) if s >= 10.0 => write!(f, "{s:.1} s"),
            Amount::Seconds(s) => write!(f, "{s:.2} s"),
            Amount::Millis(ms) => write!(f, "{ms:.2} ms"),
            Amount::PerSecond(n) => write!(f, "{n:.0}/s"),
            Amount::Mebibytes(n) => write!(f, "{n:.1} MiB"),
            Amount::Count(n) => write!(f, "{n:.0}"),
            Amount::Times(n) => write!(f, "{n:.2}x"),
        }
    }
}

const HEADS: [&str; 7] = ["figure", "measured", "least - most", "beside", "ratio", "goal", "met"];

/// The rows as a Markdown table.
pub(crate) fn render(rows: &[Row]) -> String {
    let mut lines: Vec<[String; 7]> = vec![HEADS.map(str::to_owned)];
    lines.extend(rows.iter().map(Row::cells));
    let widths: Vec<usize> = (0..HEADS.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let rule = widths.iter().map(|&width| "-".repeat(width));
    let rule: Vec<String> = rule.collect();
    let mut shown: Vec<String> = lines
        .iter()
        .map(|line| {
            let cells = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
            format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
        })
        .collect();
    shown.insert(1, format!("| {} |", rule.join(" | ")));
    shown.join("\n")
}
