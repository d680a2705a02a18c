//! Ctrl-C and SIGTERM end the work where it is: what was done so far is reported, and nothing more is said than was decided.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::beaver::Place;

/// A call of beaver that was stopped.
struct Stopped {
    code: Option<i32>,
    stdout: String,
    /// How long it took from the signal to the end.
    took: Duration,
}

/// More than an interruption may take: there is much room for a machine under load.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Starts `beaver <line>` and sends it `signal` when it has worked for a moment.
fn stopped(place: &Place, line: &str, signal: &str) -> Stopped {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut child = place
        .command(&words)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    // The configuration is printed once the handler is there; then a moment for some runs.
    let mut first = String::new();
    match line.contains("--format json") {
        false => stdout.read_line(&mut first).unwrap(),
        true => stderr.read_line(&mut first).unwrap(),
    };
    assert!(first.starts_with("beaver "), "{first}");
    std::thread::sleep(Duration::from_millis(500));
    let sent = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    let since = Instant::now();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    Stopped {
        code: child.wait().unwrap().code(),
        stdout: rest,
        took: since.elapsed(),
    }
}

impl Stopped {
    #[track_caller]
    fn at_once(self) -> Self {
        assert_eq!(self.code, Some(130), "{}", self.stdout);
        assert!(self.took < AT_ONCE, "{:?}:\n{}", self.took, self.stdout);
        self
    }

    #[track_caller]
    fn says(&self, text: &str) -> &Self {
        assert!(
            self.stdout.contains(text),
            "no {text:?} in:\n{}",
            self.stdout
        );
        self
    }

    #[track_caller]
    fn never_says(&self, text: &str) -> &Self {
        assert!(!self.stdout.contains(text), "{text:?} in:\n{}", self.stdout);
        self
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

const ENDLESS: &str = "run --seeds 0..1000000000";

#[test]
fn ctrl_c_and_sigterm_end_with_130_and_print_what_was_done() {
    for signal in ["-INT", "-TERM"] {
        let place = Place::with_small_scenario();
        let ran = stopped(&place, ENDLESS, signal).at_once();
        ran.says("\nsmall ").says("stopped by a signal");
        ran.says("  interrupted  ").never_says(" pass ");
    }
}

#[test]
fn the_json_of_an_interrupted_run_says_so() {
    let place = Place::with_small_scenario();
    let ran = stopped(&place, &format!("{ENDLESS} --format json"), "-INT").at_once();
    let document = ran.json();
    assert_eq!(document["interrupted"], true);
    assert_eq!(document["verdict"], "interrupted");
    let scenario = &document["scenarios"][0];
    assert_eq!(scenario["verdict"], "interrupted");
    let runs = scenario["runs"].as_u64().unwrap();
    assert!(runs > 0 && runs < 1_000_000_000, "{runs}");
}

#[test]
fn the_page_of_an_interrupted_run_does_not_say_pass() {
    let place = Place::with_small_scenario();
    stopped(&place, &format!("{ENDLESS} --report page.html"), "-INT").at_once();
    let page = std::fs::read_to_string(place.path().join("page.html")).unwrap();
    assert!(page.contains("small: interrupted</title>"), "{page}");
    assert!(page.contains("stopped before their end"), "{page}");
    assert!(!page.contains(">pass<"), "{page}");
}

#[test]
fn an_interrupted_exploration_is_not_exhaustive() {
    let place = Place::with_small_scenario();
    for line in [
        "explore small --seeds 0..100000",
        "explore --ops 4",
        "explore --ops 6",
    ] {
        let ran = stopped(&place, line, "-INT").at_once();
        ran.says("Not exhaustive: it was stopped")
            .says("  interrupted  ")
            .never_says("Exhaustive: ")
            .never_says(" pass ");
    }
    let line = "explore --ops 4 --format json";
    let document = stopped(&place, line, "-TERM").at_once().json();
    assert_eq!(document["verdict"], "interrupted");
    for scenario in document["scenarios"].as_array().unwrap() {
        assert_eq!(scenario["exhaustive"], false);
        assert_eq!(scenario["torn_exhaustive"], false);
    }
}

#[test]
fn an_interrupted_zoo_knows_of_no_false_alarm_and_of_no_pass() {
    let place = Place::empty();
    let ran = stopped(&place, "zoo --report zoo.html", "-INT").at_once();
    ran.says("verdict  interrupted")
        .says("false alarms undecided")
        .says("were not looked for to the end")
        .never_says("0 false alarms");
    let page = std::fs::read_to_string(place.path().join("zoo.html")).unwrap();
    assert!(page.contains("the zoo: interrupted</title>"), "{page}");
    let document = stopped(&place, "zoo --format json", "-INT")
        .at_once()
        .json();
    assert_eq!(document["verdict"], "interrupted");
    assert!(document["undecided"].as_u64().unwrap() > 0);
}
