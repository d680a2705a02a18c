//! What a power cut leaves after calls of `beaver_fs` is exactly what it leaves after the steps that they
//! stand for, in every profile.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

use std::collections::BTreeSet;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use beaver_disk::notation::{FileHistory, render};
use beaver_disk::{Profile, SimDisk, SimOptions};
use beaver_fs::{self as fs, File, OpenOptions};

const LIMIT: u64 = 100_000;

/// Runs `program` on a disk with `files`, and compares what may be left with what the steps leave.
#[track_caller]
fn check(files: &str, steps: &str, program: fn(&Path) -> std::io::Result<()>) {
    for profile in Profile::ALL {
        let disk = FileHistory::parse(files).unwrap().run(profile).unwrap();
        let disk = SimDisk::new(disk, SimOptions::default());
        let mounted = fs::mount_numbered("power-cut", disk.storage()).unwrap();
        program(mounted.path()).unwrap();
        let space = disk.crash_between_calls().images();
        let images = space.enumerate(LIMIT).unwrap();
        let found: BTreeSet<String> = images.map(|found| render(&found.image)).collect();
        let history = FileHistory::parse(&format!("{files}; {steps}")).unwrap();
        let expected = history.images(profile, LIMIT).unwrap();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), expected, "{profile}");
    }
}

/// What notation calls a page.
fn page(letter: u8) -> Vec<u8> {
    vec![letter; 4096]
}

#[test]
fn a_file_that_is_written_in_place_may_be_torn_between_old_and_new() {
    check("f=AA", "write f 0 BB", |root| {
        let mut file = OpenOptions::new().write(true).open(root.join("f"))?;
        file.write_all(&[page(b'B'), page(b'B')].concat())
    });
}

#[test]
fn a_file_that_is_written_whole_may_be_empty() {
    check("f=A", "set_len f 0; write f 0 B", |root| {
        fs::write(root.join("f"), page(b'B'))
    });
}

#[test]
fn a_file_that_is_renamed_without_a_sync_may_be_empty() {
    check("f=A", "create t; write t 0 B; rename t f", |root| {
        fs::write(root.join("t"), page(b'B'))?;
        fs::rename(root.join("t"), root.join("f"))
    });
}

#[test]
fn a_file_that_is_synced_and_renamed_is_the_old_one_or_the_new_one() {
    let steps = "create t; write t 0 B; sync_all t; rename t f";
    check("f=A", steps, |root| {
        let mut file = File::create(root.join("t"))?;
        file.write_all(&page(b'B'))?;
        file.sync_all()?;
        fs::rename(root.join("t"), root.join("f"))
    });
}

#[test]
fn a_file_that_is_synced_and_renamed_in_a_synced_directory_is_the_new_one() {
    let steps = "create t; write t 0 B; sync_all t; rename t f; sync_dir";
    check("f=A", steps, |root| {
        let mut file = File::create_new(root.join("t"))?;
        file.write_all(&page(b'B'))?;
        file.sync_all()?;
        fs::rename(root.join("t"), root.join("f"))?;
        File::open(root)?.sync_all()
    });
    let left = FileHistory::parse(&format!("f=A; {steps}")).unwrap();
    assert_eq!(left.images(Profile::Posix, LIMIT).unwrap(), ["f=B"]);
}

#[test]
fn a_sync_of_data_is_less_than_a_sync_of_everything() {
    // On `linux-ordered` they differ: the time of a written file makes the journal commit other names.
    check("f=A", "create g; write f 0 B; sync_data f", |root| {
        File::create(root.join("g"))?;
        let mut file = OpenOptions::new().write(true).open(root.join("f"))?;
        file.write_all(&page(b'B'))?;
        file.sync_data()
    });
    check("f=A", "create g; write f 0 B; sync_all f", |root| {
        File::create(root.join("g"))?;
        let mut file = OpenOptions::new().write(true).open(root.join("f"))?;
        file.write_all(&page(b'B'))?;
        file.sync_all()
    });
}

#[test]
fn an_append_is_a_write_at_the_end() {
    check("f=A", "write f 1 B; sync f; write f 2 C", |root| {
        let mut file = OpenOptions::new().append(true).open(root.join("f"))?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&page(b'B'))?;
        file.sync_data()?;
        file.write_all(&page(b'C'))
    });
}

#[test]
fn each_directory_is_synced_alone() {
    let steps = "mkdir d; mkdir d/e; create d/e/f; write d/e/f 0 A; sync_all d/e/f; sync_dir d/e";
    check("g=A", steps, |root| {
        fs::create_dir_all(root.join("d/e"))?;
        let mut file = File::create(root.join("d/e/f"))?;
        file.write_all(&page(b'A'))?;
        file.sync_all()?;
        File::open(root.join("d/e"))?.sync_all()
    });
}

#[test]
fn a_rename_across_directories_is_two_halves() {
    check("d/f=A; e/", "rename d/f e/g; sync_dir e", |root| {
        fs::rename(root.join("d/f"), root.join("e/g"))?;
        File::open(root.join("e"))?.sync_all()
    });
}

#[test]
fn a_directory_that_was_opened_before_its_rename_is_the_one_that_is_synced() {
    check(
        "d/f=A; e/",
        "create d/g; rename d e/d; sync_dir e/d",
        |root| {
            let directory = File::open(root.join("d"))?;
            File::create(root.join("d/g"))?;
            fs::rename(root.join("d"), root.join("e/d"))?;
            directory.sync_all()
        },
    );
}

#[test]
fn a_tree_is_removed_name_by_name() {
    let steps = "remove d/e/f; rmdir d/e; remove d/g; rmdir d";
    check("d/e/f=A; d/g=B", steps, |root| {
        fs::remove_dir_all(root.join("d"))
    });
}

#[test]
fn links_are_names_and_files() {
    check("f=A", "link f g; symlink f l; sync_dir", |root| {
        fs::hard_link(root.join("f"), root.join("g"))?;
        fs::unix::symlink("f", root.join("l"))?;
        File::open(root)?.sync_all()
    });
}
