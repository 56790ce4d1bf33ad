//! Git layer.
