//! The snapshots of a node: `<number>.json` in its folder, the last five kept.

use super::files::{self, FileError, FileSystem};
use super::{DiskError, Paths};
use crate::checkpoint::{SealError, Snapshot};
use crate::words::NodeId;

/// How many snapshots are kept: some to go back to, and enough that a damaged one has a good one before it.
pub const KEPT: usize = 5;

/// The snapshots in a node's folder.
pub struct Checkpoints<S> {
    system: S,
    paths: Paths,
    id: NodeId,
    /// Ascending; damaged ones included.
    numbers: Vec<u64>,
    /// One that is not removed, however old it gets, because somebody is about to go back to it.
    kept: Option<u64>,
}

/// The snapshot a start begins from.
pub struct Chosen {
    /// The snapshot; `None` for nothing.
    pub snapshot: Option<Snapshot>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl<S: FileSystem> Checkpoints<S> {
    /// Looks which snapshots there are.
    pub fn open(system: &S, paths: &Paths, id: NodeId) -> Result<Checkpoints<S>, FileError> {
        let names = files::names(system, &paths.own)?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| number_of(name)).collect();
        numbers.sort_unstable();
        Ok(Checkpoints {
            system: system.clone(),
            paths: paths.clone(),
            id,
            numbers,
            kept: None,
        })
    }

    /// Reads one; the inner error says why it is no good.
    pub fn read(&self, number: u64) -> Result<Result<Snapshot, SealError>, FileError> {
        let bytes = files::read(&self.system, &self.paths.checkpoint(number))?.unwrap_or_default();
        Ok(Snapshot::from_bytes(&bytes, self.id, number))
    }

    /// The newest good one; what is damaged is passed over with a warning.
    pub fn newest(&self) -> Result<Chosen, FileError> {
        let mut warnings = Vec::new();
        for number in self.numbers.iter().rev() {
            match self.read(*number)? {
                Ok(snapshot) => {
                    let snapshot = Some(snapshot);
                    return Ok(Chosen { snapshot, warnings });
                }
                Err(reason) => {
                    let path = self.paths.checkpoint(*number);
                    warnings.push(format!(
                        "{} is no good: {reason}; trying the one before",
                        path.display()
                    ));
                }
            }
        }
        if !warnings.is_empty() {
            warnings.push("no checkpoint is good; starting from nothing".into());
        }
        Ok(Chosen {
            snapshot: None,
            warnings,
        })
    }

    /// The one of this number, or why not.
    pub fn exactly(&self, number: u64) -> Result<Snapshot, DiskError> {
        let have = self.numbers.clone();
        if !have.contains(&number) {
            return Err(DiskError::NoSuchCheckpoint { number, have });
        }
        let path = self.paths.checkpoint(number);
        self.read(number)?
            .map_err(|reason| DiskError::BadCheckpoint { path, reason, have })
    }

    /// All good ones, for building a lost identity again.
    pub fn all_good(&self) -> Result<Vec<Snapshot>, FileError> {
        let mut good = Vec::new();
        for number in &self.numbers {
            good.extend(self.read(*number)?.ok());
        }
        Ok(good)
    }

    /// The number that the next one gets: above all that exist, good or not.
    pub fn next_number(&self) -> u64 {
        self.numbers.last().map_or(1, |last| last + 1)
    }

    /// Writes the next one, durably, and drops the oldest beyond those kept.
    pub fn write(&mut self, snapshot: &Snapshot) -> Result<(), FileError> {
        assert_eq!(snapshot.number, self.next_number(), "numbers rise by one");
        files::replace(
            &self.system,
            &self.paths.checkpoint(snapshot.number),
            &snapshot.to_bytes(),
        )?;
        self.numbers.push(snapshot.number);
        while self.numbers.len() > KEPT {
            let oldest = usize::from(Some(self.numbers[0]) == self.kept);
            files::remove(&self.system, &self.paths.checkpoint(self.numbers[oldest]))?;
            self.numbers.remove(oldest);
        }
        Ok(())
    }

    /// Keeps a checkpoint, the newest good one if none is named, until this process lets go of them all.
    pub fn keep(&mut self, number: Option<u64>) -> Result<u64, DiskError> {
        let newest = match number {
            Some(number) => Some(self.exactly(number)?),
            None => self.newest()?.snapshot,
        };
        let have = self.numbers.clone();
        let number = newest.map(|snapshot| snapshot.number);
        self.kept = number;
        number.ok_or(DiskError::NoSuchCheckpoint { number: 1, have })
    }
}

