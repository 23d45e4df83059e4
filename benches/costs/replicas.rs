//! Replicas: lines appended, with and without their sync, and three small replicas made equal.
#![allow(
    clippy::disallowed_methods,
    reason = "it writes the files that are measured, in a folder of its own"
)]

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput};
use roda::disk::files::{FileSystem, How, OpenFile, make_folder};
use roda::disk::{Disk, Options, Paths};
use roda::host::files::Os;
use roda::host::reconcile;
use roda::node::face::{RecoverLevel, Store, Ticket};
use roda::replica::{Content, Record};
use roda::words::{Epoch, Incarnation, Member, MessageId, NodeId, Position, RingId, Seq, WallTime};
use tempfile::TempDir;

/// Lines written together.
const TOGETHER: u64 = 100;
/// Messages of each replica that is reconciled.
const HISTORY: u64 = 10_000;
/// One message in so many is lacking, not the same ones in each replica.
const LACKS_ONE_IN: u64 = 100;
const NOW_MS: u64 = 1_763_680_000_000;

/// The machine's file system, but that nothing is synced.
#[derive(Clone)]
struct Unsynced;

struct UnsyncedFile(File);

impl Read for UnsyncedFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for UnsyncedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Seek for UnsyncedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

impl OpenFile for UnsyncedFile {
    fn length(&self) -> io::Result<u64> {
        OpenFile::length(&self.0)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.0.cut(length)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileSystem for Unsynced {
    type File = UnsyncedFile;

    fn open(&self, path: &Path, how: How) -> io::Result<UnsyncedFile> {
        Os.open(path, how).map(UnsyncedFile)
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        Os.make_folder(path)
    }

    fn is_folder(&self, path: &Path) -> bool {
        Os.is_folder(path)
    }

    fn exists(&self, path: &Path) -> bool {
        Os.exists(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Os.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Os.remove(path)
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        Os.names(folder)
    }
}

/// The n-th message of a history in which three people speak in turn.
fn record(n: u64) -> Record {
    let member = |id: u16| Member {
        id: NodeId(id),
        incarnation: Incarnation(NOW_MS * 1_000),
    };
    let sender = member(1 + (n % 3) as u16);
    let id = MessageId {
        sender,
        counter: 1 + n / 3,
    };
    let ring = RingId {
        epoch: Epoch(1),
        leader: member(1),
    };
    let position = Position {
        ring,
        seq: Seq(1 + n),
    };
    let text = format!("message {n}, about as long as what people say to each other");
    let sent = WallTime(NOW_MS + n);
    let content = Content::new(sender.id, "ana", "geral", sent, &text).expect("this text is sound");
    Record::new(id, position, content.to_bytes()).expect("this content is sound")
}

/// Opens the files of a node in a new folder.
fn disk<S: FileSystem>(system: &S) -> (TempDir, Disk<S>) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let id = NodeId(1);
    make_folder(system, &Paths::new(folder.path(), id).replicas).expect("a folder can be made");
    let options = Options {
        restore: None,
        recover: RecoverLevel::Peers,
        clock_us: Box::new(|| NOW_MS * 1_000),
        dice: 7,
    };
    let (disk, _, _) = Disk::open(system, folder.path(), id, options).expect("the files can be opened");
    (folder, disk)
}

/// What the disk does with messages that were delivered.
pub fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("replica");
    group.throughput(Throughput::Elements(TOGETHER));
    // What is not synced would fill the temporary folder in a second.
    group.measurement_time(Duration::from_millis(300));
    fn appended<S: FileSystem>(group: &mut Group<'_>, name: &str, system: &S) {
        let (_folder, mut disk) = disk(system);
        let (mut next, mut ticket) = (0, 0);
        group.bench_function(name, |bench| {
            bench.iter_batched(
                || {
                    next += TOGETHER;
                    ticket += 1;
                    let records = (next - TOGETHER..next).map(record).collect();
                    vec![(Ticket(ticket), Store::Append(records))]
                },
                |batch| disk.execute(batch).expect("there is room"),
                BatchSize::SmallInput,
            );
        });
    }
    appended(&mut group, "append 100 lines, not synced", &Unsynced);
    appended(&mut group, "append 100 lines, synced", &Os);
    group.finish();
}

type Group<'a> = criterion::BenchmarkGroup<'a, criterion::measurement::WallTime>;

/// A replica of the history that lacks some of it, in the order in which it stands.
fn replica(number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for n in (0..HISTORY).filter(|n| n % LACKS_ONE_IN != number) {
        record(n).write_line(&mut bytes);
    }
    bytes
}

/// A new folder with three replicas.
fn three(replicas: &[Vec<u8>]) -> TempDir {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let below = folder.path().join("replicas");
    fs::create_dir(&below).expect("a folder can be made");
    for (replica, number) in replicas.iter().zip(1..) {
        fs::write(below.join(format!("node-{number}.jsonl")), replica).expect("there is room");
    }
    folder
}

/// The reconciler's work, synced as always.
pub fn reconcile(criterion: &mut Criterion) {
    let replicas: Vec<Vec<u8>> = (1..=3).map(replica).collect();
    let mut group = criterion.benchmark_group("reconcile");
    group.sample_size(10);
    group.throughput(Throughput::Elements(3 * HISTORY));
    group.bench_function("three replicas of 10,000 messages", |bench| {
        bench.iter_batched(
            || three(&replicas),
            |folder| {
                let options = reconcile::Options {
                    data_dir: folder.path().to_path_buf(),
                    live: None,
                    check: false,
                    replicas: Vec::new(),
                };
                let report = reconcile::reconcile(&options).expect("they can be made equal");
                (folder, report)
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}
