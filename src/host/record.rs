//! Recordings: the event stream in a file, one JSON object a line, for `node replay` and for whoever reads JSON Lines.
//!
//! A thread of its own writes, so that a slow disk holds up nobody. When full: what waits is bounded, and events that
//! find no room are left out; the recording says how many (event `lost`). A disk that is full, or a write that fails, ends the
//! recording and nothing else. A process that is killed leaves a last line that may be cut; all before it is whole.
#![allow(clippy::disallowed_methods)] // A recording is a file of the user's, and its pump keeps time.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::host::events::{Mark, Told};

/// Events that wait to be written.
const LINES_MAX: usize = 65_536;
/// How many bytes these are at most.
const BYTES_MAX: usize = 16 << 20;
/// So much is written at once.
const BLOCK_BYTES: usize = 64 << 10;
/// What has come is written after so long at the latest: who looks into the file sees what happened a moment ago.
const WRITE_AFTER: Duration = Duration::from_millis(200);

/// Called when the recording has failed.
pub type Failed = Arc<dyn Fn() + Send + Sync>;

/// The events' way into the file.
pub struct Recorder {
    lines: Sender<Arc<str>>,
    /// The bytes of what waits.
    waiting: Arc<AtomicUsize>,
    /// The last event that went that way.
    last: Option<Mark>,
    /// Events left out since.
    lost: u64,
    failure: Receiver<io::Error>,
    ended: Receiver<()>,
}

/// Whether a recording can begin there, as far as that can be seen without making the file.
pub fn check(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

impl Recorder {
    /// Makes the file, which must not be there yet, and starts the thread. `failed` is called from that thread.
    pub fn start(path: &Path, failed: Failed) -> io::Result<Recorder> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        Recorder::to(file, failed)
    }

    /// Writes to whatever takes lines.
    fn to(out: impl Write + Send + 'static, failed: Failed) -> io::Result<Recorder> {
        let (lines, queue) = bounded(LINES_MAX);
        let (failure_told, failure) = bounded(1);
        let (end_told, ended) = bounded(1);
        let waiting = Arc::new(AtomicUsize::new(0));
        let recorder = Recorder {
            lines,
            waiting: waiting.clone(),
            last: None,
            lost: 0,
            failure,
            ended,
        };
        Builder::new().name("recorder".to_string()).spawn(move || {
            if let Err(error) = write(out, &queue, &waiting) {
                failure_told.try_send(error).unwrap_or_default();
                failed();
            }
            end_told.try_send(()).unwrap_or_default();
        })?;
        Ok(recorder)
    }

    /// Records an event, or counts it as lost. Never waits.
    pub fn record(&mut self, told: &Told) {
        // What is behind a gap comes only behind the line that tells of it.
        let gap = self.last.filter(|_| self.lost > 0);
        let gap = gap.map(|last| Told::lost(self.lost, last).line);
        let bytes = gap.as_ref().map_or(0, |line| line.len()) + told.line.len();
        let has_room = self.waiting.load(Ordering::Relaxed) + bytes <= BYTES_MAX;
        if !has_room || self.lines.len() + 2 > LINES_MAX {
            self.lost += 1;
            return;
        }
        for line in gap.into_iter().chain([told.line.clone()]) {
            self.waiting.fetch_add(line.len(), Ordering::Relaxed);
            // There is room, unless the recording has failed: then nothing is to be recorded.
            self.lines.try_send(line).unwrap_or_default();
        }
        self.last = Some(told.mark);
        self.lost = 0;
    }

    /// Why it has failed, told once.
    pub fn failure(&self) -> Option<io::Error> {
        self.failure.try_recv().ok()
    }

    /// Writes all that waits and ends, as far as that takes no longer than this. Says whether all is written.
    pub fn finish(self, at_most: Duration) -> bool {
        if let (1.., Some(last)) = (self.lost, self.last) {
            let line = Told::lost(self.lost, last).line;
            self.lines.send_timeout(line, at_most).unwrap_or_default();
        }
        drop(self.lines);
        self.ended.recv_timeout(at_most).is_ok() && self.failure.is_empty()
    }
}

