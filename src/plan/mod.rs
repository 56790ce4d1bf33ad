//! The plan: a graph and what was observed of the repository, turned into every name, path, base and order.
//!
//! A plan is specific enough that carrying it out leaves no choice open. It is frozen with its run; its digest is the
//! first entry of the journal.

mod build;
mod index;
mod inputs;
mod model;
mod names;
mod picture;
mod scope;

pub use build::{PlanError, build};
pub use index::{Index, LaneIx, TaskIx};
pub use inputs::{Inputs, LaneBase};
pub use model::{
    ForgeKind, GitHubPlace, Identity, LanePlan, NoPortRange, PLAN_SCHEMA, Places, Plan, PlanSource,
    PortRange, RemotePlan, ReviewPlan, Settings, Share, TaskPlan, Work,
};
pub use names::{
    custody_ref, gate_worktree, integration_branch, pr_marker, revert_branch, revert_marker, review_worktree,
    task_branch, task_pr_branch, task_pr_marker, task_worktree,
};
pub use picture::{dot, mermaid};
pub use scope::Scope;
