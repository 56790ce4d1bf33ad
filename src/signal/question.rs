//! A question of an agent to a person.

use serde::{Deserialize, Serialize};

/// What a file in `ask/` asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The question.
    pub question: String,
    /// Answers to choose from; any answer where it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

impl Question {
    /// Reads the text of an `ask/` file: the JSON form, or else the whole text is the question.
    pub fn parse(text: &str) -> Self {
        serde_json::from_str(text)
            .unwrap_or_else(|_| Self { question: text.trim().to_owned(), options: Vec::new() })
    }

    /// The text of an `ask/` file.
    pub(super) fn render(&self) -> String {
        if self.options.is_empty() {
            return format!("{}\n", self.question.trim());
        }
        format!("{:#}\n", serde_json::json!({ "question": self.question, "options": self.options }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ar27_a_question_is_plain_text_or_json() {
        let plain = Question::parse("which database?\n");
        assert_eq!(plain, Question { question: "which database?".to_owned(), options: vec![] });
        let chosen =
            Question { question: "which?".to_owned(), options: vec!["a".to_owned(), "b".to_owned()] };
        assert_eq!(Question::parse(&chosen.render()), chosen);
        assert_eq!(Question::parse("{broken").question, "{broken");
    }
}
