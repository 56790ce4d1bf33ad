//! An error, so that it says what to do next.

use super::style::{Palette, paint};
use crate::view::plain::{put, visible};

/// An error for people: what went wrong, what caused it, what to run next.
pub fn error(message: &str, causes: &[String], hints: &[String], palette: &Palette) -> String {
    let mut out = String::new();
    let parts = std::iter::once((paint(palette.bad, "error"), "", message))
        .chain(causes.iter().map(|cause| (paint(palette.dim, "caused by"), "  ", cause.as_str())))
        .chain(hints.iter().map(|hint| (paint(palette.good, "hint"), "", hint.as_str())));
    for (label, indent, text) in parts {
        let text = visible(text);
        let mut lines = text.trim().lines();
        put(&mut out, format_args!("{indent}{label}: {}", lines.next().unwrap_or_default()));
        for line in lines {
            put(&mut out, format_args!("{}", format!("{indent}  {line}").trim_end()));
        }
    }
    out
}

/// The messages of what caused `error`, outermost first. One that its error repeats word for word is left out.
pub fn causes(error: &dyn std::error::Error) -> Vec<String> {
    let mut out = Vec::new();
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !said.ends_with(&text) {
            out.push(text.clone());
        }
        said = text;
        next = cause.source();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the plan cannot be read")]
    struct Outer(#[source] Middle);

    #[derive(Debug, thiserror::Error)]
    #[error("`plan.json` is not there: {0}")]
    struct Middle(#[source] std::io::Error);

    #[test]
    fn an_error_says_its_causes_once_and_what_to_do() {
        let failure = Outer(Middle(std::io::Error::other("no such file")));
        let text = error(
            &failure.to_string(),
            &causes(&failure),
            &["run `laneway check`\nor look at\u{1b}[31m it".to_owned()],
            &Palette::plain(),
        );
        insta::assert_snapshot!(text, @r#"
    error: the plan cannot be read
      caused by: `plan.json` is not there: no such file
    hint: run `laneway check`
      or look at it
    "#);
    }
}
