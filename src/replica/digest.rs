//! Digests of ranges of a replica, by which two nodes find out where theirs differ.
/// The digest of a whole replica, in blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digest {}
