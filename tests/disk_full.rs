//! A full disk while a node is at work: nothing promised is lost, and it goes on when there is room.
//!
//! The disk is "full" by a limit on the size of files, which a process sets for itself; so this test is alone in
//! its program.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // The files are looked at as they are.
#![allow(clippy::wildcard_enum_match_arm)] // Any other event is a failure.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crossbeam_channel::Receiver;
use roda::host::disk::{Answer, Disk, DiskPump, Options, Paths, Work};
use roda::node::face::{Event, Load, LoadId, RecoverLevel, Store, Ticket};
use roda::replica::{Content, Record};
use roda::words::{Epoch, Incarnation, Member, MessageId, NodeId, Position, RingId, Seq, WallTime};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const ME: NodeId = NodeId(3);
/// Longer than any answer takes, disks of other tests included.
const PATIENCE: Duration = Duration::from_secs(20);

fn record(seq: u64) -> Record {
    let sender = Member {
        id: ME,
        incarnation: Incarnation(7),
    };
    let ring = RingId {
        epoch: Epoch(1),
        leader: sender,
    };
    let content = Content::new(ME, "ana", "geral", WallTime(0), &"x".repeat(1000)).unwrap();
    let position = Position { ring, seq: Seq(seq) };
    let id = MessageId { sender, counter: seq };
    Record::new(id, position, content.to_bytes()).unwrap()
}

fn open(folder: &tempfile::TempDir) -> Disk {
    let options = Options {
        restore: None,
        recover: RecoverLevel::Own,
        clock_us: Box::new(|| 1),
        dice: 5,
    };
    Disk::open(folder.path(), ME, options).unwrap().0
}

fn start(disk: Disk) -> (DiskPump, Receiver<Answer>) {
    let (sender, answers) = crossbeam_channel::unbounded();
    let pump = DiskPump::start(disk, move |answer| {
        let _ = sender.send(answer);
    });
    (pump.unwrap(), answers)
}

fn append(pump: &DiskPump, seq: u64) {
    assert!(
        pump.send(Work::Store(Ticket(seq), Store::Append(vec![record(seq)])))
            .is_ok()
    );
}

fn next(answers: &Receiver<Answer>) -> Event {
    match answers.recv_timeout(PATIENCE).unwrap() {
        Answer::Event(event) => event,
        Answer::Failed(error) => panic!("{error}"),
    }
}

/// Waits until this ticket is durable. Nothing else may be said meanwhile.
fn wait_for(answers: &Receiver<Answer>, last: u64) {
    loop {
        match next(answers) {
            Event::Stored(ticket, _) if ticket == Ticket(last) => return,
            Event::Stored(ticket, _) => assert!(ticket < Ticket(last)),
            other => panic!("{other:?}"),
        }
    }
}

fn limit_files(bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    let current = bytes.or(maximum);
    setrlimit(Resource::Fsize, Rlimit { current, maximum }).unwrap();
}

#[test]
fn a_full_disk_loses_nothing_and_goes_on_when_there_is_room() {
    let signal = signal_hook::consts::SIGXFSZ;
    signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let replica = Paths::new(folder.path(), ME).replica();
    let (pump, answers) = start(open(&folder));
    append(&pump, 1);
    wait_for(&answers, 1);
    let length = std::fs::metadata(&replica).unwrap().len();

    limit_files(Some(length * 3 + length / 2));
    (2..=6).for_each(|seq| append(&pump, seq));
    let reason = loop {
        match next(&answers) {
            Event::Stored(ticket, _) => assert!(ticket <= Ticket(3)),
            Event::DiskFull { reason } => break reason,
            other => panic!("{other:?}"),
        }
    };
    assert!(
        reason.contains("node-3.jsonl") && reason.contains("make room"),
        "{reason}"
    );
    assert_eq!(
        std::fs::metadata(&replica).unwrap().len(),
        length * 3,
        "no half record is left"
    );

    let wanted = (1..=9).map(|seq| record(seq).position).collect();
    let bytes_max = usize::MAX;
    assert!(
        pump.send(Work::Load(LoadId(2), Load { wanted, bytes_max }))
            .is_ok()
    );
    match next(&answers) {
        Event::Loaded { load, records } => {
            assert_eq!((load, records), (LoadId(2), (1..=3).map(record).collect()));
        }
        other => panic!("{other:?}"),
    }

    append(&pump, 7);
    limit_files(None);
    wait_for(&answers, 7);
    append(&pump, 8);
    wait_for(&answers, 8);
    let expected: Vec<u8> = (1..=8)
        .flat_map(|seq| [record(seq).line(), b"\n".to_vec()].concat())
        .collect();
    assert_eq!(std::fs::read(&replica).unwrap(), expected);

    limit_files(Some(length * 8));
    append(&pump, 9);
    assert!(matches!(next(&answers), Event::DiskFull { .. }));
    drop(pump.finish().unwrap());
    assert!(
        answers.try_recv().is_err(),
        "what was given up was never answered"
    );
    limit_files(None);
    drop(open(&folder));
    assert_eq!(std::fs::read(&replica).unwrap(), expected);
}
