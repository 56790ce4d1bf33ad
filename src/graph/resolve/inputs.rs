//! Where inputs come from: tasks before the one that takes them, which declare what it takes.

use super::declarations::Declarations;
use crate::graph::code::Code;
use crate::graph::diagnostic::Diagnostic;
use crate::graph::file::{GraphFile, InputFile, TaskFile};
use crate::graph::read::{At, Reader};
use crate::id::{Category, TaskId};

/// Checks every input. `needs` are the needs of the tasks, by number.
pub(super) fn check(
    file: &GraphFile,
    declared: &Declarations<'_>,
    needs: &[Vec<usize>],
    reader: &mut Reader<'_>,
) {
    let tasks = file.tasks.items();
    for (number, task) in tasks.iter().enumerate() {
        for input in task.value.inputs.items() {
            let InputFile { task: from, category } = &input.value;
            if let (Some(from), Some(category)) = (from.get(), category.get()) {
                one(number, from, category, tasks, declared, needs, reader);
            }
        }
    }
}

fn one(
    number: usize,
    from: &At<TaskId>,
    category: &At<Category>,
    tasks: &[At<TaskFile>],
    declared: &Declarations<'_>,
    needs: &[Vec<usize>],
    reader: &mut Reader<'_>,
) {
    let wrong = |span: &std::ops::Range<usize>, message: String, label: &str, hint: String| {
        Diagnostic::new(Code::InputFromNowhere, span.clone(), message, label).hint(hint)
    };
    let Some(&upstream) = declared.tasks.get(&from.value) else {
        let names = declared.tasks.keys().map(|id| id.as_str());
        let hint = match reader.nearest.find(from.value.as_str(), names) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => "name a task that this one needs".to_owned(),
        };
        let message = format!("there is no task `{}`", from.value);
        return reader.push(wrong(&from.span, message, "no such task", hint));
    };
    if !comes_before(upstream, number, needs) {
        let message = format!("the task does not need `{}`, so its outputs may not be there yet", from.value);
        let hint = format!("add `{}` to `needs`", from.value);
        return reader.push(wrong(&from.span, message, "not a task before this one", hint));
    }
    let outputs = &tasks[upstream].value.outputs;
    let mut categories = outputs.items().iter().filter_map(|output| output.value.category.value());
    let unread = !outputs.is_absent() && outputs.get().is_none();
    if unread || categories.clone().any(|known| *known == category.value) {
        return;
    }
    let hint = match reader.nearest.find(category.value.as_str(), categories.by_ref().map(Category::as_str)) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => {
            format!("add `outputs = [{{ category = \"{}\" }}]` to task `{}`", category.value, from.value)
        }
    };
    let message = format!("task `{}` declares no output `{}`", from.value, category.value);
    reader.push(wrong(&category.span, message, "declared nowhere", hint));
}

/// Whether `task` needs `upstream`, itself or through others.
fn comes_before(upstream: usize, task: usize, needs: &[Vec<usize>]) -> bool {
    let mut seen = vec![false; needs.len()];
    let mut look = needs[task].clone();
    while let Some(need) = look.pop() {
        if need == upstream {
            return true;
        }
        if !std::mem::replace(&mut seen[need], true) {
            look.extend(&needs[need]);
        }
    }
    false
}
