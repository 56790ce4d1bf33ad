//! From the text of a condition to what it says.

use std::ops::Range;

use super::{Condition, OUTCOMES, Operand, Problem};
use crate::graph::nearest::{Nearest, did_you_mean};
use crate::id::{Category, TaskId};

/// How deep a condition may be nested.
const MOST_DEPTH: usize = 32;

/// What a part of a condition looks like, for hints.
const LIKE: &str = "write it like `${tasks.spec.outcome} == 'merged'`";

pub(super) struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    nearest: &'t mut Nearest,
}

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t str, nearest: &'t mut Nearest) -> Self {
        Self { text, at: 0, depth: 0, nearest }
    }

    pub(super) fn whole(&mut self) -> Result<Condition, Problem> {
        let condition = self.any()?;
        match self.rest().chars().next() {
            None => Ok(condition),
            Some(_) => Err(self.unexpected("`&&`, `||` or the end")),
        }
    }

    fn any(&mut self) -> Result<Condition, Problem> {
        let mut parts = vec![self.all()?];
        while self.take("||") {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Condition::Any))
    }

    fn all(&mut self) -> Result<Condition, Problem> {
        let mut parts = vec![self.one()?];
        while self.take("&&") {
            parts.push(self.one()?);
        }
        Ok(one_or(parts, Condition::All))
    }

    fn one(&mut self) -> Result<Condition, Problem> {
        let start = self.at;
        let negated = !self.rest().starts_with("!=") && self.take("!");
        if !negated && !self.rest().starts_with('(') {
            return self.comparison();
        }
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(problem(
                start..self.at,
                "the condition is nested too deep",
                "say it in fewer brackets",
            ));
        }
        let inner = if negated {
            Condition::Not(Box::new(self.one()?))
        } else {
            self.take("(");
            let inner = self.any()?;
            if !self.take(")") {
                return Err(self.unexpected("`)`"));
            }
            inner
        };
        self.depth -= 1;
        Ok(inner)
    }

    fn comparison(&mut self) -> Result<Condition, Problem> {
        let (left, left_at) = self.operand()?;
        let same = self.take("==");
        if !same && !self.take("!=") {
            return Err(self.unexpected("`==` or `!=`"));
        }
        let (right, right_at) = self.operand()?;
        self.fits(&left, &left_at, &right, &right_at)?;
        let comparison = Condition::Same(left, right);
        Ok(if same { comparison } else { Condition::Not(Box::new(comparison)) })
    }

    fn operand(&mut self) -> Result<(Operand, Range<usize>), Problem> {
        let rest = self.rest();
        let start = self.at;
        let first = rest.chars().next();
        let operand = match first {
            Some('$') => self.reference()?,
            Some(quote @ ('\'' | '"')) => {
                let inner = &rest[1..];
                let Some(end) = inner.find(quote) else {
                    let message = "the text has no end";
                    return Err(problem(start..self.text.len(), message, &format!("end it with {quote}")));
                };
                self.at += end + 2;
                Operand::Text(inner[..end].to_owned())
            }
            Some('0'..='9') => {
                let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                self.at += end;
                let Ok(number) = rest[..end].parse() else {
                    return Err(problem(start..self.at, "the number is too large", "counts have 32 bits"));
                };
                Operand::Number(number)
            }
            _ => return Err(self.unexpected("`${tasks...}`, a quoted word or a number")),
        };
        Ok((operand, start..self.at))
    }

    fn reference(&mut self) -> Result<Operand, Problem> {
        let start = self.at;
        let rest = self.rest();
        let Some(end) = rest.find('}').filter(|_| rest.starts_with("${")) else {
            return Err(problem(start..self.text.len(), "`${` without a `}`", LIKE));
        };
        self.at += end + 1;
        let span = start..self.at;
        let name = rest[2..end].trim();
        let parts: Vec<&str> = name.split('.').collect();
        let id = |text: &str| {
            TaskId::new(text).map_err(|error| {
                problem(span.clone(), &format!("\"{text}\" cannot be a task: {error}"), LIKE)
            })
        };
        match parts.as_slice() {
            ["tasks", task, "outcome"] => Ok(Operand::Outcome(id(task)?)),
            ["tasks", task, "outputs", category] => {
                let category = Category::new(category).map_err(|error| {
                    problem(span.clone(), &format!("\"{category}\" cannot be a category: {error}"), LIKE)
                })?;
                Ok(Operand::Outputs(id(task)?, category))
            }
            ["tasks", _, last] | ["tasks", _, last, _] => {
                let near = did_you_mean(self.nearest.find(last, ["outcome", "outputs"]));
                let hint = near.unwrap_or_else(|| "a task has `outcome` and `outputs.CATEGORY`".to_owned());
                Err(problem(span, &format!("a task has no `{last}` to look at"), &hint))
            }
            _ => Err(problem(span, &format!("a condition cannot look at `${{{name}}}`"), LIKE)),
        }
    }

    /// Whether the two can be the same at all: words with words, and of an outcome one of its words.
    fn fits(
        &mut self,
        left: &Operand,
        left_at: &Range<usize>,
        right: &Operand,
        right_at: &Range<usize>,
    ) -> Result<(), Problem> {
        if is_number(left) != is_number(right) {
            let message = "a word and a number are never the same";
            let hint = "an outcome is a word such as 'merged', and outputs are counted";
            return Err(problem(left_at.start..right_at.end, message, hint));
        }
        let (word, at) = match (left, right) {
            (Operand::Outcome(_), Operand::Text(word)) => (word, right_at),
            (Operand::Text(word), Operand::Outcome(_)) => (word, left_at),
            (Operand::Text(_) | Operand::Number(_), Operand::Text(_) | Operand::Number(_)) => {
                let message = "the comparison looks at no task, so it is always the same";
                return Err(problem(left_at.start..right_at.end, message, LIKE));
            }
            _ => return Ok(()),
        };
        if OUTCOMES.contains(&word.as_str()) {
            return Ok(());
        }
        let near = did_you_mean(self.nearest.find(word, OUTCOMES));
        let hint = near.unwrap_or_else(|| format!("a task ends as {}", OUTCOMES.join(", ")));
        Err(problem(at.clone(), &format!("no task ends as \"{}\"", word.escape_debug()), &hint))
    }

    /// What is not read yet, from the next character that is not white space.
    fn rest(&mut self) -> &'t str {
        let rest = &self.text[self.at..];
        self.at = self.text.len() - rest.trim_start().len();
        &self.text[self.at..]
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn unexpected(&mut self, wanted: &str) -> Problem {
        let rest = self.rest();
        if let Some(found) = rest.chars().next() {
            let span = self.at..self.at + found.len_utf8();
            problem(span, &format!("{wanted} is expected here, not `{}`", found.escape_debug()), LIKE)
        } else {
            let end = self.text.trim_end().len();
            let last = self.text[..end].chars().next_back().map_or(0, char::len_utf8);
            problem(end - last..end, &format!("the condition ends where {wanted} is expected"), LIKE)
        }
    }
}

fn one_or(mut parts: Vec<Condition>, many: impl Fn(Vec<Condition>) -> Condition) -> Condition {
    if parts.len() == 1 { parts.remove(0) } else { many(parts) }
}

fn is_number(operand: &Operand) -> bool {
    matches!(operand, Operand::Number(_) | Operand::Outputs(..))
}

fn problem(span: Range<usize>, message: &str, hint: &str) -> Problem {
    Problem { span, message: message.to_owned(), hint: hint.to_owned() }
}
