//! Small file systems that a test may fill up or make read-only.
//!
//! A test that needs them runs itself again in a mount namespace of its own (`unshare`), so that
//! its mounts leave with it, however it ends. Where that is not permitted the test is left out, and
//! says so.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const INSIDE: &str = "BEAVER_TEST_PRIVATE_MOUNTS";

/// Runs `body`, which is what the test `name` does, where it may mount. Prints the reason and
/// returns if there is no such place.
pub(crate) fn with_private_mounts(name: &str, body: fn()) {
    if std::env::var_os(INSIDE).is_some_and(|inside| inside == name) {
        return body();
    }
    let Some(unshare) = unshare() else {
        return;
    };
    let itself = std::env::current_exe().expect("the path of the test itself");
    let status = Command::new("unshare")
        .args(unshare)
        .arg(itself)
        .args([name, "--exact", "--nocapture"])
        .env(INSIDE, name)
        .status()
        .expect("a child process");
    assert!(
        status.success(),
        "{name}, in a mount namespace of its own: {status}"
    );
}

/// The arguments that make `unshare` work here: as root, or as root of a user namespace.
fn unshare() -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["--mount"], &["--mount", "--map-root-user"]];
    let mount = ["mount", "-t", "tmpfs", "tmpfs", "/tmp"];
    let mut reasons = Vec::new();
    for way in ways {
        match Command::new("unshare").args(way).args(mount).output() {
            Ok(output) if output.status.success() => return Some(way),
            Ok(output) => reasons.push(text(&output)),
            Err(error) => reasons.push(error.to_string()),
        }
    }
    println!("left out: no mount namespace here: {}", reasons.join("; "));
    None
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

/// Runs a program, which must succeed.
fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new(program);
    match command.args(arguments).stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{command:?}: {}", text(&output))),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}

/// A file system of a few megabytes.
pub(crate) struct SmallFileSystem {
    pub(crate) kind: &'static str,
    _root: tempfile::TempDir,
    place: String,
}

impl SmallFileSystem {
    /// One of each kind that can be made here: in memory, and others on loop devices.
    pub(crate) fn all() -> Vec<SmallFileSystem> {
        let mut all = SmallFileSystem::overwriting();
        all.extend(found(SmallFileSystem::btrfs()));
        all
    }

    /// Those that need no room to overwrite what is there.
    pub(crate) fn overwriting() -> Vec<SmallFileSystem> {
        let made = [
            SmallFileSystem::tmpfs(),
            SmallFileSystem::on_loop("ext4", 12, &["-q", "-F"]),
            SmallFileSystem::on_loop("xfs", 300, &["-q", "-f"]),
        ];
        made.into_iter().filter_map(found).collect()
    }

    fn new(kind: &'static str) -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        let place = root.path().join("mounted");
        std::fs::create_dir(&place).expect("a directory to mount on");
        let place = place.into_os_string().into_string().expect("a plain path");
        SmallFileSystem {
            kind,
            _root: root,
            place,
        }
    }

    fn tmpfs() -> Result<Self, String> {
        let this = SmallFileSystem::new("tmpfs");
        run(
            "mount",
            &["-t", "tmpfs", "-o", "size=4m", "tmpfs", &this.place],
        )?;
        Ok(this)
    }

    /// Made by the program `mkfs` on a loop device of as many megabytes as it takes at least.
    fn on_loop(kind: &'static str, megabytes: u64, mkfs: &[&str]) -> Result<Self, String> {
        let this = SmallFileSystem::new(kind);
        let image = format!("{}.image", this.place);
        let file = std::fs::File::create(&image).map_err(|error| error.to_string())?;
        let sized = file.set_len(megabytes << 20);
        sized.map_err(|error| error.to_string())?;
        run(&format!("mkfs.{kind}"), &[mkfs, &[&image]].concat())?;
        run("mount", &["-o", "loop", &image, &this.place])?;
        Ok(this)
    }

    /// Btrfs, which has quotas for its directories.
    pub(crate) fn btrfs() -> Result<Self, String> {
        SmallFileSystem::on_loop("btrfs", 128, &["-q", "-f"])
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        Path::new(&self.place)
    }

    /// Makes it refuse (`ro`), or accept (`rw`), every change.
    pub(crate) fn remount(&self, mode: &str) {
        let whole = run("mount", &["-o", &format!("remount,{mode}"), &self.place]);
        // Only the mount and not the file system is what the root of a user namespace may change.
        let mount = || {
            run(
                "mount",
                &["-o", &format!("remount,bind,{mode}"), &self.place],
            )
        };
        whole
            .or_else(|_| mount())
            .expect("one's own mount can be changed");
    }

    /// Writes a file until no byte more fits; removing it makes room again.
    pub(crate) fn fill(&self, name: &str) -> PathBuf {
        use std::io::Write;

        let path = self.path().join(name);
        let mut file = std::fs::File::create(&path).expect("a file to fill up with");
        let mut chunk = 1 << 16;
        while chunk > 0 {
            match file.write(&vec![0xaa; chunk]) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => chunk /= 2,
                Err(error) => panic!("filling {}: {error}", path.display()),
            }
        }
        // Delayed allocation may find out only now.
        file.sync_all().expect("what fitted can be synced");
        path
    }
}

fn found(made: Result<SmallFileSystem, String>) -> Option<SmallFileSystem> {
    made.map_err(|reason| println!("left out: {reason}")).ok()
}

impl Drop for SmallFileSystem {
    fn drop(&mut self) {
        // The namespace takes the mount with it in any case; this frees the directory below it.
        let _ = run("umount", &[&self.place]);
    }
}

/// A directory that is seen at another place too.
pub(crate) struct BindMount(String);

impl BindMount {
    pub(crate) fn new(directory: &Path, place: &Path) -> Self {
        let [directory, place] =
            [directory, place].map(|path| path.to_str().expect("a plain path"));
        run("mount", &["--bind", directory, place]).expect("a mount where mounting is permitted");
        BindMount(place.to_owned())
    }
}

impl Drop for BindMount {
    fn drop(&mut self) {
        let _ = run("umount", &["--lazy", &self.0]);
    }
}

/// Takes the right to write to a directory and the files in it, and gives it back when dropped.
pub(crate) struct ReadOnlyDirectory<'a>(&'a Path);

impl<'a> ReadOnlyDirectory<'a> {
    /// `None` where permissions are not obeyed, as they are not for root.
    pub(crate) fn new(path: &'a Path) -> Option<Self> {
        let this = ReadOnlyDirectory(path);
        this.permit(0o555, 0o444);
        if std::fs::write(path.join("probe"), "").is_ok() {
            std::fs::remove_file(path.join("probe")).expect("the probe is there");
            println!("left out: permissions mean nothing to this user");
            return None;
        }
        Some(this)
    }

    fn permit(&self, directory: u32, file: u32) {
        use std::os::unix::fs::PermissionsExt;

        let set = |path: &Path, mode| {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(path, permissions).expect("permissions of one's own file");
        };
        for entry in std::fs::read_dir(self.0).expect("a directory") {
            set(&entry.expect("an entry").path(), file);
        }
        set(self.0, directory);
    }
}

impl Drop for ReadOnlyDirectory<'_> {
    fn drop(&mut self) {
        self.permit(0o755, 0o644);
    }
}
