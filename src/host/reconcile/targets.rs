//! Which replicas are reconciled: the files named, or all that a data folder has.
#![allow(clippy::disallowed_methods)] // Looks at what there is in a folder.

use std::path::{Path, PathBuf};

use super::ReconcileError;
use crate::host::disk::Paths;
use crate::host::files;
use crate::words::NodeId;

/// A replica to be reconciled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The node, if the file is named `node-<id>.jsonl`.
    pub node: Option<NodeId>,
    /// The file, which may be missing: then the replica lacks everything.
    pub path: PathBuf,
    /// The data folder, if the file is where a node of it keeps its replica.
    pub data_dir: Option<PathBuf>,
}

impl Target {
    /// The replica in this file.
    fn of_file(path: PathBuf) -> Target {
        let node = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(node_of_file);
        let folder = path
            .parent()
            .filter(|folder| folder.file_name() == Some("replicas".as_ref()));
        let data_dir = node.and(folder).and_then(Path::parent).map(Path::to_path_buf);
        Target { node, path, data_dir }
    }

    /// Where the node keeps everything, if the file is a node's.
    pub fn paths(&self) -> Option<Paths> {
        Some(Paths::new(self.data_dir.as_ref()?, self.node?))
    }

    /// Fails if the file is missing and no node is known that lost it, or if it is something else than a file.
    fn check(self) -> Result<Target, ReconcileError> {
        if self.path.is_file() {
            return Ok(self);
        }
        if self.path.exists() {
            return Err(ReconcileError::NotAFile(self.path));
        }
        match self.paths().is_some_and(|paths| paths.own.is_dir()) {
            true => Ok(self),
            false => Err(ReconcileError::NoFile(self.path)),
        }
    }
}

/// The replicas in the files named, each once, in the order of their nodes: the order of naming does not matter.
pub fn named(paths: &[PathBuf]) -> Result<Vec<Target>, ReconcileError> {
    let mut targets = Vec::new();
    for path in paths {
        // The real path, so that a file named twice is one replica, and a link stays one.
        let real = std::fs::canonicalize(path).or_else(|_| {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = std::fs::canonicalize(folder.unwrap_or(Path::new(".")))?;
            Ok::<PathBuf, std::io::Error>(folder.join(path.file_name().unwrap_or_default()))
        });
        let real = real.map_err(|_| ReconcileError::NoFile(path.clone()))?;
        targets.push(Target::of_file(real).check()?);
    }
    targets.sort();
    targets.dedup();
    Ok(targets)
}

/// The replicas of a data folder: one for each replica file, and for each node that has a checkpoint folder.
pub fn all_in(data_dir: &Path) -> Result<Vec<Target>, ReconcileError> {
    let (replicas, checkpoints) = (data_dir.join("replicas"), data_dir.join("checkpoints"));
    if !replicas.is_dir() {
        return Err(ReconcileError::NoFolder(replicas));
    }
    let names = files::names(&replicas)?;
    let mut nodes: Vec<NodeId> = names.iter().filter_map(|name| node_of_file(name)).collect();
    if checkpoints.is_dir() {
        let names = files::names(&checkpoints)?;
        nodes.extend(names.iter().filter_map(|name| node_of(name)));
    }
    nodes.sort();
    nodes.dedup();
    if nodes.is_empty() {
        return Err(ReconcileError::NoReplicas(replicas));
    }
    let file = |node: NodeId| replicas.join(format!("node-{node}.jsonl"));
    let target = |node: NodeId| Target::of_file(file(node)).check();
    nodes.into_iter().map(target).collect()
}

/// The node of a replica's file name.
fn node_of_file(name: &str) -> Option<NodeId> {
    name.strip_suffix(".jsonl").and_then(node_of)
}

/// The node of `node-<id>`, in the one spelling of its id.
fn node_of(name: &str) -> Option<NodeId> {
    let digits = name.strip_prefix("node-")?;
    let id: u16 = digits.parse().ok()?;
    (id > 0 && id.to_string() == digits).then_some(NodeId(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A data folder with these files and folders (those that end with a slash).
    fn folder(entries: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for entry in entries {
            let path = folder.path().join(entry);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            if entry.ends_with('/') {
                std::fs::create_dir_all(path).unwrap();
            } else {
                std::fs::write(path, "").unwrap();
            }
        }
        folder
    }

    fn nodes(targets: &[Target]) -> Vec<Option<u16>> {
        targets
            .iter()
            .map(|target| target.node.map(|node| node.0))
            .collect()
    }

    #[test]
    fn a_data_folder_has_its_replicas_and_the_nodes_that_lost_theirs() {
        let folder = folder(&[
            "replicas/node-10.jsonl",
            "replicas/node-2.jsonl",
            "replicas/node-2.damaged-1.jsonl",
            "replicas/node-02.jsonl",
            "replicas/node-0.jsonl",
            "replicas/notes.txt",
            "checkpoints/node-2/",
            "checkpoints/node-7/",
        ]);
        let targets = all_in(folder.path()).unwrap();
        assert_eq!(nodes(&targets), [Some(2), Some(7), Some(10)]);
        let own = targets[1].paths().unwrap().own;
        assert_eq!(own, folder.path().join("checkpoints/node-7"));
    }

    #[test]
    fn a_folder_without_replicas_is_an_error_that_names_it() {
        let empty = folder(&["replicas/"]);
        let error = all_in(empty.path()).unwrap_err();
        assert!(matches!(error, ReconcileError::NoReplicas(_)), "{error}");
        let error = all_in(&empty.path().join("nowhere")).unwrap_err();
        assert!(matches!(error, ReconcileError::NoFolder(_)), "{error}");
        assert!(error.to_string().contains("nowhere/replicas"), "{error}");
    }

    #[test]
    fn a_file_named_twice_is_one_replica_and_the_order_does_not_matter() {
        let folder = folder(&["replicas/node-3.jsonl", "copies/other.jsonl"]);
        let paths = [
            "replicas/node-3.jsonl",
            "copies/other.jsonl",
            "copies/../copies/other.jsonl",
        ];
        let mut paths = paths.map(|path| folder.path().join(path));
        let targets = named(&paths).unwrap();
        assert_eq!(nodes(&targets), [None, Some(3)]);
        assert_eq!(targets[0].data_dir, None);
        paths.reverse();
        assert_eq!(named(&paths).unwrap(), targets);
    }

    #[test]
    fn a_missing_file_is_an_error_unless_its_node_is_known() {
        let folder = folder(&["replicas/", "checkpoints/node-4/"]);
        assert!(named(&[folder.path().join("replicas/node-4.jsonl")]).is_ok());
        let error = named(&[folder.path().join("replicas/node-5.jsonl")]).unwrap_err();
        assert!(matches!(error, ReconcileError::NoFile(_)), "{error}");
        let error = named(&[folder.path().join("replicas")]).unwrap_err();
        assert!(matches!(error, ReconcileError::NotAFile(_)), "{error}");
    }
}
