//! `beaver trace`: what it prints, and that its mount is gone however it ends.
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::beaver::Place;
use crate::golden::check_golden;

/// Whether programs can be recorded here; says so if not.
pub(crate) fn can_record() -> bool {
    let place = Place::empty();
    let ran = place.beaver("trace --out log -- true");
    let can = !ran.stderr.contains("/dev/fuse") && !ran.stderr.contains("cannot be mounted");
    if !can {
        println!("skipped: {}", ran.stderr);
    }
    can
}

pub(crate) fn is_mounted(path: &str) -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    mounts.contains(path)
}

/// A recording under way of a program that waits.
struct Waiting {
    beaver: Child,
    /// Where its directory is mounted.
    mount: String,
    /// The process group of the program.
    program: String,
    stdout: BufReader<std::process::ChildStdout>,
}

fn waiting(place: &Place) -> Waiting {
    let script =
        "echo $BEAVER_DIR; echo $$; echo x > $BEAVER_DIR/f; echo written; read line < /dev/zero";
    let mut beaver = place
        .command(&["trace", "--out", "log", "--", "sh", "-c", script])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(beaver.stdout.take().unwrap());
    let mut lines = [(); 3].map(|()| String::new());
    for line in &mut lines {
        stdout.read_line(line).unwrap();
    }
    let [mount, program, _] = lines.map(|line| line.trim().to_owned());
    assert!(is_mounted(&mount), "{mount}");
    Waiting {
        beaver,
        mount,
        program,
        stdout,
    }
}

