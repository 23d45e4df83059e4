//! A node's files, whatever is in them: a start repairs them or says why not, and the next one finds nothing to do.
//!
//! The input is the files, one after the other, each ended by a byte 0x1e. The last byte decides whether every
//! line gets a right sum first, so that what is behind the sums is reached too.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use roda::checkpoint::Snapshot;
use roda::host::disk::{Disk, DiskError, Options, Paths};
use roda::node::face::{CheckpointState, RecoverLevel, Restart, Store, Ticket};
use roda::replica::PositionSet;
use roda::words::NodeId;
use roda_fuzz::resealed;

/// Ends a file in the input.
const END: u8 = 0x1e;
const ME: NodeId = NodeId(3);
/// A folder in memory, where the machine has one: nothing here depends on a real disk.
const MEMORY: &str = "/dev/shm";

fn options(recover: RecoverLevel) -> Options {
    Options {
        restore: None,
        recover,
        clock_us: Box::new(|| 1_763_680_000_000_000),
        dice: 5,
    }
}

fn open(folder: &Path, recover: RecoverLevel) -> Result<(Disk, Restart, u64), DiskError> {
    let (disk, restart, story) = Disk::open(folder, ME, options(recover))?;
    assert!(
        story.held <= story.records,
        "the state holds no more than the file"
    );
    Ok((disk, restart, story.set_aside))
}

/// What of a start must be the same in the next one.
fn facts(restart: &Restart) -> (PositionSet, u64, usize, usize) {
    (
        restart.held.clone(),
        restart.ids.len(),
        restart.outbox.len(),
        restart.accepted.len(),
    )
}

fn start_twice(folder: &Path) {
    let own = RecoverLevel::Own;
    let (mut disk, restart, _) = match open(folder, own) {
        Ok(opened) => opened,
        Err(DiskError::File(error)) => panic!("a file could not be used: {error}"),
        Err(refused) => {
            assert!(
                open(folder, own).is_err(),
                "what was refused stays refused: {refused}"
            );
            return;
        }
    };
    let first = facts(&restart);
    let state = CheckpointState {
        ring: None,
        delivered: restart.held.last(),
        written: restart.held.clone(),
        name: "ana".into(),
        rooms: restart.rooms.clone(),
        leaving: false,
    };
    let batch = vec![(Ticket(1), Store::Checkpoint(Box::new(state)))];
    let outcome = disk.execute(batch).expect("a checkpoint can be written");
    assert_eq!(outcome.durable, Some(Ticket(1)), "there is room");
    drop(disk);
    let (_disk, again, set_aside) = open(folder, own).expect("what was repaired can be opened");
    assert_eq!(set_aside, 0, "a start leaves nothing to set aside");
    assert_eq!(facts(&again), first, "nothing changes between two starts");
    assert!(
        again.incarnation > restart.incarnation,
        "every life is later than the one before"
    );
}

fuzz_target!(|data: &[u8]| {
    let Some((how, data)) = data.split_last() else {
        return;
    };
    let mut files = data.split(|byte| *byte == END).map(|file| match how % 2 {
        0 => resealed(file),
        _ => file.to_vec(),
    });
    let memory = Path::new(MEMORY);
    let folder = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    let folder = folder.expect("a temporary folder");
    let paths = Paths::new(folder.path(), ME);
    let mut put = |path: &Path| {
        if let Some(bytes) = files.next().filter(|bytes| !bytes.is_empty()) {
            std::fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder");
            std::fs::write(path, bytes).expect("a file");
        }
    };
    put(&paths.replica());
    put(&paths.outbox());
    put(&paths.identity());
    put(&paths.generation());
    put(&paths.checkpoint(1));
    put(&paths.checkpoint(2));
    put(&paths.accepted());
    start_twice(folder.path());
    for number in 1..=2 {
        if let Ok(bytes) = std::fs::read(paths.checkpoint(number))
            && let Ok(snapshot) = Snapshot::from_bytes(&bytes, ME, number)
        {
            let again = Snapshot::from_bytes(&snapshot.to_bytes(), ME, number);
            assert_eq!(again.as_ref(), Ok(&snapshot), "a snapshot comes back as it went");
        }
    }
});
