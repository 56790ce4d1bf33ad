//! Exec layer.
