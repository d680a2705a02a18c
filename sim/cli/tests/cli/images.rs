//! `beaver images`.

use std::path::Path;

use serde_json::{Value, json};

use crate::beaver::Place;

/// The conformance vectors of the crash model.
const VECTORS: &str = "../disk/tests/data/vectors.jsonl";

#[track_caller]
fn check_images(words: &[&str], images: &[&str]) {
    let words: Vec<&str> = [&["images"], words].concat();
    let ran = Place::empty().beaver_words(&words).ends_with(0);
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), images);
}

#[test]
fn trees_are_shown_by_path() {
    check_images(
        &["mkdir d; create d/f; write d/f 0 A; sync d/f; sync_dir d"],
        &["(none)", "d/f=A"],
    );
    check_images(
        &["f=A; d/; link f d/g; symlink f l; sync_dir d"],
        &["d/g=A,f=A", "d/g=A,f=A,l->f"],
    );
}

#[test]
fn images_are_one_a_line_and_posix_by_default() {
    check_images(&["create f; write f 0 AB; sync f"], &["(none)", "f=AB"]);
    check_images(
        &["--fs", "linux-ordered", "create f; write f 0 AB; sync f"],
        &["f=AB"],
    );
}

#[test]
fn files_that_are_there_come_first() {
    check_images(&["f=A; t=B; rename t f"], &["f=A,t=B", "f=B", "f=B,t=B"]);
    check_images(&["f=\"\"; sync f"], &["f=\"\""]);
    check_images(&[""], &["(none)"]);
}

#[test]
fn json_has_all_five_profiles() {
    let ran = Place::empty()
        .beaver_words(&["images", "--format", "json", "f=A; remove f"])
        .ends_with(0);
    assert_eq!(ran.stdout.lines().count(), 1);
    let both = json!(["(none)", "f=A"]);
    assert_eq!(
        ran.json(),
        json!({
            "files": {"f": "A"},
            "steps": ["remove f"],
            "images": {
                "strict": ["f=A"], "linux-ordered": both, "btrfs-like": both, "posix": both, "alice": both,
            },
        })
    );
    let words = [
        "images",
        "--format",
        "json",
        "--fs",
        "strict",
        "f=A; remove f",
    ];
    let one = Place::empty().beaver_words(&words).ends_with(0).json();
    assert_eq!(one["images"], json!({"strict": ["f=A"]}));
}

#[test]
fn a_file_of_histories_gives_every_vector_exactly() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join(VECTORS);
    let expected = std::fs::read_to_string(&vectors).unwrap();
    let words = [
        "images",
        "--format",
        "json",
        "--file",
        vectors.to_str().unwrap(),
    ];
    let ran = Place::empty().beaver_words(&words).ends_with(0);
    let parse = |line: &str| -> Value { serde_json::from_str(line).unwrap() };
    assert_eq!(ran.stdout.lines().count(), expected.lines().count());
    for (line, expected) in ran
        .stdout
        .lines()
        .map(parse)
        .zip(expected.lines().map(parse))
    {
        assert_eq!(line["images"], expected["images"], "{}", expected["id"]);
        assert_eq!(line["steps"], expected["steps"]);
        assert_eq!(line["files"], expected["files"]);
    }
}

#[test]
fn steps_in_a_file_are_a_list_or_one_string() {
    let place = Place::empty();
    place.write(
        "histories.jsonl",
        "{\"files\": {\"f\": \"A\"}, \"steps\": [\"remove f\"], \"note\": 1}\n\n{\"steps\": \"f=A; remove f\"}\n",
    );
    let ran = place.beaver("images --file histories.jsonl").ends_with(0);
    assert_eq!(
        ran.stdout,
        "# histories.jsonl:1: remove f\n(none)\nf=A\n# histories.jsonl:3: remove f\n(none)\nf=A\n"
    );
}

#[test]
fn a_history_that_makes_no_sense_ends_with_2() {
    for (history, why) in [
        ("dance f", "dance"),
        ("write f 0 A", "f"),
        ("create f; write f x A", "x"),
        ("f=A; f=B", "there twice"),
    ] {
        Place::empty()
            .beaver_words(&["images", history])
            .ends_with(2)
            .complains(why);
    }
    let place = Place::empty();
    place.write("histories.jsonl", "{\"steps\": []}\n{\"steps\": 7}\n");
    place
        .beaver("images --file histories.jsonl")
        .ends_with(2)
        .complains("histories.jsonl:2");
    place
        .beaver("images --file nowhere")
        .ends_with(2)
        .complains("nowhere");
    place.beaver("images").ends_with(2).complains("<HISTORY>");
    Place::empty()
        .beaver_words(&["images", "--fs", "ext5", "sync_dir"])
        .ends_with(2)
        .complains("unknown profile `ext5`");
}
