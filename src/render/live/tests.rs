//! What is drawn, on a terminal that keeps what it is told.

use std::io;
use std::sync::{Arc, Mutex};

use indicatif::TermLike;

use super::*;
use crate::view::progress;
use crate::view::sample::{Story, lane};

#[derive(Debug, Clone, Default)]
struct Paper(Arc<Mutex<String>>);

impl Paper {
    fn put(&self, text: &str) {
        self.0.lock().expect("no test panics while it draws").push_str(text);
    }

    fn text(&self) -> String {
        self.0.lock().expect("no test panics while it draws").clone()
    }
}

impl TermLike for Paper {
    fn width(&self) -> u16 {
        60
    }
    fn height(&self) -> u16 {
        20
    }
    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn write_line(&self, text: &str) -> io::Result<()> {
        self.put(&format!("{text}\n"));
        Ok(())
    }
    fn write_str(&self, text: &str) -> io::Result<()> {
        self.put(text);
        Ok(())
    }
    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_lane_is_one_line_that_fits_and_a_written_line_stays() {
    let paper = Paper::default();
    let target = ProgressDrawTarget::term_like_with_hz(Box::new(paper.clone()), 255);
    let mut live = Live::new(target, Palette::plain());
    let mut story = Story::begun(crate::view::sample::SHOP);
    story.provision("api");
    story.start("types");
    let output = BTreeMap::from([(lane("api"), format!("\u{1b}[2Jreading\n{}", "x".repeat(200)))]);
    live.update(&progress(&story.plan, &story.state, story.now), &output);
    live.println("05:41:07 api  lane active").unwrap();
    let drawn = paper.text();
    assert!(drawn.contains("api  types 1/2  agent at work"), "{drawn:?}");
    assert!(drawn.contains("web  waiting for its turn"), "{drawn:?}");
    assert!(drawn.contains("05:41:07 api  lane active"), "{drawn:?}");
    assert!(drawn.contains("0 of 3 tasks done, 1 at work"), "{drawn:?}");
    assert!(!drawn.contains("[2J"), "an agent's output cannot clear the screen");
    assert!(
        drawn.contains("reading xxx") && !drawn.contains(&"x".repeat(60)),
        "a line is cut to the terminal's width: {drawn:?}"
    );
    live.finish().unwrap();
}

#[test]
fn output_is_shown_only_while_something_is_at_work() {
    let mut story = Story::begun(crate::view::sample::SHOP);
    story.provision("api");
    let line = |story: &Story| progress(&story.plan, &story.state, story.now).lanes[0].clone();
    let output = "compiling".to_owned();
    assert!(!lane_text(&line(&story), 3, Some(&output), &Palette::plain()).contains("compiling"));
    story.start("types");
    assert!(lane_text(&line(&story), 3, Some(&output), &Palette::plain()).ends_with("compiling"));
}
