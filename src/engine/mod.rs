//! Engine layer.
