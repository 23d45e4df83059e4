//! Whatever a browser, or somebody who is none, sends to the page's server.
#![no_main]

use libfuzzer_sys::fuzz_target;
use roda::host::web::request::{BODY_BYTES_MAX, Head, Reader, Refused, queried};

/// Reads all that is in these parts, until something is refused.
fn read<'a>(parts: impl Iterator<Item = &'a [u8]>) -> (Vec<(Head, Vec<u8>)>, Option<Refused>) {
    let mut reader = Reader::default();
    let (mut requests, mut waiting) = (Vec::new(), None::<Head>);
    for part in parts {
        reader.push(part);
        loop {
            if let Some(head) = waiting.take() {
                match reader.body(head.body_length) {
                    Some(body) => requests.push((head, body)),
                    None => {
                        waiting = Some(head);
                        break;
                    }
                }
            }
            match reader.head() {
                Ok(Some(head)) => waiting = Some(head),
                Ok(None) => break,
                Err(refused) => return (requests, Some(refused)),
            }
        }
    }
    (requests, None)
}

fuzz_target!(|data: &[u8]| {
    let Some((&step, bytes)) = data.split_first() else {
        return;
    };
    let whole = read(std::iter::once(bytes));
    let cut = read(bytes.chunks(usize::from(step).max(1)));
    // What is refused at once may be refused sooner, but what is read is read alike however it is cut.
    assert_eq!(whole.0, cut.0, "cutting changes nothing");
    assert_eq!(whole.1.is_some(), cut.1.is_some());
    for (head, body) in whole.0 {
        assert!(head.path.starts_with('/') && !head.path.contains('?'));
        assert!(body.len() == head.body_length && body.len() <= BODY_BYTES_MAX);
        for name in ["token", "words", "before"] {
            queried(&head.query, name);
        }
    }
});
