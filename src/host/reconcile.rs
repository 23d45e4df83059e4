//! Reconciling replicas: files at rest, locked and merged here, and live nodes, which are asked.
//!
//! What is done to contents is the business of [`crate::reconcile`]; here are files and network. A replica that
//! is equal to the merged one already is not touched, and a live node's file is never written from here.
#![allow(clippy::disallowed_methods)] // Looks whether a lock is there.

mod ahead;
mod error;
mod live;
mod rest;
mod rewrite;
mod spool;
mod targets;
mod work;
mod writer;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::SocketAddrV4;
use std::path::PathBuf;

use self::live::Wanted;
use self::targets::Target;
use self::work::Work;
use crate::host::disk::{DiskError, Lock};
use crate::reconcile::Report;
use crate::words::NodeId;

pub use self::error::ReconcileError;

/// Where live nodes are looked for.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// The multicast group.
    pub group: SocketAddrV4,
    /// Name or address of the interface; `None` for that of the default route.
    pub interface: Option<String>,
    /// The file with the group key, if the group has one.
    pub key_file: Option<PathBuf>,
    /// How long to listen after the last node that answered, in microseconds.
    pub wait_us: u64,
}

/// What is to be reconciled, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder with `replicas/` and `checkpoints/`.
    pub data_dir: PathBuf,
    /// Live nodes; without it only files at rest are reached.
    pub live: Option<LiveOptions>,
    /// Whether nothing is changed.
    pub check: bool,
    /// The replicas at rest; all of the data folder if none is named.
    pub replicas: Vec<PathBuf>,
}

/// A replica whose node is running.
struct Running {
    node: NodeId,
    /// What is said if the node does not answer.
    error: ReconcileError,
}

/// Makes replicas equal, or says whether they are.
pub fn reconcile(options: &Options) -> Result<Report, ReconcileError> {
    let (targets, nothing) = find(options)?;
    let (mut work, running) = open(targets, options)?;
    work.survey()?;
    let Some(network) = &options.live else {
        return match running.into_iter().next() {
            Some(running) => Err(running.error),
            None => settled(&work, options),
        };
    };
    let rest = (!work.is_empty())
        .then(|| work.at_rest(&options.data_dir))
        .transpose()?;
    let wanted = Wanted {
        rest,
        required: running
            .iter()
            .map(|running| running.node)
            .collect::<BTreeSet<_>>(),
        check: options.check,
        scratch_folder: options.data_dir.clone(),
    };
    let mut outcome = live::reconcile(network, wanted)?;
    let silent = running
        .into_iter()
        .find(|running| !outcome.answered(running.node));
    if let Some(running) = silent {
        return Err(running.error);
    }
    if let Some(error) = nothing.filter(|_| outcome.nodes.is_empty()) {
        return Err(error);
    }
    outcome
        .pulled
        .take()
        .into_iter()
        .for_each(|pulled| work.add_pulled(pulled));
    let mut report = settled(&work, options)?;
    outcome.add_to(&mut report);
    Ok(report)
}

fn settled(work: &Work, options: &Options) -> Result<Report, ReconcileError> {
    let mut report = work.settle(options.check)?;
    report.checked = options.check;
    Ok(report)
}

/// The replicas. Where there are none, there may be live nodes all the same: the error is for later.
fn find(options: &Options) -> Result<(Vec<Target>, Option<ReconcileError>), ReconcileError> {
    let found = match options.replicas.is_empty() {
        true => targets::all_in(&options.data_dir),
        false => targets::named(&options.replicas),
    };
    match found {
        Ok(targets) => Ok((targets, None)),
        Err(error @ (ReconcileError::NoFolder(_) | ReconcileError::NoReplicas(_)))
            if options.live.is_some() =>
        {
            Ok((Vec::new(), Some(error)))
        }
        Err(error) => Err(error),
    }
}

/// Locks and opens the replicas at rest; says which others have a node running.
fn open(targets: Vec<Target>, options: &Options) -> Result<(Work, Vec<Running>), ReconcileError> {
    let (mut locked, mut running) = (Vec::new(), Vec::new());
    for target in targets {
        match lock(&target, options) {
            Ok(lock) => locked.push((target, lock)),
            Err(ReconcileError::Node(DiskError::Taken { id, by, path })) => {
                let error = ReconcileError::Live {
                    path: target.path,
                    lock: path,
                    process: by,
                    offline: options.live.is_none(),
                };
                running.push(Running { node: id, error });
            }
            Err(error) => return Err(error),
        }
    }
    let mut work = Work::new();
    for (target, lock) in locked {
        work.open(target, lock)?;
    }
    Ok((work, running))
}

/// Takes the lock of a replica's node, as that does when it starts. To check, no lock is created: a node without
/// one does not run.
fn lock(target: &Target, options: &Options) -> Result<Option<Lock>, ReconcileError> {
    let (Some(node), Some(data_dir), Some(paths)) = (target.node, &target.data_dir, target.paths()) else {
        return Ok(None);
    };
    if options.check && !paths.lock().exists() {
        return Ok(None);
    }
    match Lock::take(data_dir, node) {
        Ok(lock) => Ok(Some(lock)),
        // On a medium that takes no writes no node runs, and looking does no harm.
        Err(DiskError::File(error))
            if options.check && error.reason.kind() == ErrorKind::ReadOnlyFilesystem =>
        {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
