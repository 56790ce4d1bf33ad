//! View layer.
