//! What a task knows and must deliver: role, paths, inputs, outputs, decision record.

use std::collections::HashMap;

use super::tables::Context;
use crate::graph::code::Code;
use crate::graph::contract::{Adr, AdrLevel, Contract, ExpectedOutput, InputFrom};
use crate::graph::diagnostic::Diagnostic;
use crate::graph::file::{InputFile, OutputFile, TaskFile};
use crate::graph::model::DiffPolicy;
use crate::graph::read::{At, Field};
use crate::graph::role::GENERIC;
use crate::id::{Category, RoleName};

impl Context<'_, '_, '_> {
    pub(super) fn contract(&mut self, task: &At<TaskFile>) -> Option<Contract> {
        let file = &task.value;
        let (role, adr) = (self.role(file), self.adr(file));
        let paths = file.paths.value().map_or(&[][..], |named| named.0.as_slice());
        let paths = paths
            .iter()
            .map(|(category, paths)| {
                let paths = paths.value.iter().map(|path| path.value.0.clone()).collect();
                (category.value.clone(), paths)
            })
            .collect();
        let outputs = self.outputs(file.outputs.items());
        let inputs: Option<Vec<InputFrom>> = file.inputs.items().iter().map(input).collect();
        // A role or a record that is not good has its diagnostic, and the graph is refused.
        let when = file.when.value().map(|when| when.0.clone());
        Some(Contract { role, paths, when, inputs: inputs?, outputs: outputs?, adr })
    }

    /// The role of an agent; a command has none.
    fn role(&mut self, file: &TaskFile) -> Option<RoleName> {
        let Some(at) = file.role.get() else {
            let agents = file.run.is_absent() && file.role.is_absent();
            return agents.then(|| RoleName::new(GENERIC).expect("the word is an id"));
        };
        if self.roles.contains_key(&at.value) {
            return Some(at.value.clone());
        }
        let names = self.roles.keys().map(RoleName::as_str);
        let hint = match self.reader.nearest.find(at.value.as_str(), names) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("write it down in `roles/{}.md` beside the graph file", at.value),
        };
        let message = format!("there is no role `{}`", at.value);
        let label = "neither built in nor written down";
        self.reader.push(Diagnostic::new(Code::UnknownRole, at.span.clone(), message, label).hint(hint));
        None
    }

    fn adr(&mut self, file: &TaskFile) -> Option<Adr> {
        let at = file.adr.get()?;
        let level = *at.value.0.level.value()?;
        if level == AdrLevel::None {
            return None;
        }
        if file.diff.value() == Some(&DiffPolicy::None) {
            let message = "a decision record is asked for, and `diff = \"none\"` lets nothing be changed";
            let hint = "remove `adr` or `diff`".to_owned();
            let label = "could never be written";
            self.reader
                .push(Diagnostic::new(Code::Contradiction, at.span.clone(), message, label).hint(hint));
            return None;
        }
        let folder = at.value.0.folder.value().map_or(Adr::FOLDER, |folder| folder.0.as_str());
        Some(Adr { level, folder: folder.to_owned() })
    }

    fn outputs(&mut self, files: &[At<OutputFile>]) -> Option<Vec<ExpectedOutput>> {
        let mut seen: HashMap<&Category, &At<Category>> = HashMap::new();
        let mut all = Some(Vec::new());
        for file in files {
            let one = self.output(&file.value);
            if let Some(category) = file.value.category.get()
                && let Some(first) = seen.insert(&category.value, category)
            {
                let message = format!("`outputs` names the category `{}` twice", category.value);
                let diagnostic =
                    Diagnostic::new(Code::Duplicate, category.span.clone(), message, "named again")
                        .related(first.span.clone(), "named here first")
                        .hint("make them one".to_owned());
                self.reader.push(diagnostic);
            }
            match (one, &mut all) {
                (Some(one), Some(all)) => all.push(one),
                _ => all = None,
            }
        }
        all
    }

    fn output(&mut self, file: &OutputFile) -> Option<ExpectedOutput> {
        let min = file.min.value().map_or(1, |number| number.count());
        let max = file.max.value().map(|number| number.count());
        if let (Some(most), Some(at)) = (max, file.max.get())
            && most < min
        {
            let message = format!("at least {min} outputs and at most {most} cannot both hold");
            let hint = format!("raise `max`, or set `min` to {most} or less");
            self.reader.push(
                Diagnostic::new(Code::Contradiction, at.span.clone(), message, "below the least").hint(hint),
            );
        }
        let bad = matches!(file.min, Field::Bad) || matches!(file.max, Field::Bad);
        (!bad).then_some(())?;
        Some(ExpectedOutput { category: file.category.value()?.clone(), min, max })
    }
}

fn input(file: &At<InputFile>) -> Option<InputFrom> {
    let InputFile { task, category } = &file.value;
    Some(InputFrom { task: task.value()?.clone(), category: category.value()?.clone() })
}
