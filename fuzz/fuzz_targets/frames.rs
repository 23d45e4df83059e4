//! Frames of catching up: whatever comes is refused or read, and what was read comes back as it went.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use roda::replica::frames::{Frame, first_intervals};
use roda::wire::Chunk;

fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(frame) = Frame::from_bytes(bytes.clone()) {
        let again = Frame::from_bytes(frame.to_bytes()).expect("what is written can be read");
        assert_eq!(again, frame, "a frame comes back as it went");
        if let Frame::Has(positions) | Frame::Fetch(positions) = frame {
            let first = first_intervals(&positions);
            assert!(
                first.len() <= positions.len(),
                "a part is not more than the whole"
            );
            assert!(first.difference(&positions).is_empty(), "a part is of the whole");
        }
    }
    let _ = Chunk::from_bytes(bytes);
});
