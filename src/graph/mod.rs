//! graph
pub mod model;
pub use model::*;
/// temp
pub fn lane_needs(
    g: &Graph,
) -> std::collections::BTreeMap<crate::id::LaneId, std::collections::BTreeSet<crate::id::LaneId>> {
    let _ = g;
    Default::default()
}
