//! Which programs can call sync(2) or syncfs(2). A FUSE file system hears of neither, so that at least it is said who may.
//!
//! A process that asks the file system for something waits until it is answered: then its mappings can be read. What they
//! import tells whether it can call the two. A program without imports is asked for its symbols.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use object::{Object, ObjectSymbol};

/// The calls, as C libraries name them.
const CALLS: [&str; 2] = ["sync", "syncfs"];
/// The same in programs that bring their own: Go links only what is called.
const OWN_CALLS: [&str; 4] = [
    "syscall.Sync",
    "golang.org/x/sys/unix.Sync",
    "golang.org/x/sys/unix.Syncfs",
    "internal/syscall/unix.Syncfs",
];

/// How a program comes by the two calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SyncCalls {
    No,
    Can,
    /// It has neither imports nor symbols.
    Unknown,
}

/// The programs that were seen.
#[derive(Debug)]
pub(super) struct MaySync {
    /// What is mapped from here is not opened: it is served by the one who asks.
    mount: PathBuf,
    /// How many calls each process made.
    calls: BTreeMap<u32, u64>,
    objects: BTreeMap<PathBuf, SyncCalls>,
    found: BTreeSet<String>,
}

impl MaySync {
    pub(super) fn new(mount: &Path) -> Self {
        MaySync {
            mount: mount.to_owned(),
            calls: BTreeMap::new(),
            objects: BTreeMap::new(),
            found: BTreeSet::new(),
        }
    }

    /// A process makes a call. It is looked at now and then: libraries are loaded late.
    pub(super) fn note(&mut self, pid: u32) {
        let calls = self.calls.entry(pid).or_default();
        *calls += 1;
        if !calls.is_power_of_two() || !calls.trailing_zeros().is_multiple_of(3) {
            return;
        }
        let Ok(maps) = fs::read_to_string(format!("/proc/{pid}/maps")) else {
            return;
        };
        // Address, permissions, offset, device, inode, path.
        let mapped = maps.lines().filter(|line| line.contains(" r-xp "));
        let paths = mapped.filter_map(|line| line.find('/').map(|at| PathBuf::from(&line[at..])));
        let paths: BTreeSet<PathBuf> = paths.collect();
        let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        for path in paths {
            self.note_object(&program, path);
        }
    }

    fn note_object(&mut self, program: &Path, object: PathBuf) {
        if object.starts_with(&self.mount) {
            return;
        }
        let finding = self.objects.entry(object.clone());
        let finding = *finding.or_insert_with(|| look(&object));
        let name = match object == program {
            true => program.display().to_string(),
            false => format!("{} (by {})", program.display(), object.display()),
        };
        match finding {
            SyncCalls::No => {}
            SyncCalls::Can => {
                self.found.insert(format!(
                    "{name} can call sync(2) or syncfs(2), which a FUSE file system does not see: \
                     if it does, what it made durable by that counts as not synced here"
                ));
            }
            SyncCalls::Unknown if object == program => {
                self.found.insert(format!(
                    "{name} has no symbols: whether it calls sync(2) or syncfs(2), which a FUSE file \
                     system does not see, cannot be told"
                ));
            }
            SyncCalls::Unknown => {}
        }
    }

    /// What was found.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        self.found.iter().cloned()
    }
}

fn look(path: &Path) -> SyncCalls {
    let Ok(bytes) = fs::read(path) else {
        return SyncCalls::No;
    };
    let Ok(file) = object::File::parse(&*bytes) else {
        return SyncCalls::No;
    };
    let is_own = |name: &str| OWN_CALLS.contains(&name);
    let is_call = |name: &str| CALLS.contains(&name) || is_own(name);
    let mut dynamic = file.dynamic_symbols().peekable();
    let (is_dynamic, has_symbols) = (dynamic.peek().is_some(), file.symbols().next().is_some());
    // The library that has the calls does not import them.
    let imports = dynamic.any(|symbol| symbol.is_undefined() && symbol.name().is_ok_and(is_call));
    let brings = file.symbols().any(|symbol| {
        let name = symbol.name().unwrap_or_default();
        is_own(name) || !is_dynamic && is_call(name)
    });
    if imports || brings {
        return SyncCalls::Can;
    }
    match is_dynamic || has_symbols {
        true => SyncCalls::No,
        false => SyncCalls::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_imports_sync_can_call_it() {
        let program = |name| look(Path::new(name));
        // Where these are one program with many names, as with busybox, nothing can be told from them.
        if program("/bin/true") != SyncCalls::Can && Path::new("/bin/sync").exists() {
            assert_eq!(program("/bin/sync"), SyncCalls::Can);
            assert_eq!(program("/bin/true"), SyncCalls::No);
        }
        assert_eq!(program("/etc/passwd"), SyncCalls::No);
        assert_eq!(program("/no/such/program"), SyncCalls::No);
    }
}
