//! `docs/any-program.md`: every command works as it stands there, and says what stands there. It takes FUSE and Python.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::beaver::Place;
use crate::pages::{Block, Page, check_lines};

/// What the page leaves to the reader: a check, a program, and a database that nobody need install for this test.
const OWN: [(&str, &str); 3] = [
    ("verify", "exec python3 verify.py \"$@\""),
    ("workload", "exec python3 save.py \"$@\""),
    (
        "bin/sqlite3",
        "exec python3 -c 'import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])' \"$@\"",
    ),
];

/// The blocks of the page.
fn blocks() -> Vec<Block> {
    Page::read("docs/any-program.md").blocks()
}

/// Whether programs can be recorded on this machine. Said if not.
fn can_record(place: &Place) -> bool {
    let ran = place.beaver_words(&["trace", "--out", "probe", "--", "python3", "-c", "0"]);
    if ran.code != Some(0) {
        eprintln!("left out: {}", ran.stderr.trim());
    }
    ran.code == Some(0)
}

/// A place with the programs of the page.
fn place_of_the_page() -> Option<Place> {
    let place = Place::empty();
    if !can_record(&place) {
        return None;
    }
    for block in blocks() {
        let name = block
            .text
            .strip_prefix("# ")
            .filter(|_| block.language == "python");
        if let Some(name) = name.and_then(|rest| rest.split([' ', ':', '\n']).next()) {
            place.write(name, &block.text);
        }
    }
    // Where `python3` is a script that looks for one, each check takes as long as ten.
    let real = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output()
        .unwrap();
    let real = String::from_utf8(real.stdout).unwrap();
    std::fs::create_dir_all(place.path().join("bin")).unwrap();
    std::os::unix::fs::symlink(real.trim(), place.path().join("bin/python3")).unwrap();
    for (name, command) in OWN {
        let path = place.write(name, &format!("#!/bin/sh\n{command}\n"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    Some(place)
}

#[test]
fn the_minute_of_the_page_says_what_stands_there() {
    let Some(place) = place_of_the_page() else {
        return;
    };
    let blocks = blocks();
    let of = |language: &str| {
        let block = blocks.iter().find(|block| block.language == language);
        block.unwrap().text.clone()
    };
    // On a slow machine a minute for the missing syncs is too short, and that is said: it is not what the page shows.
    let line = of("sh").replace("beaver crash", "beaver crash --proof-for 3600s");
    let (code, text) = place.shell(&line);
    assert_eq!(code, Some(1), "{text}");
    check_lines(&text, &of("text"));
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn every_command_of_the_page_runs() {
    let Some(place) = place_of_the_page() else {
        return;
    };
    let shell: String = blocks()
        .into_iter()
        .filter(|block| block.language == "sh")
        .map(|block| block.text)
        .collect();
    let mut ran = 0;
    for line in shell.lines() {
        let folder = std::fs::read_dir(place.path().join("failures"));
        let folder = folder.ok().and_then(|mut folders| folders.next());
        let folder = folder.map(|folder| folder.unwrap().file_name().into_string().unwrap());
        let line = line.replace("FOLDER", &folder.unwrap_or_default());
        // The program of the page fails every check.
        let checked = !line.starts_with("beaver trace") && !line.contains("--image");
        let (code, text) = place.shell(&line);
        assert_eq!(code, Some(i32::from(checked)), "{line}\n{text}");
        ran += 1;
    }
    assert_eq!(ran, 7, "{shell}");
    assert!(place.path().join("look").is_dir());
}

#[test]
fn the_check_server_of_the_page_answers_for_each_image() {
    let Some(place) = place_of_the_page() else {
        return;
    };
    let blocks = blocks();
    let server = blocks
        .iter()
        .find(|block| block.language == "python" && block.text.contains("sys.stdin"));
    let check = "import os\ndef check(folder, acks):\n    return \"\" if os.path.isdir(folder) and os.path.isfile(acks) else \"no folder\"\n";
    place.write("serve.py", &format!("{check}{}", server.unwrap().text));
    let line = "beaver crash --serve --check 'python3 serve.py' -- python3 save.py {dir}";
    let (code, text) = place.shell(line);
    assert_eq!(code, Some(0), "{text}");
}