/// The number in the name of a snapshot; no other spelling of a number counts.
fn number_of(name: &str) -> Option<u64> {
    let number: u64 = name.strip_suffix(".json")?.parse().ok()?;
    (format!("{number}.json") == name && number < u64::MAX).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::files::Os;
    use crate::node::face::CheckpointState;
    use crate::replica::PositionSet;
    use crate::words::WallTime;

    fn snapshot(number: u64) -> Snapshot {
        Snapshot {
            node: NodeId(3),
            number,
            time: WallTime(1_000 * number),
            generation: 0,
            length: 0,
            digest: 0,
            state: CheckpointState {
                ring: None,
                delivered: None,
                written: PositionSet::new(),
                name: "ana".into(),
                rooms: vec![],
                leaving: false,
            },
        }
    }

    fn folder_with(count: u64) -> (tempfile::TempDir, Paths) {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path(), NodeId(3));
        files::make_folder(&Os, &paths.own).unwrap();
        let mut checkpoints = Checkpoints::open(&Os, &paths, NodeId(3)).unwrap();
        for number in 1..=count {
            checkpoints.write(&snapshot(number)).unwrap();
        }
        (folder, paths)
    }

    fn newest(paths: &Paths) -> (Option<u64>, usize) {
        let chosen = Checkpoints::open(&Os, paths, NodeId(3))
            .unwrap()
            .newest()
            .unwrap();
        (
            chosen.snapshot.map(|snapshot| snapshot.number),
            chosen.warnings.len(),
        )
    }

    #[test]
    fn the_last_five_are_kept() {
        let (_folder, paths) = folder_with(12);
        let checkpoints = Checkpoints::open(&Os, &paths, NodeId(3)).unwrap();
        assert_eq!(checkpoints.numbers, [8, 9, 10, 11, 12]);
        assert_eq!(checkpoints.next_number(), 13);
    }

    #[test]
    fn a_crash_at_every_byte_of_a_checkpoint_falls_back_to_the_one_before() {
        let (_folder, paths) = folder_with(2);
        let bytes = snapshot(2).to_bytes();
        for end in 0..bytes.len() - 1 {
            files::replace(&Os, &paths.checkpoint(2), &bytes[..end]).unwrap();
            assert_eq!(newest(&paths), (Some(1), 1), "cut at {end}");
        }
        files::replace(&Os, &paths.own.join("3.json.new"), &bytes[..9]).unwrap();
        files::replace(&Os, &paths.checkpoint(2), &bytes).unwrap();
        assert_eq!(newest(&paths), (Some(2), 0), "a temporary file is no checkpoint");
    }

    #[test]
    fn without_a_good_one_the_start_is_from_nothing_and_says_so() {
        let (_folder, paths) = folder_with(2);
        files::replace(&Os, &paths.checkpoint(1), b"").unwrap();
        files::replace(
            &Os,
            &paths.checkpoint(2),
            &crate::checkpoint::seal_open(b"{\"v\":9".to_vec()),
        )
        .unwrap();
        assert_eq!(newest(&paths), (None, 3));
        let checkpoints = Checkpoints::open(&Os, &paths, NodeId(3)).unwrap();
        assert_eq!(checkpoints.next_number(), 3, "a bad number is not used again");
        assert_eq!(checkpoints.exactly(2).unwrap_err().exit_code(), 7);
        assert_eq!(checkpoints.exactly(5).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn one_that_is_to_be_gone_back_to_is_kept() {
        let (_folder, paths) = folder_with(5);
        let mut checkpoints = Checkpoints::open(&Os, &paths, NodeId(3)).unwrap();
        assert_eq!(checkpoints.keep(None).unwrap(), 5);
        assert_eq!(checkpoints.keep(Some(1)).unwrap(), 1);
        for number in 6..=8 {
            checkpoints.write(&snapshot(number)).unwrap();
        }
        assert_eq!(checkpoints.numbers, [1, 5, 6, 7, 8]);
        assert_eq!(checkpoints.keep(Some(9)).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn names_that_are_no_numbers_are_left_alone() {
        assert_eq!(number_of("12.json"), Some(12));
        for name in ["012.json", "+1.json", "identity.json", "12.json.new", "12"] {
            assert_eq!(number_of(name), None, "{name}");
        }
    }
}
