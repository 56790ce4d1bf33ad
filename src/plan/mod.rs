//! Plan layer.
