//! State layer.
