//! Checkpoints: the state of a node at one moment, as a file.
