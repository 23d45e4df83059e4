//! The frames of a stream between two nodes.
