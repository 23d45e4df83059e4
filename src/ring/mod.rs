//! The token ring.
