//! Collecting what runs left and nobody needs any more: first a plan that changes nothing, then what the plan says.
//!
//! Nothing of a run goes that is carried, unfinished or not merged, nothing younger than asked for, and nothing that is not
//! Laneway's own. Objects that no ref holds any more are left to `git gc`.

mod abandoned;
mod plan;
mod size;
mod sweep;

pub use abandoned::abandoned;
pub use plan::{Item, Left, Spared, Thing, collect};
pub(super) use plan::{collect_stale, entries};
pub use sweep::{Swept, sweep};
