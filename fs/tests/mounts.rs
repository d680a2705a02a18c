//! Which paths lead to a simulated disk, and for how long.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use beaver_disk::{Disk, Profile, SimDisk, SimOptions};
use beaver_fs::{self as fs, File, FileTimes, OpenOptions};
use beaver_storage::DiskStorage;

fn disk() -> SimDisk {
    SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default())
}

fn kind<T>(done: std::io::Result<T>) -> ErrorKind {
    done.map(drop).unwrap_err().kind()
}

#[test]
fn a_path_below_a_mount_point_leads_to_its_disk_and_any_other_to_real_files() {
    let (one, other) = (disk(), disk());
    let _one = fs::mount("/beaver/paths/one", one.storage()).unwrap();
    let _other = fs::mount("/beaver/paths/other/", other.storage()).unwrap();
    fs::write("/beaver/paths/one/f", "one").unwrap();
    fs::write("/beaver/paths/./other//f", "other").unwrap();
    assert_eq!(one.live().read("f").unwrap(), b"one");
    assert_eq!(other.live().read("f").unwrap(), b"other");
    let real = tempfile::tempdir().unwrap();
    fs::write(real.path().join("f"), "real").unwrap();
    assert_eq!(std::fs::read(real.path().join("f")).unwrap(), b"real");
    assert!(!Path::new("/beaver").exists(), "no real file is made");
}

#[test]
fn nothing_is_where_nothing_is_mounted() {
    for path in ["/beaver", "/beaver/nothing", "/beaver/nothing/f"] {
        assert_eq!(kind(fs::metadata(path)), ErrorKind::NotFound, "{path}");
        assert_eq!(kind(fs::write(path, "x")), ErrorKind::NotFound, "{path}");
        assert_eq!(
            kind(fs::create_dir_all(path)),
            ErrorKind::NotFound,
            "{path}"
        );
    }
}

#[test]
fn mount_points_lie_apart_and_below_the_one_directory() {
    for path in [
        "/beaver",
        "/tmp/x",
        "beaver/x",
        "/beaver/../x",
        "/beaver/a/..",
    ] {
        let refused = fs::mount(path, disk().storage());
        assert_eq!(kind(refused), ErrorKind::InvalidInput, "{path}");
    }
    let _mounted = fs::mount("/beaver/apart/a", disk().storage()).unwrap();
    for path in ["/beaver/apart", "/beaver/apart/a", "/beaver/apart/a/b"] {
        let refused = fs::mount(path, disk().storage());
        assert_eq!(kind(refused), ErrorKind::AlreadyExists, "{path}");
    }
    let directory = tempfile::tempdir().unwrap();
    let flat = Arc::new(DiskStorage::open(directory.path()).unwrap());
    assert_eq!(
        kind(fs::mount("/beaver/flat", flat)),
        ErrorKind::Unsupported
    );
}

#[test]
fn numbers_are_the_lowest_that_are_free() {
    let mount = || fs::mount_numbered("numbers", disk().storage()).unwrap();
    let (zero, one) = (mount(), mount());
    assert_eq!(zero.path(), Path::new("/beaver/numbers/0"));
    assert_eq!(one.path(), Path::new("/beaver/numbers/1"));
    drop(zero);
    assert_eq!(mount().path(), Path::new("/beaver/numbers/0"));
}

#[test]
fn every_thread_finds_the_disk_that_its_path_names() {
    let disk = disk();
    let mounted = fs::mount("/beaver/threads", disk.storage()).unwrap();
    let path = mounted.path().join("f");
    let written = std::thread::spawn({
        let path = path.clone();
        move || fs::write(path, "from beside")
    });
    written.join().unwrap().unwrap();
    assert_eq!(fs::read(path).unwrap(), b"from beside");
}

