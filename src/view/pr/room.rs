//! What keeps a text within bounds: lists that count what does not fit, and fences that hold.

use crate::view::plain::put;

/// A fence that nothing in `text` can close.
pub(super) fn fence(text: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    "`".repeat(3.max(longest + 1))
}

/// The room of a list: what does not fit is counted, and from there on nothing is taken.
pub(super) struct Room {
    left: usize,
    left_out: usize,
}

impl Room {
    pub(super) fn new(characters: usize) -> Self {
        Self { left: characters, left_out: 0 }
    }

    pub(super) fn put(&mut self, out: &mut String, text: &str) {
        let size = text.chars().count();
        if self.left_out > 0 || size > self.left {
            self.left_out += 1;
        } else {
            self.left -= size;
            out.push_str(text);
        }
    }

    /// Ends a list of things that the status of the run has.
    pub(super) fn close(self, out: &mut String, noun: &str) {
        self.close_for(out, noun, "`laneway status --json`");
    }

    /// Ends a list of things that `elsewhere` has.
    pub(super) fn close_for(self, out: &mut String, noun: &str, elsewhere: &str) {
        if self.left_out > 0 {
            let s = if self.left_out == 1 { "" } else { "s" };
            let count = self.left_out;
            put(out, format_args!("\n{count} more {noun}{s} left out here; {elsewhere} has them all."));
        }
    }
}
