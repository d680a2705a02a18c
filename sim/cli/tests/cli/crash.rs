//! `beaver crash`: a recording is crashed everywhere, and the user's own check judges.

use std::fs;
use std::path::Path;

use beaver_disk::{Change, InodeId};
use beaver_trace::{LogFormat, LogWriter, TraceEvent};

use crate::beaver::Place;
use crate::golden::check_golden;

/// The file is the old one or the new one, and after the line it is the new one.
const CHECK: &str = "c=$(cat {dir}/f); [ \"$c\" = old ] && ! grep -q saved {acks} || [ \"$c\" = new ] || { echo \"f is <$c>\"; exit 1; }";

fn call(change: Change) -> TraceEvent {
    TraceEvent::Call {
        change,
        bytes: None,
        fault: None,
        mapped: false,
    }
}

fn create(name: &str) -> TraceEvent {
    call(Change::Create {
        dir: InodeId::ROOT,
        name: name.to_owned(),
    })
}

fn write(inode: u64, text: &str) -> TraceEvent {
    call(Change::Write {
        inode: InodeId(inode),
        offset: 0,
        bytes: text.as_bytes().to_vec(),
    })
}

fn sync(inode: u64) -> TraceEvent {
    call(Change::SyncAll {
        inode: InodeId(inode),
    })
}

fn saved() -> TraceEvent {
    TraceEvent::Ack("saved".to_owned())
}

/// The recording of a program that does this.
fn record_events(place: &Place, events: &[TraceEvent]) {
    let format = LogFormat {
        program: vec!["./save".to_owned(), "{dir}/f".to_owned()],
        ..LogFormat::default()
    };
    let mut log = LogWriter::create(&place.path().join("log"), &format).unwrap();
    events.iter().for_each(|event| log.push(event).unwrap());
    log.flush().unwrap();
}

/// A program that replaces a file by a rename, with or without the syncs that it takes.
fn record(place: &Place, with_syncs: bool) {
    let rename = call(Change::Rename {
        from_dir: InodeId::ROOT,
        from: "t".to_owned(),
        to_dir: InodeId::ROOT,
        to: "f".to_owned(),
    });
    let mut events = vec![
        create("f"),
        write(1, "old"),
        TraceEvent::Begin,
        create("t"),
        write(2, "new"),
    ];
    if with_syncs {
        events.push(sync(2));
    }
    events.push(rename);
    if with_syncs {
        events.push(call(Change::SyncDir { dir: InodeId::ROOT }));
    }
    events.push(saved());
    record_events(place, &events);
}

/// A program that makes files and syncs none of them.
fn record_many(place: &Place) {
    let files = (0..40).map(|file| create(&format!("f{file}")));
    let events: Vec<_> = [TraceEvent::Begin].into_iter().chain(files).collect();
    record_events(place, &events);
}

fn crash(place: &Place, more: &[&str]) -> crate::beaver::Ran {
    let mut words = vec!["crash", "log", "--check", CHECK];
    words.extend(more);
    place.beaver_words(&words)
}

/// Without what differs from run to run: how long it took, and how many checks had begun when it was clear that a sync is needed.
fn without_time(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once(" images, ") {
        Some((images, rest)) if rest.contains(" checks in ") => format!("{images} images checked"),
        _ => line.to_owned(),
    });
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn help_of_crash_teaches_the_check() {
    let ran = Place::empty().beaver("crash --help").ends_with(0);
    check_golden("help_crash.txt", &ran.stdout);
}

#[test]
fn a_missing_sync_is_found_explained_and_named() {
    let place = Place::empty();
    record(&place, false);
    let ran = crash(&place, &["--jobs", "2"]).ends_with(1);
    check_golden("crash_missing_sync.txt", &without_time(&ran.stdout));
}

#[test]
fn a_sync_that_is_told_of_once_is_not_told_of_again_for_a_wilder_disk() {
    let place = Place::empty();
    let begin = [create("f"), write(1, "old"), TraceEvent::Begin];
    let saves = [create("g"), sync(2), write(1, "new"), saved()];
    record_events(&place, &[&begin[..], &saves].concat());
    let check = "! grep -q saved {acks} || { grep -q new {dir}/f && [ -e {dir}/g ]; }";
    let ran = place.beaver_words(&["crash", "log", "--check", check]);
    ran.ends_with(1).says(
        "missing: fsync of `f` before the program says \"saved\" (event 7)
  with it 1 → 0 failing images on ext4, XFS
  the same on Btrfs: 1 → 0 failing images

missing besides on POSIX: fsync of the directory `.` before the program says \"saved\" (event 7)
  with these and those above 3 → 0 failing images on POSIX
",
    );
}

#[test]
fn the_output_is_the_same_for_any_number_of_jobs() {
    let place = Place::empty();
    record(&place, false);
    let one = crash(&place, &["--jobs", "1"]).ends_with(1);
    let five = crash(&place, &["--jobs", "5"]).ends_with(1);
    assert_eq!(without_time(&one.stdout), without_time(&five.stdout));
}

