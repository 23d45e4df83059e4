//! Writes the seeds of the corpus: `cargo run --manifest-path fuzz/Cargo.toml --example seeds`.
//!
//! Datagrams are the examples of `tests/wire.rs` and one of each kind that three real nodes send; frames and files
//! come from the same nodes. Inputs that once broke something are kept beside them under their own names.

// Of the tests of the wire format only their examples are of use here.
#[allow(dead_code, unused_imports)]
#[path = "../../tests/wire.rs"]
mod wire;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use libfuzzer_sys as _; // Its coverage counters are in what is linked here, if this is built as fuzz/run does.
use roda::checkpoint::Snapshot;
use roda::node::face::CheckpointState;
use roda::replica::{PositionSet, Record};
use roda::words::{NodeId, Position, RingId, Seq, WallTime};
use roda_fuzz::GROUP;
use roda_fuzz::table::Table;

/// Seeds longer than this would only slow the fuzzers down.
const SEED_BYTES_MAX: usize = 2_048;

fn main() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (at, body) in wire::bodies().iter().enumerate() {
        let sender = wire::member(2);
        put(
            &corpus,
            "datagram",
            &format!("example-{at:02}"),
            &roda::wire::encode(GROUP, sender, body),
        );
    }
    let mut table = Table::set(0, true);
    table.talk();
    let kind = |bytes: &[u8], at: usize| bytes.get(at).copied().unwrap_or(0);
    by_kind(&corpus, "datagram", table.sent.take(), |bytes| kind(bytes, 3));
    by_kind(&corpus, "frames", table.framed.take(), |bytes| kind(bytes, 0));
    scripts(&corpus);
    files(&corpus);
    typed(&corpus);
    requests(&corpus);
}

/// Writes one seed.
fn put(corpus: &Path, target: &str, name: &str, bytes: &[u8]) {
    if bytes.len() > SEED_BYTES_MAX {
        return;
    }
    let folder: PathBuf = corpus.join(target);
    std::fs::create_dir_all(&folder).expect("a folder for the seeds");
    std::fs::write(folder.join(name), bytes).expect("a seed");
}

/// The longest of each kind that is not too long.
fn by_kind(corpus: &Path, target: &str, all: Option<Vec<bytes::Bytes>>, kind: impl Fn(&[u8]) -> u8) {
    let mut chosen: BTreeMap<u8, bytes::Bytes> = BTreeMap::new();
    for bytes in all.unwrap_or_default() {
        let best = chosen.entry(kind(&bytes)).or_insert_with(|| bytes.clone());
        if bytes.len() > best.len() && bytes.len() <= SEED_BYTES_MAX {
            *best = bytes;
        }
    }
    for (kind, bytes) in chosen {
        put(corpus, target, &format!("sent-{kind:02}"), &bytes);
    }
}

/// One short script for each thing that can happen, each followed by calm.
fn scripts(corpus: &Path) {
    for what in 0..24u8 {
        for how in 0..4u8 {
            let mut script = vec![how];
            for round in 0..6u8 {
                script.extend_from_slice(&[15, round, 2, b'h', b'i', 0, 0, 0, 9]);
                script.extend_from_slice(&[what, round, how, round, how * 3, 4, 1, 7, 0, 0, 40, 3, 5, 8, 13]);
            }
            put(corpus, "node", &format!("script-{what:02}-{how}"), &script);
        }
    }
}

