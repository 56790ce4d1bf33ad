//! Forge layer.
