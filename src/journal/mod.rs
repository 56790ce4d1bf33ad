//! Journal layer.
