//! What a workstream's lane is furnished with.

use crate::graph::code::Code;
use crate::graph::diagnostic::Diagnostic;
use crate::graph::file::{SetupFile, Short, WorkstreamFile};
use crate::graph::furnish::{Furnishing, Setup};
use crate::graph::read::{At, Reader};
use crate::graph::substitution::Values;

impl Reader<'_> {
    /// Returns it with its substitutions filled in, and notes what cannot be meant.
    pub(super) fn furnishing(&mut self, file: &WorkstreamFile, values: Values<'_>) -> Furnishing {
        let setup = file.setup.items().iter().filter_map(|at| self.setup(at, values)).collect();
        let mut ports: Vec<String> = Vec::new();
        for port in file.ports.items() {
            let name = &port.value.0;
            if ports.contains(name) {
                let message = format!("`{name}` is listed twice");
                let hint = "each name gets a port of its own; remove one of the two".to_owned();
                self.push(
                    Diagnostic::new(Code::Duplicate, port.span.clone(), message, "listed again").hint(hint),
                );
            } else {
                ports.push(name.clone());
            }
        }
        let copy = file.copy.value().map(|globs| globs.iter().map(|glob| glob.value.0.clone()).collect());
        let sparse = file.sparse.items().iter().map(|folder| folder.value.0.clone()).collect();
        let (submodules, lfs) = (file.submodules.value().copied(), file.lfs.value().copied());
        Furnishing { copy, setup, ports, sparse, submodules, lfs }
    }

    fn setup(&mut self, at: &At<Short<SetupFile>>, values: Values<'_>) -> Option<Setup> {
        let file = &at.value.0;
        let run = file.run.get()?;
        let command = self.command(&run.value.0, &run.span, values);
        if !file.makes.items().is_empty() && file.reads.items().is_empty() {
            let message = "`makes` without `reads`: nothing says when the result is out of date";
            let hint =
                "name the files that it depends on, such as `reads = [\"package-lock.json\"]`".to_owned();
            self.push(Diagnostic::new(Code::MissingKey, at.span.clone(), message, "no `reads`").hint(hint));
        }
        Some(Setup {
            command,
            reads: file.reads.items().iter().map(|path| path.value.0.clone()).collect(),
            makes: file.makes.items().iter().map(|path| path.value.0.clone()).collect(),
            timeout: file.timeout.value().copied(),
        })
    }
}