#[test]
fn a_program_that_syncs_holds() {
    let place = Place::empty();
    record(&place, true);
    let ran = crash(&place, &[]).ends_with(0);
    assert!(ran.stdout.contains("ext4, XFS: "), "{}", ran.stdout);
    assert_eq!(ran.stdout.matches("none fails").count(), 3);
    assert!(!place.path().join("failures").exists());
}

#[test]
fn a_saved_failure_is_checked_again_without_the_program_and_the_recording() {
    let place = Place::empty();
    record(&place, false);
    crash(&place, &["--fs", "linux-ordered"]).ends_with(1);
    fs::remove_dir_all(place.path().join("log")).unwrap();
    let failures = fs::read_dir(place.path().join("failures")).unwrap();
    let folders: Vec<_> = failures.map(|folder| folder.unwrap().file_name()).collect();
    let [folder] = &folders[..] else {
        panic!("{folders:?}");
    };
    let folder = format!("failures/{}", folder.to_string_lossy());
    let again = place.beaver_words(&["crash", &folder]).ends_with(1);
    assert!(
        again.stdout.starts_with("still fails: f is <"),
        "{}",
        again.stdout
    );
    let other = ["crash", &folder, "--check", "cat {dir}/missing"];
    let other = place.beaver_words(&other).ends_with(1);
    other
        .says("fails for another reason: ")
        .says("before it failed: f is <");
    let page = ["crash", &folder, "--report", "page.html"];
    place.beaver_words(&page).ends_with(2).complains("--report");
    place
        .beaver_words(&["replay", &folder])
        .ends_with(2)
        .complains("`beaver crash FOLDER`");
    let holds = place
        .beaver_words(&["crash", &folder, "--check", "true {dir}"])
        .ends_with(0);
    assert!(holds.stdout.starts_with("holds now"), "{}", holds.stdout);
    let failure = place.path().join(&folder).join("failure.json");
    let text = fs::read_to_string(&failure).unwrap();
    let edited = text.replace("\"acks\": ", "\"acks\": 9");
    assert_ne!(edited, text);
    fs::write(&failure, edited).unwrap();
    let edited = place.beaver_words(&["crash", &folder]).ends_with(2);
    edited.complains("failure.json: it is of another recording");
    for file in ["report.txt", "failure.json", "before", "after"] {
        assert!(place.path().join(&folder).join(file).exists(), "{file}");
    }
}

#[test]
fn a_check_that_fails_on_good_files_is_said_to_be_broken() {
    let place = Place::empty();
    record(&place, true);
    let words = ["crash", "log", "--check", "echo no such tool {dir}; exit 3"];
    let ran = place.beaver_words(&words).ends_with(2);
    assert!(
        ran.stderr.contains("the check fails on good files"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("it says: no such tool {dir}"),
        "{}",
        ran.stderr
    );
}

#[test]
fn an_image_is_written_out_to_look_at() {
    let place = Place::empty();
    record(&place, true);
    let words = ["crash", "log", "--image", "1", "--to", "image"];
    place.beaver_words(&words).ends_with(0);
    let file = |path: &Path| fs::read_to_string(path).unwrap();
    assert_eq!(file(&place.path().join("image/f")), "old");
    let ran = place.beaver_words(&["crash", "log", "--image", "1000", "--to", "other"]);
    assert!(ran.ends_with(2).stderr.contains("image 1000: there are "));
}

#[test]
fn json_has_the_same_verdict() {
    let place = Place::empty();
    record(&place, false);
    let ran = crash(&place, &["--format", "json"]).ends_with(1);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["verdict"], "violation");
    let ordered = &document["profiles"][0];
    assert_eq!(ordered["profile"], "linux-ordered");
    assert_eq!(ordered["proof"]["failing_after"], 0);
    assert_eq!(
        ordered["proof"]["missing"][0]["kind"],
        "file-before-its-rename"
    );
}

#[test]
fn a_page_shows_the_first_image_that_fails() {
    let place = Place::empty();
    record(&place, false);
    crash(&place, &["--report", "page.html"]).ends_with(1);
    let page = fs::read_to_string(place.path().join("page.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("fsync of"));
}

#[test]
fn time_that_is_too_short_is_shared_and_said() {
    let place = Place::empty();
    record_many(&place);
    let ran = place.beaver_words(&[
        "crash",
        "log",
        "--check",
        "sleep 0.1; [ -d {dir} ]",
        "--jobs",
        "1",
        "--for",
        "3s",
    ]);
    let text = ran.ends_with(3).stdout;
    for disk in ["Btrfs", "POSIX"] {
        let line = text.lines().find(|line| line.starts_with(disk)).unwrap();
        let stopped = "stopped within the first of 1 power cut; ";
        assert!(line.contains(stopped), "{text}");
        assert!(
            line.ends_with("images more were found and not tried)"),
            "{text}"
        );
    }
    assert!(!text.contains("not tried, stopped before"), "{text}");
}
