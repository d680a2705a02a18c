//! `beaver wal` where the files of a log are not what they should be, or change meanwhile.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use beaver::storage::DiskStorage;
use beaver::{Controller, ControllerOptions};

use crate::beaver::Place;
use crate::wal::{files, job, look, place_with_log};

const FIRST: &str = "log/wal-0000000001.jsonl";
const SECOND: &str = "log/wal-0000000002.jsonl";

#[test]
fn what_is_no_file_in_the_place_of_a_segment_is_named() {
    let place = place_with_log();
    fs::create_dir(place.path().join("log/wal-0000000003.jsonl")).unwrap();
    let pipe = place.path().join("log/wal-0000000004.jsonl");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let odd = std::ffi::OsStr::from_bytes(b"wal-\xff.jsonl");
    fs::write(place.path().join("log").join(odd), "").unwrap();
    let ran = place.beaver("wal validate log").ends_with(1);
    ran.says(
        "problem      wal-0000000003.jsonl: byte 0: a directory, not a file: it was passed over",
    )
    .says("problem      wal-0000000004.jsonl: byte 0: a pipe, a socket or a device")
    .says("byte 0: a name that is not UTF-8");
    for line in ["wal dump log", "wal compare log log", "wal repair log copy"] {
        let ran = place.beaver(line).ends_with(0);
        ran.complains("note: log/wal-0000000003.jsonl: a directory, not a file");
    }
    symlink(
        "wal-0000000001.jsonl",
        place.path().join("log/wal-0000000005.jsonl"),
    )
    .unwrap();
    for line in ["wal stats log", "wal dump log", "wal repair log other"] {
        let ran = place.beaver(line).ends_with(2);
        ran.complains("log/wal-0000000005.jsonl: is a symbolic link");
    }
}

#[test]
fn segments_whose_names_were_swapped_are_told_from_damage() {
    let place = place_with_log();
    let path = |name| place.path().join(name);
    fs::rename(path(FIRST), path("kept")).unwrap();
    fs::rename(path(SECOND), path(FIRST)).unwrap();
    fs::rename(path("kept"), path(SECOND)).unwrap();
    let ran = look(&place, "wal validate log").ends_with(1);
    ran.says("wal-0000000001.jsonl: byte 0: the header is valid, but it is of epoch 2")
        .says("wal-0000000002.jsonl: byte 0: the header is valid, but it is of epoch 1");
}

#[test]
fn a_log_that_was_converted_to_crlf_is_saved_whole() {
    let place = place_with_log();
    for name in [FIRST, SECOND] {
        let path = place.path().join(name);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace('\n', "\r\n")).unwrap();
    }
    let ran = look(&place, "wal validate log").ends_with(1);
    ran.says("the lines end with CR LF, not with LF");
    let ran = look(&place, "wal repair log copy").ends_with(1);
    ran.says("7 events").says("its lines end with CR LF");
    place
        .beaver("wal validate copy")
        .ends_with(0)
        .says("7 events");
}

#[test]
fn a_copy_may_be_read_by_those_who_may_read_the_log_alone() {
    let place = place_with_log();
    let set = |name: &str, mode| {
        fs::set_permissions(place.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    set("log", 0o750);
    set(FIRST, 0o640);
    set(SECOND, 0o600);
    for (line, copy) in [
        ("wal repair log repaired", "repaired"),
        ("wal truncate log 2:1 truncated", "truncated"),
    ] {
        place.beaver(line).ends_with(0);
        let copy = place.path().join(copy);
        assert_eq!(mode(&copy), 0o750, "{line}");
        for entry in fs::read_dir(&copy).unwrap() {
            let path = entry.unwrap().path();
            let may = match path.ends_with("wal-0000000001.jsonl") {
                true => 0o640,
                // They have the permissions of every new file in the log too.
                false if path.ends_with("LOCK") => continue,
                false if path.to_string_lossy().contains("snapshot-") => continue,
                false => 0o600,
            };
            assert_eq!(mode(&path), may, "{}", path.display());
        }
    }
}

#[test]
fn a_copy_for_which_there_is_no_room_is_named_and_nothing_of_it_is_left() {
    let place = place_with_log();
    for existing in [false, true] {
        if existing {
            fs::create_dir(place.path().join("copy")).unwrap();
        }
        // A limit of the size of files is met as a full disk is, if the signal is ignored.
        let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" wal repair log copy";
        let output = Command::new("sh")
            .args(["-c", script, env!("CARGO_BIN_EXE_beaver")])
            .current_dir(place.path())
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.starts_with("error: copy: "), "{stderr}");
        match existing {
            true => assert!(files(&place.path().join("copy")).is_empty()),
            false => assert!(!place.path().join("copy").exists()),
        }
    }
    place.beaver("wal repair log copy").ends_with(0);
}

#[test]
fn the_name_of_a_stray_does_not_reach_the_terminal_as_it_is() {
    let place = place_with_log();
    place.write("log/\u{1b}[2Jcleared", "");
    let ran = place.beaver("wal stats log").ends_with(0);
    ran.says("stray        \\u{1b}[2Jcleared");
    let ran = place.beaver("wal validate log");
    assert!(!ran.stdout.contains('\u{1b}'));
}

#[test]
fn a_store_in_use_can_always_be_looked_at() {
    let place = Place::empty();
    let directory = place.path().join("log");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let storage = Arc::new(DiskStorage::open(&directory).unwrap());
        let (mut queue, _) = Controller::open(storage, ControllerOptions::default()).unwrap();
        queue.enqueue(job("first")).unwrap();
        let over = &over;
        scope.spawn(move || {
            let mut number = 0;
            while !over.load(Ordering::Relaxed) {
                number += 1;
                queue.enqueue(job(&format!("job-{number}"))).unwrap();
                queue.checkpoint().unwrap();
            }
        });
        let codes: Vec<_> = (0..60)
            .flat_map(|_| ["wal stats log", "wal dump log"])
            .map(|line| (line, place.beaver(line)))
            .filter(|(_, ran)| ran.code == Some(2))
            .map(|(line, ran)| format!("{line}: {}", ran.stderr))
            .collect();
        over.store(true, Ordering::Relaxed);
        assert!(codes.is_empty(), "{codes:#?}");
    });
}