/// A replica, and a whole folder of files.
fn files(corpus: &Path) {
    let ring: RingId = "4.1.1763680000000000".parse().expect("a ring");
    let content = |n: u64| {
        format!(
            "{{\"from\":3,\"name\":\"ana\",\"room\":\"geral\",\"sent\":\"2026-11-21T14:03:11.482Z\",\"text\":\"oi {n}\"}}"
        )
    };
    let record = |n: u64| {
        let id = format!("3-1763680000000000-{n}").parse().expect("an id");
        Record::new(id, Position { ring, seq: Seq(n) }, content(n).into()).expect("a record")
    };
    let mut replica = Vec::new();
    [1, 3, 2]
        .into_iter()
        .for_each(|n| record(n).write_line(&mut replica));
    put(corpus, "replica", "three", &replica);
    put(corpus, "replica", "torn", &replica[..replica.len() - 20]);
    let foreign = String::from_utf8_lossy(&replica).replacen("\"v\":1", "\"v\":2", 1);
    put(corpus, "replica", "foreign-version", foreign.as_bytes());
    let mut written = PositionSet::new();
    written.insert_range(ring, Seq(1), Seq(2));
    let snapshot = Snapshot {
        node: NodeId(3),
        number: 1,
        time: WallTime(1_763_680_000_000),
        generation: 1,
        length: replica.len() as u64,
        digest: crc32fast::hash(&replica),
        state: CheckpointState {
            ring: Some(ring),
            delivered: written.last(),
            written,
            name: "ana".into(),
            rooms: vec!["geral".into()],
            leaving: false,
        },
    };
    let outbox = format!(
        "{{\"v\":1,\"id\":\"3-1763680000000000-9\",\"content\":{},\"sum\":\"00000000\"}}\n",
        content(9)
    );
    let parts: [&[u8]; 7] = [
        &replica,
        outbox.as_bytes(),
        b"{\"v\":1,\"incarnation\":1763680000000000,\"epoch\":4,\"sum\":\"00000000\"}\n",
        b"{\"v\":1,\"generation\":1,\"sum\":\"00000000\"}\n",
        &snapshot.to_bytes(),
        b"",
        b"{\"v\":1,\"type\":\"accept\",\"ring\":\"4.1.1763680000000000\",\"seq\":4,\"id\":\"3-1763680000000000-10\",\"fragment\":0,\"fragments\":1,\"bytes\":\"6f69\",\"sum\":\"00000000\"}\n{\"v\":1,\"type\":\"forget\",\"ring\":\"4.1.1763680000000000\",\"seq\":3,\"sum\":\"00000000\"}\n",
    ];
    let folder = parts.join(&0x1e);
    put(corpus, "disk", "folder", &[&folder[..], &[0]].concat());
    put(corpus, "disk", "folder-wrong-sums", &[&folder[..], &[1]].concat());
}

/// Words as people write them.
fn typed(corpus: &Path) {
    let typed = [
        "--id\x003\0--name\0ana\0--room\0geral\0--json\0-v",
        "--id\x003\0--group\x00224.1.1.1:5007\0--interface\x00127.0.0.1\0--delay\x000..150ms",
        "--id\x003\0--chaos\0drop=5%,dup=1%,delay=0..20ms,seed=7\0--quorum\x002\0--recover\0own",
        "--id\x003\0--restore\x002\0--wait\0held\0--wait-limit\x0010s\0--token-timeout\x00200ms",
        "demo\0--keep",
        "--help",
        "150ms",
        "0",
        "24h",
        "50..150ms",
        "drop=0.5%,delay=500us..1s",
        "224.1.1.1:5007",
        "/msg sala oi",
        "/trace #42@5.1",
        "/ring -v",
        "/token 1s",
        "/ajuda",
        "//text",
        "/nick ana",
        "/history 5",
    ];
    for (at, text) in typed.iter().enumerate() {
        put(corpus, "cli", &format!("typed-{at:02}"), text.as_bytes());
    }
}

/// Requests as browsers send them, and as they should not. The first byte says how they are cut.
fn requests(corpus: &Path) {
    let host = "Host: 127.0.0.1:8081\r\nAuthorization: Bearer 9a03\r\n";
    let posted = format!("POST /api/say HTTP/1.1\r\n{host}Content-Length: 12\r\n\r\n{{\"text\":\"a\"}}");
    let sent = [
        format!("GET / HTTP/1.1\r\n{host}If-None-Match: \"00\"\r\n\r\n"),
        format!("GET /events?token=9a03&after=17-42 HTTP/1.1\r\n{host}Last-Event-ID: 17-42\r\n\r\n"),
        format!(
            "GET /api/search?words=ol%C3%A1+b&count=5 HTTP/1.1\r\n{host}Sec-Fetch-Site: same-origin\r\n\r\n"
        ),
        posted.repeat(2),
        format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
        format!("POST / HTTP/1.0\r\n{host}Expect: 100-continue\r\nContent-Length: 104857600\r\n\r\n"),
        format!("\r\n\r\nHEAD //a HTTP/1.1\n{host}Connection: close\n\n"),
        String::from("OPTIONS * HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\n\r\n"),
    ];
    for (at, text) in sent.iter().enumerate() {
        let bytes = [&[7], text.as_bytes()].concat();
        put(corpus, "request", &format!("sent-{at:02}"), &bytes);
    }
}
