//! Cli layer.
