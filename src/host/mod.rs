//! The host: everything that touches the machine.
