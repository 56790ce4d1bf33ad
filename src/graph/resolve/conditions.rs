//! What conditions look at: tasks that the task needs, so that they have ended when it is asked.

use super::declarations::Declarations;
use crate::graph::code::Code;
use crate::graph::diagnostic::Diagnostic;
use crate::graph::file::{GraphFile, TaskFile};
use crate::graph::read::{At, Reader};
use crate::id::{Category, TaskId};

/// Checks every `when`.
pub(super) fn check(file: &GraphFile, declared: &Declarations<'_>, reader: &mut Reader<'_>) {
    let tasks = file.tasks.items();
    for task in tasks {
        let Some(when) = task.value.when.get() else { continue };
        let mut after = when.span.start;
        for (from, category) in when.value.0.condition.looks_at() {
            let shown = match category {
                Some(category) => format!("tasks.{from}.outputs.{category}"),
                None => format!("tasks.{from}.outcome"),
            };
            let place = reader.find(&shown, &when.span, &mut after);
            if let Some(problem) = stranger(task, from, declared, reader) {
                let (message, hint) = problem;
                let label = "not a need of this task";
                reader.push(Diagnostic::new(Code::BadCondition, place, message, label).hint(hint));
            } else if let Some(category) = category
                && !declares(&tasks[declared.tasks[from]].value, category)
            {
                let message = format!("task `{from}` declares no output `{category}`");
                let hint =
                    format!("add `outputs = [{{ category = \"{category}\", min = 0 }}]` to task `{from}`");
                let label = "declared nowhere";
                reader.push(Diagnostic::new(Code::InputFromNowhere, place, message, label).hint(hint));
            }
        }
    }
}

/// What is wrong with looking at a task that this one does not need.
fn stranger(
    task: &At<TaskFile>,
    from: &TaskId,
    declared: &Declarations<'_>,
    reader: &mut Reader<'_>,
) -> Option<(String, String)> {
    let needs = task.value.needs.items();
    if needs.iter().any(|need| need.value == *from) && declared.tasks.contains_key(from) {
        return None;
    }
    if declared.tasks.contains_key(from) {
        let message = format!("the condition looks at `{from}`, which may not have ended by then");
        return Some((message, format!("add `{from}` to `needs`")));
    }
    let names = declared.tasks.keys().map(|id| id.as_str());
    let hint = match reader.nearest.find(from.as_str(), names) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "look at a task that this one needs".to_owned(),
    };
    Some((format!("there is no task `{from}`"), hint))
}

fn declares(task: &TaskFile, category: &Category) -> bool {
    let unread = !task.outputs.is_absent() && task.outputs.get().is_none();
    unread || task.outputs.items().iter().any(|output| output.value.category.value() == Some(category))
}