impl Waiting {
    fn kill(&self, signal: &str) {
        let mut kill = Command::new("kill");
        let sent = kill.args([signal, &self.beaver.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for the end of `beaver`, and says its exit code and what it printed.
    fn end(&mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (self.beaver.wait().unwrap().code(), rest)
    }

    fn check_gone(&self) {
        assert!(!is_mounted(&self.mount));
        assert!(!Path::new(&self.mount).exists());
        assert!(!is_alive(&self.program));
    }
}

/// Whether a process is there and no zombie: nobody may be there to ask how it ended.
pub(crate) fn is_alive(process: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn ctrl_c_and_sigterm_end_the_program_and_the_recording_cleanly() {
    if !can_record() {
        return;
    }
    for signal in ["-INT", "-TERM"] {
        let place = Place::empty();
        let mut waiting = waiting(&place);
        waiting.kill(signal);
        let (code, rest) = waiting.end();
        assert_eq!(code, Some(130), "{rest}");
        assert!(rest.contains("was stopped\nrecorded in log\n"), "{rest}");
        waiting.check_gone();
        let events = std::fs::read_to_string(place.path().join("log/events.jsonl")).unwrap();
        assert!(events.ends_with("{\"ack\":\"written\"}\n"), "{events}");
    }
}

#[test]
fn the_guard_takes_mount_and_program_away_when_beaver_is_killed() {
    if !can_record() {
        return;
    }
    let place = Place::empty();
    let mut waiting = waiting(&place);
    waiting.kill("-KILL");
    let (code, _) = waiting.end();
    assert_eq!(code, None);
    // The guard comes after it.
    while is_mounted(&waiting.mount)
        || Path::new(&waiting.mount).exists()
        || is_alive(&waiting.program)
    {
        std::thread::yield_now();
    }
}

#[test]
fn the_mount_is_gone_after_success_and_failure() {
    if !can_record() {
        return;
    }
    for (setup, code) in [("true", 0), ("false", 2)] {
        let place = Place::empty();
        let setup = format!("echo {{dir}} > place; {setup}");
        let ran = place.beaver_words(&[
            "trace", "--setup", &setup, "--out", "log", "--", "sh", "-c", "exit 5",
        ]);
        let ran = ran.ends_with(code);
        let mount = std::fs::read_to_string(place.path().join("place")).unwrap();
        assert!(!is_mounted(mount.trim()), "{}", ran.stdout);
        assert!(!Path::new(mount.trim()).exists());
    }
}

/// Saves a file as many programs do, and syncs too little.
const SAVE: &str = "import os, sys
f = open(sys.argv[1] + '/new', 'w')
f.write('state')
f.close()
os.rename(sys.argv[1] + '/new', sys.argv[1] + '/state')
print('saved')
";

#[test]
fn the_summary_names_what_was_not_synced() {
    if !can_record() {
        return;
    }
    let place = Place::empty();
    place.write("save.py", SAVE);
    let words = ["trace", "--out", "log", "--", "python3", "save.py", "{dir}"];
    let ran = place.beaver_words(&words).ends_with(0);
    check_golden("trace_summary.txt", &ran.stdout);
}

#[test]
fn json_is_alone_on_standard_output() {
    if !can_record() {
        return;
    }
    let place = Place::empty();
    place.write("save.py", SAVE);
    let ran = place.beaver_words(&[
        "trace", "--out", "log", "--format", "json", "--", "python3", "save.py", "{dir}",
    ]);
    let ran = ran.ends_with(0);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["ended"]["with"]["code"], 0);
    assert_eq!(document["summary"]["names-never-synced"][0], "state");
    assert_eq!(ran.stderr, "saved\n");
}

#[test]
fn a_fault_that_is_not_known_is_refused_with_the_list() {
    let ran = Place::empty().beaver("trace --out log --fault eio -- true");
    let ran = ran.ends_with(2);
    assert!(ran.stderr.contains("eio-at-fsync:N"), "{}", ran.stderr);
}

#[test]
fn syncfs_makes_everything_durable_and_comes_after_what_stands_in_mappings() {
    if !can_record() {
        return;
    }
    let place = Place::empty();
    // Not sync(2): it waits for every file system of the machine. The way that it is heard of is the same.
    let script = "import ctypes, mmap, os
d = os.environ['BEAVER_DIR']
f = os.open(d + '/f', os.O_RDWR | os.O_CREAT, 0o644)
os.ftruncate(f, 4096)
m = mmap.mmap(f, 4096)
m[0:4] = b'page'
other = os.open('.', os.O_RDONLY)
libc = ctypes.CDLL(None, use_errno=True)
assert libc.syncfs(other) == 0
print('not here', flush=True)
assert libc.syncfs(f) == 0
print('here', flush=True)
assert os.fork() == 0 or os.wait()[1] == 0
assert libc.syncfs(f) == 0
";
    let ran = place.beaver_words(&["trace", "--out", "log", "--", "python3", "-c", script]);
    let ran = ran.ends_with(0).says("ended with 0");
    assert!(!ran.stdout.contains("warnings"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("never synced"), "{}", ran.stdout);
    let events = std::fs::read_to_string(place.path().join("log/events.jsonl")).unwrap();
    let events: Vec<&str> = events.lines().skip(2).collect();
    let expected = [
        r#"{"call":{"change":{"create":{"dir":0,"name":"f"}}}}"#,
        r#"{"call":{"change":{"set-len":{"inode":1,"len":4096}}}}"#,
        r#"{"ack":"not here"}"#,
        r#"{"call":{"change":{"write":{"inode":1,"offset":0}},"bytes":[0,4096],"mapped":true}}"#,
        r#""sync""#,
        r#"{"ack":"here"}"#,
        r#""sync""#,
        r#""sync""#,
    ];
    assert_eq!(events, expected);
}

#[test]
fn a_program_that_cannot_be_started_is_said_and_leaves_nothing() {
    if !can_record() {
        return;
    }
    let place = Place::empty();
    let ran = place
        .beaver("trace --out log -- /no/such/program")
        .ends_with(2);
    ran.complains("/no/such/program: No such file or directory");
    assert!(!place.path().join("log").exists());
}

#[test]
fn without_the_device_it_is_said_what_to_do() {
    let place = Place::empty();
    let script = "mount -t tmpfs none /dev && exec \"$@\"";
    let mut unshare = Command::new("unshare");
    unshare.args(["-rm", "sh", "-c", script, "sh"]);
    let beaver = env!("CARGO_BIN_EXE_beaver");
    unshare.args([beaver, "trace", "--out", "log", "--", "true"]);
    let output = unshare.current_dir(place.path()).output();
    let stderr = output.map_or(String::new(), |output| {
        String::from_utf8_lossy(&output.stderr).into_owned()
    });
    if !stderr.contains("error:") {
        println!("skipped: no namespaces here: {stderr}");
        return;
    }
    assert!(stderr.contains("/dev/fuse: No such file"), "{stderr}");
    assert!(stderr.contains("modprobe fuse"), "{stderr}");
    assert!(stderr.contains("--device /dev/fuse"), "{stderr}");
}

#[test]
fn no_root_is_needed_inside_unshare() {
    if !can_record() {
        return;
    }
    let place = Place::empty();
    let mut unshare = Command::new("unshare");
    let beaver = env!("CARGO_BIN_EXE_beaver");
    unshare.args(["-Urm", beaver, "trace", "--out", "log", "--"]);
    unshare.args(["sh", "-c", "echo x > $BEAVER_DIR/f; echo said"]);
    let output = unshare.current_dir(place.path()).output();
    let output = output.map(|output| (output.status, output.stdout, output.stderr));
    match output {
        Ok((status, stdout, _)) if status.success() => {
            let stdout = String::from_utf8(stdout).unwrap();
            assert!(stdout.starts_with("said\n"), "{stdout}");
            assert!(stdout.contains("names never synced"), "{stdout}");
        }
        other => println!("skipped: no namespaces here: {other:?}"),
    }
}

#[test]
fn a_recording_that_finds_no_room_ends_with_an_error() {
    if !can_record() {
        return;
    }
    let place = Place::empty();
    let script = "mkdir small && mount -t tmpfs -o size=1m none small && exec \"$@\"";
    let mut unshare = Command::new("unshare");
    unshare.args(["-Urm", "sh", "-c", script, "sh"]);
    let beaver = env!("CARGO_BIN_EXE_beaver");
    unshare.args([beaver, "trace", "--out", "small/log", "--"]);
    unshare.args(["dd", "if=/dev/zero", "of={dir}/f", "bs=1M", "count=50"]);
    let output = unshare.current_dir(place.path()).output();
    let stderr = output.map_or(String::new(), |output| {
        String::from_utf8_lossy(&output.stderr).into_owned()
    });
    if !stderr.contains("error:") {
        println!("skipped: no namespaces here: {stderr}");
        return;
    }
    let said = "the recording small/log: No space left on device";
    assert!(stderr.contains(said), "{stderr}");
}
