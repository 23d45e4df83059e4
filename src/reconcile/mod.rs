//! Reconciling: merging replicas until they are equal in canonical order.
