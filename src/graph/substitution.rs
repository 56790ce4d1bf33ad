//! `${...}` in texts: looked up before the run, without any shell.

/// What a `${...}` that stays unfilled is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// No such name.
    Unknown,
    /// Known, but there is nothing to fill in at this place.
    NotHere,
    /// Part of the format, but for later.
    Later,
    /// No `}`.
    Open,
}

/// A `${...}` that cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unfilled {
    /// The whole of it, with `${` and `}`.
    pub(super) text: String,
    pub(super) reason: Reason,
}

/// The values at one place of the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) graph: &'a str,
    pub(super) lane: Option<&'a str>,
    pub(super) task: Option<&'a str>,
}

/// The names that can be filled in.
pub(super) const NAMES: [&str; 3] = ["graph.name", "lane.id", "task.id"];

impl Values<'_> {
    fn get(&self, name: &str) -> Result<&str, Reason> {
        match name {
            "graph.name" => Ok(self.graph),
            "lane.id" => self.lane.ok_or(Reason::NotHere),
            "task.id" => self.task.ok_or(Reason::NotHere),
            _ => match name.split_once('.') {
                Some(("input" | "repo" | "item" | "tasks" | "graph", _)) if !near(name) => Err(Reason::Later),
                _ => Err(Reason::Unknown),
            },
        }
    }

    /// Returns `text` with every `${...}` filled in and every `$${` made `${`.
    pub(super) fn fill(&self, text: &str, unfilled: &mut Vec<Unfilled>) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            if rest[..at].ends_with('$') {
                out.push_str(&rest[..at]);
                out.push('{');
                rest = &rest[at + 2..];
                continue;
            }
            out.push_str(&rest[..at]);
            let inner = &rest[at + 2..];
            let Some(end) = inner.find(['}', '\n']).filter(|end| inner[*end..].starts_with('}')) else {
                unfilled.push(Unfilled { text: "${".to_owned(), reason: Reason::Open });
                rest = inner;
                continue;
            };
            match self.get(inner[..end].trim()) {
                Ok(value) => out.push_str(value),
                Err(reason) => unfilled.push(Unfilled { text: rest[at..at + 3 + end].to_owned(), reason }),
            }
            rest = &inner[end + 1..];
        }
        out.push_str(rest);
        out
    }
}

/// Whether the name is a slip of the pen for one of ours, and not a name of the format that is for later.
fn near(name: &str) -> bool {
    NAMES.iter().any(|known| strsim::osa_distance(known, name) <= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str) -> (String, Vec<Unfilled>) {
        let mut unfilled = Vec::new();
        let values = Values { graph: "g", lane: Some("l"), task: None };
        (values.fill(text, &mut unfilled), unfilled)
    }

    #[test]
    fn names_are_filled_in_once_and_not_again() {
        assert_eq!(fill("a ${graph.name} b ${ lane.id }").0, "a g b l");
        let values = Values { graph: "${lane.id}", lane: Some("l"), task: None };
        assert_eq!(values.fill("${graph.name}", &mut Vec::new()), "${lane.id}");
    }

    #[test]
    fn a_doubled_dollar_is_left_to_the_shell() {
        assert_eq!(fill("$${HOME} $HOME $$ $x{y} $$$").0, "${HOME} $HOME $$ $x{y} $$$");
        assert_eq!(fill("$${graph.name}").0, "${graph.name}");
        assert_eq!(fill("$${${graph.name}}").0, "${g}");
    }

    #[test]
    fn what_cannot_be_filled_in_says_why() {
        for (text, shown, reason) in [
            ("x ${HOME}", "${HOME}", Reason::Unknown),
            ("x ${graph.nam}", "${graph.nam}", Reason::Unknown),
            ("${}", "${}", Reason::Unknown),
            ("${task.id}", "${task.id}", Reason::NotHere),
            ("${input.version} ", "${input.version}", Reason::Later),
            ("${tasks.a.outcome}", "${tasks.a.outcome}", Reason::Later),
            ("x ${graph.name", "${", Reason::Open),
            ("${a\n}", "${", Reason::Open),
        ] {
            assert_eq!(fill(text).1, [Unfilled { text: shown.to_owned(), reason }], "{text}");
        }
    }
}
