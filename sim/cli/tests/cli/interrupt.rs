//! Ctrl-C ends the work after the runs that are under way, and what was done so far is reported.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::beaver::Place;

/// Starts more runs than anyone waits for, interrupts them, and waits for the end.
fn interrupted(format: &str) -> (Option<i32>, String) {
    let place = Place::with_small_scenario();
    let mut child = place
        .command(&["run", "--seeds", "0..1000000000", "--format", format])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    // The configuration is printed once the handler is there; then a moment for some runs.
    let mut first = String::new();
    match format {
        "text" => stdout.read_line(&mut first).unwrap(),
        _ => stderr.read_line(&mut first).unwrap(),
    };
    assert!(first.starts_with("beaver "), "{first}");
    std::thread::sleep(Duration::from_millis(500));
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    (child.wait().unwrap().code(), rest)
}

#[test]
fn the_first_ctrl_c_ends_with_130_and_prints_what_was_done() {
    let (code, stdout) = interrupted("text");
    assert_eq!(code, Some(130), "{stdout}");
    assert!(stdout.contains("\nsmall "), "{stdout}");
    assert!(stdout.contains("stopped by Ctrl-C"), "{stdout}");
}

#[test]
fn the_json_of_an_interrupted_run_says_so() {
    let (code, stdout) = interrupted("json");
    assert_eq!(code, Some(130), "{stdout}");
    let document: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(document["interrupted"], true);
    let runs = document["scenarios"][0]["runs"].as_u64().unwrap();
    assert!(runs > 0 && runs < 1_000_000_000, "{runs}");
}
