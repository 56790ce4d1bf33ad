//! Signal layer.
