//! Render layer.
