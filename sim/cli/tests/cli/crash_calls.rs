//! `beaver crash` called wrongly, or for too short a time: what is said.
#![cfg(target_os = "linux")]

use std::fs;

use crate::beaver::{Place, Ran};
use crate::trace::can_record;

const CHECK: &str = "[ -d {dir} ]";

fn crash(place: &Place, words: &[&str]) -> Ran {
    place.beaver_words(&[&["crash"], words].concat())
}

#[test]
fn a_program_without_dashes_before_it_is_a_hint() {
    let place = Place::empty();
    let hint = "hint: the program comes after `--`";
    let words = ["--check", CHECK, "python3", "save.py", "{dir}"];
    crash(&place, &words).ends_with(2).complains(hint);
    let ran = place.beaver("trace --out log python3 save.py");
    ran.ends_with(2).complains(hint);
    place.write("save", "");
    let one = crash(&place, &["--check", CHECK, "./save"]);
    one.ends_with(2).complains("a program comes after `--`");
    let none = crash(&place, &["--check", CHECK]).ends_with(2);
    none.complains("no program and no recording")
        .complains("-- ./save {dir}");
}

#[test]
fn a_check_that_looks_at_no_folder_is_refused() {
    let place = Place::empty();
    let ran = crash(&place, &["--check", "./verify", "--", "true"]).ends_with(2);
    ran.complains("the check never looks at the files")
        .complains("--check './verify {dir}'");
}

#[test]
fn what_cannot_be_started_is_said_with_what_to_do() {
    let place = Place::empty();
    place.write("noexec", "#!/bin/sh\n");
    let chmod = "chmod +x ./noexec";
    crash(&place, &["--check", "./noexec {dir}", "--", "true"])
        .ends_with(2)
        .complains("the check, ./noexec, is not executable")
        .complains(chmod);
    crash(&place, &["--check", CHECK, "--", "./noexec"])
        .ends_with(2)
        .complains(chmod);
    crash(&place, &["--check", "./none {dir}", "--", "true"])
        .ends_with(2)
        .complains("the check, ./none: No such file");
    if can_record() {
        crash(&place, &["--check", CHECK, "--", "noexec"])
            .ends_with(2)
            .complains("`./noexec`");
    }
}

#[test]
fn places_that_cannot_be_written_are_said_before_the_program_runs() {
    let place = Place::empty();
    place.write("file", "");
    for words in [["--out", "file"], ["--report", "none/page.html"]] {
        let program = ["--check", CHECK, "--", "sh", "-c", "echo > ran"];
        let ran = crash(&place, &[&words[..], &program].concat());
        ran.ends_with(2).complains(words[1]);
        assert!(!place.path().join("ran").exists());
    }
}

#[test]
fn a_program_that_failed_is_blamed_before_the_check() {
    if !can_record() {
        return;
    }
    let ends = |script: &str| {
        let words = ["--check", "[ -e {dir}/f ]", "--", "sh", "-c", script];
        crash(&Place::empty(), &words).ends_with(2)
    };
    let why = "error: the program ended with 5, so look there first: the check fails";
    ends("echo > {dir}/g; exit 5").complains(why);
    ends("exit 5").complains("error: the program ended with 5 and changed nothing in {dir}");
}

#[test]
fn a_program_that_has_no_folder_among_its_arguments_is_told_so() {
    if !can_record() {
        return;
    }
    crash(&Place::empty(), &["--check", CHECK, "--", "true"])
        .ends_with(2)
        .complains("`{dir}` is not among its arguments");
}

#[test]
fn disks_go_by_the_names_of_file_systems_too() {
    if !can_record() {
        return;
    }
    for (name, disk) in [
        ("ext4", "linux-ordered"),
        ("xfs", "linux-ordered"),
        ("btrfs", "btrfs-like"),
    ] {
        let words = ["--fs", name, "--check", CHECK];
        let program = ["--", "sh", "-c", "echo > {dir}/f"];
        let ran = crash(&Place::empty(), &[&words[..], &program].concat());
        ran.ends_with(0).says(&format!("({disk})\n"));
    }
    crash(&Place::empty(), &["log", "--check", CHECK, "--fs", "ntfs"])
        .ends_with(2)
        .complains("ext4, xfs, btrfs");
}

#[test]
fn names_that_break_lines_are_escaped_and_each_change_of_a_name_is_what_it_is() {
    if !can_record() {
        return;
    }
    let place = Place::empty();
    let script =
        "cd {dir}; printf x > t; mv t \"$(printf 'a\\nb')\"; mkdir d; mv d e; ln a* c; echo said";
    // It holds only without a crash.
    let check = "[ -s {dir}/c ] && grep -q said {acks}";
    let words = ["--fs", "posix", "--check", check, "--", "sh", "-c", script];
    let ran = crash(&place, &words).ends_with(1);
    let ran = ran
        .says("rename t to a\\nb\n")
        .says("rename d to e\n")
        .says("link a\\nb as c\n");
    assert!(!ran.stdout.contains("a\nb"), "{}", ran.stdout);
}

/// A check of 50 ms, and a program that leaves many images.
fn slow(place: &Place, time: &str, more: &[&str]) -> Ran {
    let script = "for n in 1 2 3 4 5 6 7 8 9; do echo $n > {dir}/f$n; echo said; done; sync {dir}";
    let check = "sleep 0.05; [ -d {dir} ]";
    let words = ["--for", time, "--jobs", "1", "--check", check];
    crash(
        place,
        &[&words[..], more, &["--", "sh", "-c", script]].concat(),
    )
}

#[test]
fn time_that_is_over_before_all_was_tried_ends_with_3_and_says_what_was_not() {
    if !can_record() {
        return;
    }
    let place = Place::empty();
    let ran = slow(&place, "700ms", &[]).ends_with(3);
    ran.says("images more were found and not tried")
        .says("stopped before the end");
    let ran = slow(&place, "700ms", &["--format", "json"]).ends_with(3);
    assert_eq!(ran.json()["verdict"], "budget");
    let none = slow(&place, "20ms", &[]).ends_with(6);
    none.says("ext4, XFS: not tried, stopped before");
}

#[test]
fn time_that_is_over_hides_no_failure_and_ends_the_proof() {
    if !can_record() {
        return;
    }
    let place = Place::empty();
    let script = "for n in 1 2 3; do echo $n > {dir}/t; mv {dir}/t {dir}/f; echo said; done";
    // The images take no time, those of the proof do.
    let check = "echo >> checks; [ $(wc -l < checks) -le 24 ] || sleep 0.5; [ -s {dir}/f ]";
    let words = [
        "--for", "1500ms", "--jobs", "1", "--fs", "ext4", "--check", check,
    ];
    let setup = ["--setup", "echo > {dir}/f", "--", "sh", "-c", script];
    let ran = crash(&place, &[&words[..], &setup].concat()).ends_with(1);
    ran.says("images fail").says("stopped before it was known");
    let checks = fs::read_to_string(place.path().join("checks")).unwrap();
    assert!(checks.lines().count() < 40);
}