#[test]
fn after_an_unmount_open_files_and_paths_lead_nowhere() {
    let disk = disk();
    let mounted = fs::mount("/beaver/unmounted", disk.storage()).unwrap();
    let path = mounted.path().join("f");
    let mut file = File::create(&path).unwrap();
    let directory = File::open(mounted.path()).unwrap();
    drop(mounted);
    let refused = file.write_all(b"late").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "/beaver/unmounted is not mounted any more"
    );
    assert_eq!(kind(file.sync_all()), ErrorKind::Other);
    assert_eq!(kind(directory.sync_all()), ErrorKind::Other);
    assert_eq!(kind(file.try_clone()), ErrorKind::Other);
    assert_eq!(kind(fs::read(&path)), ErrorKind::NotFound);
    assert_eq!(disk.live().read("f").unwrap(), b"");
}

#[test]
fn nothing_leads_from_one_disk_to_another() {
    let _one = fs::mount("/beaver/cross/one", disk().storage()).unwrap();
    let _other = fs::mount("/beaver/cross/other", disk().storage()).unwrap();
    let real = tempfile::tempdir().unwrap();
    let real = real.path().join("real");
    fs::write("/beaver/cross/one/f", "f").unwrap();
    for to in [Path::new("/beaver/cross/other/f"), &real] {
        let from = "/beaver/cross/one/f";
        assert_eq!(kind(fs::rename(from, to)), ErrorKind::CrossesDevices);
        assert_eq!(kind(fs::hard_link(from, to)), ErrorKind::CrossesDevices);
        assert_eq!(fs::copy(from, to).unwrap(), 1);
        assert_eq!(fs::read(to).unwrap(), b"f");
    }
    fs::unix::symlink("/etc", "/beaver/cross/one/out").unwrap();
    let paths = [
        "/beaver/cross/one/out/passwd",
        "/beaver/cross/one/../other/f",
    ];
    for path in paths {
        assert_eq!(kind(fs::read(path)), ErrorKind::Unsupported, "{path}");
    }
    let root = "/beaver/cross/one";
    assert_eq!(kind(fs::remove_dir_all(root)), ErrorKind::ResourceBusy);
    assert_eq!(kind(fs::rename(root, real)), ErrorKind::ResourceBusy);
    assert_eq!(kind(fs::create_dir(root)), ErrorKind::AlreadyExists);
    assert_eq!(kind(File::create(root)), ErrorKind::IsADirectory);
    fs::create_dir_all(root).unwrap();
}

#[test]
fn what_is_not_supported_says_so_and_names_the_call() {
    let mounted = fs::mount("/beaver/unsupported", disk().storage()).unwrap();
    let path = mounted.path().join("f");
    let file = File::create(&path).unwrap();
    let metadata = fs::metadata(&path).unwrap();
    let now = SystemTime::UNIX_EPOCH;
    let mut read_only = metadata.permissions();
    read_only.set_readonly(true);
    let direct = OpenOptions::new()
        .read(true)
        .custom_flags(0o40_000)
        .open(&path);
    let refusals = [
        ("Metadata::modified", metadata.modified().map(drop)),
        ("Metadata::accessed", metadata.accessed().map(drop)),
        ("Metadata::created", metadata.created().map(drop)),
        ("File::set_modified", file.set_modified(now)),
        ("File::set_times", file.set_times(FileTimes::new())),
        ("OpenOptionsExt::custom_flags", direct.map(drop)),
        ("set_permissions", file.set_permissions(read_only.clone())),
        ("set_permissions", fs::set_permissions(&path, read_only)),
    ];
    for (call, refused) in refusals {
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported, "{call}");
        assert!(refused.to_string().contains(call), "{refused}");
    }
}

#[test]
fn room_is_reserved_on_both() {
    let mounted = fs::mount("/beaver/room", disk().storage()).unwrap();
    let real = tempfile::tempdir().unwrap();
    for root in [mounted.path(), real.path()] {
        let mut file = File::create_new(root.join("f")).unwrap();
        file.allocate(10).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 10);
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, [0; 10]);
        file.lock_exclusive().unwrap();
        let other = File::open(root.join("f")).unwrap();
        assert_eq!(kind(other.try_lock_exclusive()), ErrorKind::WouldBlock);
    }
}
