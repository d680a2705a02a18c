//! The bodies of the fuzz targets over the inputs that are kept: examples, and whatever once broke
//! something. `fuzz/bodies/mod.rs` says how to look for more.

#[path = "../fuzz/bodies/mod.rs"]
mod bodies;

use std::fs;
use std::path::Path;

/// Runs `check` over each input, whole, and cut and changed in a few places.
fn check_seeds(target: &str, check: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target);
    let mut count = 0;
    for entry in fs::read_dir(directory).expect("the inputs are in the repository") {
        let path = entry.expect("the directory can be read").path();
        let input = fs::read(&path).expect("the file can be read");
        let outcome = std::panic::catch_unwind(|| check(&input));
        assert!(outcome.is_ok(), "{}", path.display());
        for part in 1..16 {
            let at = input.len() * part / 16;
            check(&input[..at]);
            let mut changed = input.clone();
            if let Some(byte) = changed.get_mut(at) {
                *byte ^= 1 << (part % 8);
            }
            check(&changed);
        }
        count += 1;
    }
    assert!(count > 0, "{target} has inputs");
}

#[test]
fn any_bytes_are_a_segment_or_a_typed_error() {
    check_seeds("segment", bodies::segment::check);
}

#[test]
fn any_bytes_are_a_snapshot_or_a_typed_error() {
    check_seeds("snapshot", bodies::snapshot::check);
}

#[test]
fn any_bytes_are_an_event_or_a_typed_error_to_both_readers() {
    check_seeds("event", bodies::event::check);
}

#[test]
fn any_files_are_a_store_or_a_typed_error() {
    check_seeds("directory", bodies::directory::check);
}
