//! The replica: what a node's own file of messages holds, line by line and in sum.
//!
//! `record` is one message and its line in the file; `positions` and `ids` are compact sets of what a replica
//! holds, `by_id` a map by message id; `digest` sums ranges of a replica up so that two nodes can find out where theirs differ; `scan` reads a
//! replica file whatever is in it.

pub mod by_id;
pub mod content;
pub mod digest;
pub mod frames;
pub mod ids;
pub mod intervals;
pub mod positions;
pub mod record;
pub mod scan;

pub use by_id::ById;
pub use content::Content;
pub use digest::Digest;
pub use ids::IdSet;
pub use intervals::Intervals;
pub use positions::PositionSet;
pub use record::Record;
pub use scan::Scan;
