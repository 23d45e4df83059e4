//! Reading datagrams: whatever comes is refused or read, and what was read is written as it was.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use roda::host::hail::{self, HAIL_BYTES, Hail};
use roda::wire::{VERSION, decode, encode};
use roda_fuzz::{GROUP, mend};

/// Reads a datagram, writes what it says, and reads that.
fn there_and_back(bytes: &[u8]) {
    let Ok((sender, body)) = decode(GROUP, Bytes::copy_from_slice(bytes)) else {
        return;
    };
    let written = encode(GROUP, sender, &body);
    let again = decode(GROUP, written.clone()).expect("what is written can be read");
    assert_eq!(again, (sender, body), "a body comes back as it went");
    // Of two spellings (whose life the first chunk is of) the one that is written stays.
    assert_eq!(
        encode(GROUP, again.0, &again.1),
        written,
        "it is written the same again"
    );
}

/// Where a hail's checksum stands.
const HAIL_SUM_AT: usize = 60;

/// The same with a hail.
fn hail_there_and_back(bytes: &[u8]) {
    let written = match hail::decode(bytes) {
        None => return,
        Some(Hail::Question(question)) => question.encode(),
        Some(Hail::Answer(answer)) => answer.encode(),
    };
    assert_eq!(written.len(), bytes.len(), "a hail keeps its length");
    assert_eq!(
        hail::decode(&written),
        hail::decode(bytes),
        "a hail comes back as it went"
    );
}

fuzz_target!(|data: &[u8]| {
    there_and_back(data);
    hail_there_and_back(data);
    // The same under a right header and checksum, which chance would never hit.
    let mut right = data.to_vec();
    if right.len() >= roda::wire::HEADER_BYTES {
        right[..2].copy_from_slice(b"ro");
        right[2] = VERSION;
        right[4..8].copy_from_slice(&GROUP.to_le_bytes());
        right[18..20].fill(0);
        mend(&mut right);
        there_and_back(&right);
    }
    // And a hail, from the version on.
    let mut right = data.to_vec();
    if right.len() >= HAIL_BYTES {
        right[..4].copy_from_slice(b"hail");
        let length = right.len() as u16;
        right[6..8].copy_from_slice(&length.to_le_bytes());
        right[HAIL_SUM_AT..HAIL_BYTES].fill(0);
        let sum = crc32fast::hash(&right);
        right[HAIL_SUM_AT..HAIL_BYTES].copy_from_slice(&sum.to_le_bytes());
        hail_there_and_back(&right);
    }
});
