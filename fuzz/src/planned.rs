//! A plan for any graph, as if a repository had been looked at.

use std::collections::BTreeMap;

use laneway::agent::built_in;
use laneway::graph::{Diagnostics, Furnishing, Graph, Handoff, Millis, ProjectDefaults, Source, parse};
use laneway::id::{RunNo, Sha};
use laneway::plan::{ForgeKind, Identity, Inputs, LaneBase, Plan, PortRange, build};

pub(crate) fn source(text: &str) -> Source {
    Source { path: "g.toml".to_owned(), text: text.to_owned() }
}

pub(crate) fn read(source: &Source) -> Result<Graph, Diagnostics> {
    let known = ProjectDefaults { agents: built_in().clone(), roles: BTreeMap::new() };
    parse(source, &known)
}

pub(crate) fn plan(graph: &Graph) -> Plan {
    let base = |branch: &str| LaneBase {
        base: branch.to_owned(),
        base_sha: Sha::new(&"1".repeat(40)).expect("an object id"),
        target: branch.to_owned(),
    };
    let inputs = Inputs {
        run: RunNo(1),
        uuid: "u0".to_owned(),
        path: "g.toml".to_owned(),
        author: Identity { name: "Ann".to_owned(), email: "ann@example.org".to_owned() },
        repo: "/r".into(),
        record: "/r/.git/laneway".into(),
        board: "/r/.laneway/g/1".into(),
        worktrees: "/r/.worktrees/g".into(),
        remote: None,
        bases: graph.workstreams.iter().map(|lane| (lane.id.clone(), base("main"))).collect(),
        agents: built_in().clone(),
        attempts: 2,
        timeout: Millis(60_000),
        gate: None,
        max_parallel: 4,
        handoff: Handoff::Ready,
        grace: Millis(1000),
        forge: ForgeKind::Local,
        github: None,
        ports: PortRange::DEFAULT,
        lanes: Furnishing::default(),
        warm: 0,
    };
    build(graph, &inputs).expect("a graph that was accepted has a plan")
}
