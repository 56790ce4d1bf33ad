//! Runtime layer.
