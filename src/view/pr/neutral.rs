//! Words of agents, made inert for a forge: they notify nobody, close nothing, load nothing and stay where they are.
//!
//! A forge looks for mentions and references in the rendered text, so HTML entities and backslashes do not stop it. A
//! zero-width space does, shows nothing, and works in code as well as in prose. Where a text may have many lines,
//! each of them is put into a block quote: no fence, list or heading of it can reach beyond.

use crate::view::plain::{cut, one_line, visible};

/// What parts the characters that would act together.
const GAP: char = '\u{200b}';

/// Words on one line, fit for a table cell, of at most `most` characters before they are made inert.
pub fn inline(text: &str, most: usize) -> String {
    let inert = inert(&one_line(text, most));
    // A lone backtick would make code of what follows it.
    inert.replace('|', "\\|").replace('`', "'")
}

/// Words as the title of a pull request or a line of prose, of at most `most` characters before they are made inert.
pub fn prose(text: &str, most: usize) -> String {
    // At the start of a line a fence would make code of all that follows it.
    inert(&one_line(text, most)).replace("``", "`\u{200b}`").replace("~~~", "~~\u{200b}~")
}

/// Words as a code span on one line, fit for a table cell, of at most `most` characters before they are made inert.
pub fn code(text: &str, most: usize) -> String {
    let inert = inert(&one_line(text, most)).replace('`', "'").replace('|', "\\|");
    if inert.is_empty() { "` `".to_owned() } else { format!("`{inert}`") }
}

/// Words as a block quote of at most `most` characters, with whether something was cut off. Ends with a line end.
pub fn quote(text: &str, most: usize) -> Quote {
    let inert = inert(visible(text).trim());
    let whole: usize = inert.lines().map(|line| line.chars().count() + 3).sum();
    let mut out = String::new();
    let mut used = 0;
    for line in inert.lines() {
        let left = most.saturating_sub(used + 3);
        let shown = cut(line.trim_end(), left);
        if left == 0 {
            break;
        }
        used += shown.chars().count() + 3;
        out.push_str(if shown.is_empty() { ">" } else { "> " });
        out.push_str(&shown);
        out.push('\n');
        if shown.chars().count() < line.trim_end().chars().count() {
            break;
        }
    }
    Quote { text: out, is_cut: whole > most }
}

/// Words in a block quote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// The block.
    pub text: String,
    /// Whether something was cut off.
    pub is_cut: bool,
}

/// Parts whatever a forge or Markdown would act on.
fn inert(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len() + 16);
    for (ix, &c) in chars.iter().enumerate() {
        if c == '.' && follows(&chars, ix, "www") {
            out.push(GAP);
        }
        out.push(c);
        let next = chars.get(ix + 1).copied();
        let acts = match c {
            // Mentions and mail addresses; tags, comments and `<links>`.
            '@' | '<' => true,
            // References such as #1 and org/x#1.
            '#' => next.is_some_and(char::is_numeric),
            // References such as GH-1.
            '-' => next.is_some_and(char::is_numeric) && follows(&chars, ix, "gh"),
            // Entities, which are characters again once rendered.
            '&' => next.is_some_and(|n| n.is_alphanumeric() || n == '#'),
            '!' => next == Some('['),
            // Links, and the definitions of links and footnotes.
            ']' => matches!(next, Some('(' | '[' | ':')),
            // Addresses.
            ':' => next == Some('/'),
            // Escapes, which would part what is looked at here and join it again once rendered.
            '\\' => next.is_none_or(|n| n.is_ascii_punctuation()),
            _ => false,
        };
        if acts {
            out.push(GAP);
        }
    }
    out
}

/// Whether the characters before `ix` are `word`, in whatever case.
fn follows(chars: &[char], ix: usize, word: &str) -> bool {
    let before = &chars[..ix];
    before.len() >= word.len()
        && before[before.len() - word.len()..]
            .iter()
            .zip(word.chars())
            .all(|(c, w)| c.eq_ignore_ascii_case(&w))
}
