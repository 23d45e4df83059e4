//! Frames on a stream: the length as a little-endian `u32`, then as many bytes.
#![allow(clippy::disallowed_methods)] // A frame's time limit is measured on the machine's clock.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::StreamTimes;

/// The largest frame.
pub const FRAME_BYTES_MAX: usize = 1 << 20;
/// Room made for a frame at once; more only as its bytes arrive, whatever its length field promises.
const STEP_BYTES: usize = 64 << 10;
/// The size of the length.
const LENGTH_BYTES: usize = 4;

/// Why no frame came.
#[derive(Debug)]
pub enum NoFrame {
    /// The peer closed the stream between two frames.
    Closed,
    /// No frame began in time.
    Silent,
    /// A frame began and did not arrive, or could not be sent, in time.
    Slow,
    /// The length says this many bytes, more than [`FRAME_BYTES_MAX`].
    Oversized(usize),
    /// The stream broke, also in the middle of a frame.
    Broken(io::Error),
}

impl fmt::Display for NoFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoFrame::Closed => write!(f, "closed by the peer"),
            NoFrame::Silent => write!(f, "no frame began in time"),
            NoFrame::Slow => write!(f, "a frame took too long"),
            NoFrame::Oversized(bytes) => write!(f, "a frame of {bytes} bytes, more than {FRAME_BYTES_MAX}"),
            NoFrame::Broken(error) => write!(f, "{error}"),
        }
    }
}

/// A socket's time limit shows as either of these, by system.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

impl NoFrame {
    /// What an error in the middle of a frame means.
    fn of(error: io::Error) -> NoFrame {
        if is_timeout(&error) {
            NoFrame::Slow
        } else {
            NoFrame::Broken(error)
        }
    }
}

/// Reads a frame. It must begin within `wait`, go on without gaps and be whole in time.
pub fn read(stream: &mut TcpStream, wait: Duration, times: StreamTimes) -> Result<Bytes, NoFrame> {
    let mut length = [0; LENGTH_BYTES];
    stream.set_read_timeout(Some(wait)).map_err(NoFrame::Broken)?;
    let first = begin(stream, &mut length)?;
    stream
        .set_read_timeout(Some(times.gap))
        .map_err(NoFrame::Broken)?;
    let deadline = Instant::now() + times.frame;
    fill(stream, &mut length[first..], deadline)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(NoFrame::Oversized(length));
    }
    let mut frame = Vec::new();
    while frame.len() < length {
        let have = frame.len();
        frame.resize(length.min(have + STEP_BYTES), 0);
        fill(stream, &mut frame[have..], deadline)?;
    }
    Ok(Bytes::from(frame))
}

/// Reads the first bytes of a frame; how many came.
fn begin(stream: &mut TcpStream, length: &mut [u8]) -> Result<usize, NoFrame> {
    loop {
        match stream.read(length) {
            Ok(0) => return Err(NoFrame::Closed),
            Ok(first) => return Ok(first),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if is_timeout(&error) => return Err(NoFrame::Silent),
            Err(error) => return Err(NoFrame::Broken(error)),
        }
    }
}

/// Fills `buffer`, before `deadline` and without gaps.
fn fill(stream: &mut TcpStream, buffer: &mut [u8], deadline: Instant) -> Result<(), NoFrame> {
    let mut done = 0;
    while done < buffer.len() {
        match stream.read(&mut buffer[done..]) {
            Ok(0) => return Err(NoFrame::Broken(io::ErrorKind::UnexpectedEof.into())),
            Ok(more) => done += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(NoFrame::of(error)),
        }
        if Instant::now() > deadline {
            return Err(NoFrame::Slow);
        }
    }
    Ok(())
}

/// Writes a frame, without gaps and in time.
pub fn write(stream: &mut TcpStream, frame: &[u8], times: StreamTimes) -> Result<(), NoFrame> {
    assert!(
        frame.len() <= FRAME_BYTES_MAX,
        "frames are checked before they are queued"
    );
    let mut bytes = Vec::with_capacity(LENGTH_BYTES + frame.len());
    bytes.extend_from_slice(&(frame.len() as u32).to_le_bytes());
    bytes.extend_from_slice(frame);
    let deadline = Instant::now() + times.frame;
    let mut done = 0;
    while done < bytes.len() {
        match stream.write(&bytes[done..]) {
            Ok(0) => return Err(NoFrame::Broken(io::ErrorKind::WriteZero.into())),
            Ok(more) => done += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(NoFrame::of(error)),
        }
        if Instant::now() > deadline {
            return Err(NoFrame::Slow);
        }
    }
    Ok(())
}
