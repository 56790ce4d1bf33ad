//! The core against a small scripted world.

mod conditions;
mod course;
mod draw;
mod liveness;
mod loops;
mod mended;
mod outage;
mod prefixes;
mod probes;
mod review;
mod shapes;
mod simulated;
mod taken_up;
mod undo;
mod undo_parts;
mod warm;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use draw::*;
use prefixes::same_end_from_every_prefix;
use world::*;

use super::{Core, Input, Report};
use crate::event::*;
use crate::graph::{self, Command, DiffPolicy, Handoff, MergePolicy, Millis, Teardown};
use crate::id::{LaneId, Sha, TaskId};
use crate::plan::{Plan, Work};
