//! `beaver crash` is ended in the midst of its work, by Ctrl-C or by a signal that nobody can catch: nothing of it is left.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::beaver::Place;
use crate::trace::{can_record, is_alive, is_mounted};

/// What beaver does when it is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Setup,
    Program,
    Check,
    Server,
    ServerOfLargeImages,
    LargeImages,
    Proof,
}

use Phase::{Check, LargeImages, Program, Proof, Server, ServerOfLargeImages, Setup};

const PHASES: [Phase; 7] = [
    Setup,
    Program,
    Check,
    Server,
    ServerOfLargeImages,
    LargeImages,
    Proof,
];

/// Says where it is, and waits.
const WAIT: &str = "echo \"$d\" $$ > where.new; mv where.new where; sleep 1000 & wait";

/// A call of beaver that waits in a phase for its end.
struct Waiting {
    beaver: Child,
    /// The directory that is looked at.
    dir: PathBuf,
    process: String,
}

fn waiting(place: &Place, phase: Phase) -> Waiting {
    fs::create_dir_all(place.path().join("tmp")).unwrap();
    let wait = |dir: &str| format!("d={dir}; {WAIT}");
    let large = matches!(phase, LargeImages | ServerOfLargeImages);
    let (setup, program) = match phase {
        Setup => (wait("{dir}"), "true".to_owned()),
        Program => ("true".to_owned(), wait("{dir}")),
        _ if large => (
            "head -c 5000000 /dev/zero > {dir}/f".to_owned(),
            "echo new >> {dir}/f".to_owned(),
        ),
        _ => (
            "echo old > {dir}/f".to_owned(),
            "for n in 1 2 3; do echo $n > {dir}/t; mv {dir}/t {dir}/f; echo said; done".to_owned(),
        ),
    };
    let check = match phase {
        Server | ServerOfLargeImages => {
            format!("IFS=\"$(printf '\\t')\" read -r d acks; {WAIT}")
        }
        // The images come first, then those of the proof.
        Proof => {
            let count = "echo >> checks; [ $(wc -l < checks) -le $(cat until) ]";
            format!("d={{dir}}; {count} || {{ {WAIT}; }}; [ -s {{dir}}/f ]")
        }
        _ => wait("{dir}"),
    };
    let mut words = vec!["crash", "--check", &check, "--setup", &setup];
    words.extend(["--fs", "linux-ordered", "--jobs", "1"]);
    if matches!(phase, Server | ServerOfLargeImages) {
        words.push("--serve");
    }
    let program = ["--", "sh", "-c", &program];
    if phase == Proof {
        place.write("until", "1000");
        let before = [&words[..], &["--proof-for", "0s"], &program].concat();
        place.beaver_words(&before).ends_with(1);
        fs::rename(place.path().join("checks"), place.path().join("before")).unwrap();
        let before = fs::read_to_string(place.path().join("before")).unwrap();
        place.write("until", &before.lines().count().to_string());
    }
    words.extend(program);
    let mut command = place.command(&words);
    command.env("TMPDIR", place.path().join("tmp"));
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let beaver = command.spawn().unwrap();
    let file = place.path().join("where");
    until(|| file.exists());
    let at = fs::read_to_string(file).unwrap();
    let (dir, process) = at.trim().split_once(' ').unwrap();
    assert_eq!(is_mounted(dir), large || matches!(phase, Setup | Program));
    Waiting {
        beaver,
        dir: dir.into(),
        process: process.to_owned(),
    }
}

impl Waiting {
    fn end_by(&mut self, signal: &str) -> (Option<i32>, String) {
        let mut kill = Command::new("kill");
        let sent = kill.args([signal, &self.beaver.id().to_string()]).status();
        assert!(sent.unwrap().success());
        let mut text = String::new();
        let mut stdout = self.beaver.stdout.take().unwrap();
        stdout.read_to_string(&mut text).unwrap();
        (self.beaver.wait().unwrap().code(), text)
    }

    /// What is left of it.
    fn left(&self, place: &Place) -> Vec<String> {
        let mut left = Vec::new();
        let is_own = |path: &&Path| path.to_string_lossy().contains("/beaver-");
        left.extend(self.dir.ancestors().take_while(is_own).map(exists));
        let files = fs::read_dir(place.path().join("tmp")).unwrap();
        left.extend(files.map(|file| exists(&file.unwrap().path())));
        left.push(match is_alive(&self.process) {
            true => format!("process {}", self.process),
            false => String::new(),
        });
        let dir = self.dir.to_str().unwrap();
        left.push(match is_mounted(dir) {
            true => format!("mount {dir}"),
            false => String::new(),
        });
        left.retain(|left| !left.is_empty());
        left
    }
}

/// Waits for something, but not forever.
fn until(is_so: impl Fn() -> bool) {
    for _ in 0..12_000 {
        if is_so() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("it did not happen");
}

fn exists(path: &Path) -> String {
    match path.exists() {
        true => path.display().to_string(),
        false => String::new(),
    }
}

#[test]
fn nothing_is_left_when_beaver_is_killed_in_any_phase() {
    if !can_record() {
        return;
    }
    for phase in PHASES {
        let place = Place::empty();
        let mut waiting = waiting(&place, phase);
        assert_eq!(waiting.end_by("-KILL").0, None, "{phase:?}");
        // The guard comes after it.
        until(|| waiting.left(&place).is_empty());
    }
}

#[test]
fn ctrl_c_and_sigterm_end_every_phase_and_leave_nothing() {
    if !can_record() {
        return;
    }
    for (phase, signal) in PHASES
        .into_iter()
        .zip(["-INT", "-TERM"].into_iter().cycle())
    {
        let place = Place::empty();
        let mut waiting = waiting(&place, phase);
        let (code, stdout) = waiting.end_by(signal);
        assert_eq!(waiting.left(&place), [""; 0], "{phase:?}");
        // What was found until then is not lost.
        let expected = if phase == Proof { 1 } else { 130 };
        assert_eq!(code, Some(expected), "{phase:?}: {stdout}");
        let said = match phase {
            Setup | Program => "",
            Proof => "stopped before it was known what is missing on ext4, XFS",
            _ => "not tried, stopped before",
        };
        assert!(stdout.contains(said), "{phase:?}: {stdout}");
    }
}
