//! One program is compiled against `std::fs` and against `beaver_fs`, and answers the same on both.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

use std::path::Path;

use beaver_disk::{Disk, Profile, SimDisk, SimOptions};

mod with_std {
    use std::fs::{self, File};
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    include!("both/program.rs");
}

mod with_beaver {
    use beaver_fs::unix::symlink;
    use beaver_fs::{self as fs, File};
    use std::os::unix::fs::PermissionsExt as _;
    include!("both/program.rs");
}

#[track_caller]
fn check_equal(expected: &[String], found: &[String]) {
    let pairs = expected.iter().zip(found);
    let differing: Vec<_> = pairs
        .filter(|(expected, found)| expected != found)
        .collect();
    assert!(differing.is_empty(), "{differing:#?}");
    assert_eq!(expected.len(), found.len());
}

fn on_real_files(run: fn(&Path) -> Vec<String>) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    run(&directory.path().canonicalize().unwrap())
}

#[test]
fn every_function_has_the_signature_of_std() {
    assert_eq!(with_std::signatures(), with_beaver::signatures());
}

#[test]
fn real_files_answer_as_those_of_std() {
    let expected = on_real_files(with_std::run);
    check_equal(&expected, &on_real_files(with_beaver::run));
}

#[test]
fn a_simulated_disk_answers_as_real_files_do() {
    let expected = on_real_files(with_std::run);
    for profile in [Profile::Posix, Profile::LinuxOrdered] {
        let disk = SimDisk::new(Disk::empty(profile), SimOptions::default());
        let mounted = beaver_fs::mount_numbered("same-signatures", disk.storage()).unwrap();
        check_equal(&expected, &with_beaver::run(mounted.path()));
    }
}
