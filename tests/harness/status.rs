//! The answer of `status --json`, asked by id.

use std::collections::BTreeMap;

use serde_json::Value;

/// What `status --json` says.
#[derive(Debug)]
pub(crate) struct Status(Value);

impl Status {
    /// Of an answer to `status --json`.
    pub(crate) fn of(value: Value) -> Self {
        Self(value)
    }

    /// The whole answer.
    pub(crate) fn value(&self) -> &Value {
        &self.0
    }

    /// A lane.
    #[track_caller]
    pub(crate) fn lane(&self, id: &str) -> &Value {
        self.one("lanes", id)
    }

    /// A task.
    #[track_caller]
    pub(crate) fn task(&self, id: &str) -> &Value {
        self.one("tasks", id)
    }

    /// The commit at which a lane's integration branch stands.
    #[track_caller]
    pub(crate) fn tip(&self, lane: &str) -> &str {
        text(self.lane(lane), "tip")
    }

    /// The number of a lane's pull request, as an argument.
    #[track_caller]
    pub(crate) fn pr(&self, lane: &str) -> String {
        let pr = &self.lane(lane)["pr"]["number"];
        match pr.as_u64() {
            Some(number) => number.to_string(),
            None => panic!("lane `{lane}` has no pull request: {:#}", self.0),
        }
    }

    /// How many attempts a task has had.
    #[track_caller]
    pub(crate) fn attempts(&self, task: &str) -> u64 {
        let attempts = &self.task(task)["attempts"];
        attempts.as_u64().unwrap_or_else(|| panic!("no number of attempts: {attempts}"))
    }

    /// Expects the run, every lane and every task to stand so.
    #[track_caller]
    pub(crate) fn expect(&self, state: &str, lanes: &[(&str, &str)], tasks: &[(&str, &str)]) {
        let wanted = |list: &[(&str, &str)]| -> BTreeMap<String, String> {
            list.iter().map(|(id, status)| ((*id).to_owned(), (*status).to_owned())).collect()
        };
        let found = (text(&self.0, "state"), self.statuses("lanes"), self.statuses("tasks"));
        assert_eq!(found, (state, wanted(lanes), wanted(tasks)), "{:#}", self.0);
    }

    /// Where the run, its lanes and its tasks stand, for a comparison with another run.
    #[track_caller]
    pub(crate) fn outline(&self) -> (String, BTreeMap<String, String>, BTreeMap<String, String>) {
        (text(&self.0, "state").to_owned(), self.statuses("lanes"), self.statuses("tasks"))
    }

    fn statuses(&self, list: &str) -> BTreeMap<String, String> {
        let entries = self.0[list].as_array().map_or(&[][..], Vec::as_slice);
        let one = |entry: &Value| (text(entry, "id").to_owned(), text(entry, "status").to_owned());
        entries.iter().map(one).collect()
    }

    #[track_caller]
    fn one(&self, list: &str, id: &str) -> &Value {
        let mut entries = self.0[list].as_array().map_or(&[][..], Vec::as_slice).iter();
        match entries.find(|entry| entry["id"] == id) {
            Some(entry) => entry,
            None => panic!("there is no `{id}` in `{list}`: {:#}", self.0),
        }
    }
}

#[track_caller]
fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    match value[key].as_str() {
        Some(text) => text,
        None => panic!("no text in `{key}`: {value:#}"),
    }
}
