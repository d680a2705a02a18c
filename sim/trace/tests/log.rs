//! A recording is written, read and carried out again.

use std::io::ErrorKind;

use beaver_disk::{Change, InodeId, Profile};
use beaver_trace::{Log, LogFormat, LogReplay, LogWriter, TraceEvent, good_images};

fn call(change: Change) -> TraceEvent {
    TraceEvent::Call {
        change,
        bytes: None,
        fault: None,
        mapped: false,
    }
}

fn written(events: &[TraceEvent]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = LogWriter::create(folder.path(), &LogFormat::default()).expect("a recording");
    for event in events {
        writer.push(event).expect("an event");
    }
    writer.flush().expect("the end");
    folder
}

/// `a` is written and synced, and acknowledged; its directory is not.
fn recorded() -> Vec<TraceEvent> {
    let write = |offset, bytes: &[u8]| Change::Write {
        inode: InodeId(1),
        offset,
        bytes: bytes.to_vec(),
    };
    vec![
        TraceEvent::Begin,
        call(Change::Create {
            dir: InodeId::ROOT,
            name: "a".to_owned(),
        }),
        call(write(0, b"hello")),
        call(write(5, b", world")),
        call(Change::SyncAll { inode: InodeId(1) }),
        TraceEvent::Ack("a is there".to_owned()),
    ]
}

#[test]
fn a_recording_is_carried_out_again() {
    let folder = written(&recorded());
    let log = Log::open(folder.path()).expect("a recording");
    let mut replay = LogReplay::new(&log, Profile::Posix);
    while replay.next().is_some() {
        replay.step().expect("its bytes are there");
    }
    assert_eq!(replay.acks(), 1);
    let live = replay.disk().live();
    assert_eq!(live.read("a").expect("it has a name"), b"hello, world");
    let space = replay.disk().crash_between_calls().images();
    assert_eq!(space.count(), 2, "with the name and without it");
}

#[test]
fn a_recording_is_not_written_over() {
    let folder = written(&recorded());
    let again = LogWriter::create(folder.path(), &LogFormat::default()).expect_err("there is one");
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
}

#[test]
fn what_is_wrong_with_a_recording_is_said_with_its_line() {
    let folder = written(&recorded());
    let path = folder.path().join("events.jsonl");
    let text = std::fs::read_to_string(&path).expect("its events");
    for (from, to, says) in [
        ("\"ack\"", "\"back\"", ":7: unknown variant `back`"),
        ("[5,7]", "[5,8]", ":5: the bytes of the write end after"),
        (",\"bytes\":[0,5]", "", ":4: the write has no bytes"),
        (
            "\"version\":1",
            "\"version\":2",
            ":1: version 2 of the format",
        ),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{from}");
        std::fs::write(&path, changed).expect("its events");
        let error = Log::open(folder.path()).expect_err(from).to_string();
        assert!(error.contains(says), "{error}");
    }
    // A call that could not have been.
    let changed = text.replacen("\"inode\":1", "\"inode\":77", 1);
    std::fs::write(&path, changed).expect("its events");
    let log = Log::open(folder.path()).expect("it can be read");
    let error = good_images(&log).expect_err("no such file").to_string();
    assert!(
        error.contains("events.jsonl:4: the recording is damaged"),
        "{error}"
    );
    std::fs::write(&path, "").expect("its events");
    let error = Log::open(folder.path()).expect_err("empty").to_string();
    assert!(error.contains("it is empty"), "{error}");
}
