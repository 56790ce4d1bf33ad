//! Event layer.
