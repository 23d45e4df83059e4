//! Where a node's files are.

use std::path::{Path, PathBuf};

use crate::words::NodeId;

/// The folder of the replicas in a data folder.
pub const REPLICAS: &str = "replicas";
/// The folder of the nodes' checkpoint folders in a data folder.
pub const CHECKPOINTS: &str = "checkpoints";

/// The paths of one node's files.
#[derive(Clone, Debug)]
pub struct Paths {
    /// `replicas/`: one file for each node.
    pub replicas: PathBuf,
    /// `checkpoints/node-<id>/`: everything else of this node.
    pub own: PathBuf,
    id: NodeId,
}

impl Paths {
    /// The paths of node `id` below `data_dir`.
    pub fn new(data_dir: &Path, id: NodeId) -> Paths {
        Paths {
            replicas: data_dir.join(REPLICAS),
            own: data_dir.join(CHECKPOINTS).join(format!("node-{id}")),
            id,
        }
    }

    /// The replica, one message a line.
    pub fn replica(&self) -> PathBuf {
        self.replicas.join(format!("node-{}.jsonl", self.id))
    }

    /// Where damaged lines of the replica are set aside.
    pub fn replica_damaged(&self) -> PathBuf {
        self.replicas.join(format!("node-{}.damaged.txt", self.id))
    }

    /// Held while the node lives; says its process id.
    pub fn lock(&self) -> PathBuf {
        self.own.join("lock")
    }

    /// The incarnation and the largest epoch.
    pub fn identity(&self) -> PathBuf {
        self.own.join("identity.json")
    }

    /// What was said and is not in the replica yet.
    pub fn outbox(&self) -> PathBuf {
        self.own.join("outbox.jsonl")
    }

    /// Chunks accepted but not delivered (only with `--quorum`).
    pub fn accepted(&self) -> PathBuf {
        self.own.join("accepted.jsonl")
    }

    /// How often the replica was rewritten.
    pub fn generation(&self) -> PathBuf {
        self.own.join("generation.json")
    }

    /// What a start has to know of the replica without reading it.
    pub fn books(&self) -> PathBuf {
        self.own.join("books.jsonl")
    }

    /// The checkpoint of this number.
    pub fn checkpoint(&self, number: u64) -> PathBuf {
        self.own.join(format!("{number}.json"))
    }
}
