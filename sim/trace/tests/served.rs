//! A large image is served, not written, and a check may change it as it likes.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use beaver_disk::{Image, InodeId};
use beaver_trace::{ServedImage, check_recorder};

#[test]
fn a_served_image_is_read_and_changed() {
    if let Err(error) = check_recorder() {
        eprintln!("left out: {error}");
        return;
    }
    let large = vec![7; 9 << 20];
    let image = Image::from_files([("a", &b"hello"[..]), ("large", &large)]);
    let inode = image.inode("a").unwrap();
    let modes: BTreeMap<InodeId, u32> = [(inode, 0o600)].into();
    let served = ServedImage::mount(&image, &modes, None, None).unwrap();
    let (a, big) = (served.path().join("a"), served.path().join("large"));
    assert_eq!(fs::read(&a).unwrap(), b"hello");
    assert_eq!(a.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read(&big).unwrap() == large);
    let mut file = fs::OpenOptions::new().append(true).open(&big).unwrap();
    file.write_all(b"more").unwrap();
    file.sync_all().unwrap();
    assert_eq!(big.metadata().unwrap().size(), (9 << 20) + 4);
    fs::rename(&a, served.path().join("b")).unwrap();
    fs::create_dir(served.path().join("d")).unwrap();
    fs::write(served.path().join("d/c"), "new").unwrap();
    let mut names: Vec<_> = fs::read_dir(served.path()).unwrap().collect();
    names.retain(Result::is_ok);
    assert_eq!(names.len(), 3);
    let path = served.path().to_owned();
    drop(file);
    served.finish().unwrap();
    assert!(!path.exists(), "the mount is gone");
    assert_eq!(
        image.len_of("large"),
        Some(9 << 20),
        "the image is as it was"
    );
}
