//! When lanes are compared: as work lands, one probe at a time, which covers all that has moved since the last.

use super::super::EngineError;
use super::super::core::Core;
use crate::event::{Effect, Entity, Envelope, Event, RunStatus, Subject};

/// Whether lanes may stand elsewhere after this, or a probe that they wait for is over.
pub(in crate::engine) fn moves_lanes(envelope: &Envelope) -> bool {
    match &envelope.event {
        Event::MergeRecorded(_) | Event::LaneSynced(_) | Event::LaneProvisioned(_) | Event::PrMerged(_) => {
            true
        }
        Event::WorkflowTransition(event) => event.of == Entity::Lane || event.of == Entity::Run,
        Event::EffectConfirmed(event) => is_probe(&event.id.0),
        Event::EffectFailed(event) => is_probe(&event.id.0),
        _ => false,
    }
}

fn is_probe(id: &str) -> bool {
    id.starts_with("probe/")
}

/// Has the lanes that moved compared with the others. A single lane meets nobody, and its target when its pull request is
/// opened. Nothing waits for the answer.
pub(in crate::engine) fn probe(core: &mut Core) -> Result<(), EngineError> {
    let run = &core.state.run;
    // One at rest still hears of merges, which move the targets of the lanes that are left.
    let goes_on = run.status.is_some_and(|status| status != RunStatus::Cancelled)
        && !run.cancelled
        && run.interrupts == 0;
    if core.plan.lanes.len() < 2 || !goes_on || core.state.is_probing() {
        return Ok(());
    }
    let (moved, gone) = core.state.unprobed();
    // The first lane with work of its own has nobody to meet yet.
    if moved.is_empty() && gone.is_empty() || core.state.run.probed.len() + moved.len() < 2 {
        return Ok(());
    }
    let id = |lane: usize| core.plan.lanes[lane].id.clone();
    let effect = Effect::Probe {
        n: core.state.run.probes + 1,
        moved: moved.into_iter().map(|(lane, tip)| (id(lane), tip)).collect(),
        gone: gone.into_iter().map(id).collect(),
    };
    core.intend(Subject::default(), effect)
}
