//! Agent layer.
