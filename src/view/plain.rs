//! Text of unknown origin, made fit for a terminal: what it says stays, what it does goes.

use std::fmt::{self, Write as _};

/// Text on one line: white space becomes single spaces, escape sequences and invisible characters go, and of more
/// than `most` characters the end is cut off and marked by `…`.
pub fn one_line(text: &str, most: usize) -> String {
    let visible = visible(text);
    let mut out = String::new();
    for word in visible.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    cut(&out, most)
}

/// Text on its own lines, without escape sequences and invisible characters.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' if chars.peek() == Some(&'[') => {
                chars.next();
                while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
            }
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push('\n'),
            '\t' => out.push(' '),
            c if c.is_control() || is_invisible(c) => {}
            c => out.push(c),
        }
    }
    out
}

/// The first `most` characters, the last of them `…` where something is left out.
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(most.saturating_sub(1)).collect();
    if most > 0 {
        out.push('…');
    }
    out
}

/// Adds a line with its line end.
pub fn put(out: &mut String, line: fmt::Arguments<'_>) {
    writeln!(out, "{line}").expect("a string takes everything");
}

/// Whether a character shows nothing itself but changes how others are read: writing direction, joiners, tags.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cannot_move_the_cursor_or_turn_the_text_around() {
        let hostile = "\u{1b}[2J\u{1b}[31mred\u{1b}[0m\r\nnext\u{202e}txt\u{200b}.exe\u{7}\ttail";
        assert_eq!(one_line(hostile, 80), "red nexttxt.exe tail");
        assert_eq!(visible("a\r\nb\rc\u{2028}d"), "a\nb\nc\nd");
    }

    #[test]
    fn a_cut_shows_and_counts_characters_not_bytes() {
        assert_eq!(one_line("äöü", 3), "äöü");
        assert_eq!(one_line("äöüß", 3), "äö…");
        assert_eq!(one_line("   ", 3), "");
    }

    proptest::proptest! {
        #[test]
        fn any_text_becomes_one_printable_bounded_line(text in "\\PC{0,40}|.{0,40}", most in 1usize..50) {
            let line = one_line(&text, most);
            proptest::prop_assert!(line.chars().count() <= most);
            proptest::prop_assert!(!line.chars().any(|c| c.is_control() || is_invisible(c)), "{line:?}");
        }
    }
}