/// Writes lines in blocks until nobody can send any more.
fn write(mut out: impl Write, queue: &Receiver<Arc<str>>, waiting: &AtomicUsize) -> io::Result<()> {
    let mut block: Vec<u8> = Vec::with_capacity(BLOCK_BYTES);
    while let Ok(first) = queue.recv() {
        let until = Instant::now() + WRITE_AFTER;
        let mut next = Some(first);
        while let Some(line) = next {
            block.extend_from_slice(line.as_bytes());
            block.push(b'\n');
            waiting.fetch_sub(line.len(), Ordering::Relaxed);
            next = if block.len() < BLOCK_BYTES {
                queue.recv_deadline(until).ok()
            } else {
                None
            };
        }
        out.write_all(&block)?;
        out.flush()?;
        block.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::host::events::Kind;
    use crate::words::{NodeId, Time, WallTime};

    const LONG: Duration = Duration::from_secs(20);

    fn told(n: u64, bytes: usize) -> Told {
        let mark = Mark {
            at: WallTime(1_763_680_000_482),
            n,
            node: NodeId(3),
            us: Time(n),
        };
        Told {
            mark,
            line: Arc::from(format!("{{\"event\":{n},\"x\":\"{}\"}}", "x".repeat(bytes))),
            kind: Kind::Kept,
        }
    }

    fn calm() -> Failed {
        Arc::new(|| {})
    }

    /// The numbers of the lines, and what the lines that are no events of the node's say.
    fn numbers(text: &str) -> Vec<u64> {
        let values = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        values.map(|value| value["event"].as_u64().unwrap()).collect()
    }

    #[test]
    fn all_is_in_the_file_at_the_end_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one.jsonl");
        check(&path).unwrap();
        let mut recorder = Recorder::start(&path, calm()).unwrap();
        (1..=5_000).for_each(|n| recorder.record(&told(n, 10)));
        assert!(recorder.finish(LONG));
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(numbers(&text), (1..=5_000).collect::<Vec<_>>());
        // It is the user's own, and nobody else's.
        let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        // Cut anywhere, all lines but the last can be read.
        for cut in [0, 1, 7, text.len() / 2, text.len() / 2 + 9, text.len() - 1] {
            let whole = text[..cut].rfind('\n').map_or("", |end| &text[..=end]);
            let read = numbers(whole);
            assert_eq!(read, (1..=read.len() as u64).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_event_is_in_the_file_within_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one.jsonl");
        let mut recorder = Recorder::start(&path, calm()).unwrap();
        recorder.record(&told(1, 10));
        let until = Instant::now() + LONG;
        while path.metadata().unwrap().len() == 0 {
            assert!(Instant::now() < until, "nothing is written");
            std::thread::yield_now();
        }
        assert!(recorder.finish(LONG));
    }

    #[test]
    fn a_file_that_is_there_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one.jsonl");
        std::fs::write(&path, "mine").unwrap();
        assert_eq!(check(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let refused = Recorder::start(&path, calm()).err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
        // A link to nowhere is there as well.
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("nowhere"), &link).unwrap();
        assert!(check(&link).is_err() && Recorder::start(&link, calm()).is_err());
    }

    /// Takes what it is given, once it may.
    struct Held(Receiver<()>, Sender<Vec<u8>>);

    impl Write for Held {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().map_err(io::Error::other)?;
            self.1.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_finds_no_room_is_counted_where_it_is_missing() {
        let ((go, may), (give, written)) = (crossbeam_channel::unbounded(), crossbeam_channel::unbounded());
        let mut recorder = Recorder::to(Held(may, give), calm()).unwrap();
        // The disk does not take anything: this ends, so nobody waits.
        let each = 1 << 20;
        (1..=40).for_each(|n| recorder.record(&told(n, each)));
        let lost = recorder.lost;
        assert!((20..40).contains(&lost), "{lost}");
        assert!(recorder.waiting.load(Ordering::Relaxed) <= BYTES_MAX);
        // From now on it takes all.
        (0..1_000).for_each(|_| go.send(()).unwrap());
        let until = Instant::now() + LONG;
        while recorder.waiting.load(Ordering::Relaxed) > 0 {
            assert!(Instant::now() < until, "it does not write");
            std::thread::yield_now();
        }
        recorder.record(&told(41, 10));
        assert!(recorder.finish(LONG));
        let text = String::from_utf8(written.iter().flatten().collect()).unwrap();
        let read = numbers(&text);
        let before = 40 - lost;
        let expected: Vec<u64> = (1..=before).chain([before, 41]).collect();
        assert_eq!(read, expected);
        let told = text.lines().nth(before as usize).unwrap();
        assert!(
            told.contains(&format!(
                r#""event":{before},"node":3,"us":{before},"count":{lost}"#
            )),
            "{told}"
        );
    }

    #[test]
    fn a_full_disk_ends_the_recording_and_is_told_once() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (told_failed, failed) = bounded(1);
        let failed_now: Failed = Arc::new(move || told_failed.send(()).unwrap());
        let mut recorder = Recorder::to(Full, failed_now).unwrap();
        recorder.record(&told(1, 10));
        failed.recv_timeout(LONG).unwrap();
        assert_eq!(recorder.failure().unwrap().kind(), io::ErrorKind::StorageFull);
        assert!(recorder.failure().is_none());
        (2..=200_000).for_each(|n| recorder.record(&told(n, 10)));
        recorder.finish(LONG);
    }
}
