//! A store on `std::fs` that has never heard of the checker, and what puts it under `check`.
//!
//! It keeps settings in a directory, a file for each, and saves one as programs do: the new text into a
//! temporary file, and that renamed over the old one. One step of the four is missing.

/// The store: in a program it would say `use std::fs;` outside of tests.
pub(crate) mod store {
    use beaver_fs as fs;
    use std::collections::BTreeMap;
    use std::io::{self, Write as _};
    use std::path::PathBuf;

    #[derive(Debug)]
    pub(crate) struct Settings {
        directory: PathBuf,
        values: BTreeMap<String, String>,
        syncs_directory: bool,
    }

    impl Settings {
        pub(crate) fn open(directory: PathBuf, syncs_directory: bool) -> io::Result<Self> {
            fs::create_dir_all(&directory)?;
            if let Some(above) = directory.parent() {
                fs::File::open(above)?.sync_all()?;
            }
            let mut values = BTreeMap::new();
            for entry in fs::read_dir(&directory)? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                match name.ends_with(".tmp") {
                    // Left by a save that did not end.
                    true => fs::remove_file(entry.path())?,
                    false => drop(values.insert(name, fs::read_to_string(entry.path())?)),
                }
            }
            if syncs_directory {
                // What is shown from now on must stay.
                fs::File::open(&directory)?.sync_all()?;
            }
            Ok(Settings {
                directory,
                values,
                syncs_directory,
            })
        }

        pub(crate) fn set(&mut self, name: &str, value: &str) -> io::Result<()> {
            let path = self.directory.join(name);
            let temporary = path.with_extension("tmp");
            let mut file = fs::File::create(&temporary)?;
            file.write_all(value.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            if self.syncs_directory {
                fs::File::open(&self.directory)?.sync_all()?;
            }
            self.values.insert(name.to_owned(), value.to_owned());
            Ok(())
        }

        pub(crate) fn values(&self) -> &BTreeMap<String, String> {
            &self.values
        }
    }
}

use std::collections::BTreeMap;

use beaver_fs::Mounted;
use beaver_sim::check::{Check, check};
use beaver_sim::subject::{Answer, Durability, Failure, Machine, Subject};
use store::Settings;

#[derive(Debug)]
pub(crate) struct SettingsOnDisk {
    pub(crate) syncs_directory: bool,
}

impl Subject for SettingsOnDisk {
    type Op = (String, String);
    type State = BTreeMap<String, String>;
    type Store = (Settings, Mounted); // dropped in this order

    fn apply(state: &mut Self::State, (name, value): &Self::Op) {
        state.insert(name.clone(), value.clone());
    }
    fn ops(&self, state: &Self::State) -> Vec<Self::Op> {
        let longest = state.values().map(String::len).max().unwrap_or(0);
        let set = |name: &str| (name.to_owned(), "x".repeat(longest + 1));
        vec![set("font"), set("size")]
    }
    fn open(&self, machine: &Machine) -> Result<Self::Store, Failure> {
        let disk = beaver_fs::mount_numbered("settings", machine.storage.clone())?;
        // Below the mount: the store syncs the directory above its own, and above a mount there is none.
        let directory = disk.path().join("settings");
        let settings = Settings::open(directory, self.syncs_directory)?;
        Ok((settings, disk))
    }
    fn run(&self, (settings, _): &mut Self::Store, op: &Self::Op) -> Result<Answer, Failure> {
        settings.set(&op.0, &op.1)?;
        Ok(Durability::Durable.into())
    }
    fn state(&self, (settings, _): &mut Self::Store) -> Result<Self::State, Failure> {
        Ok(settings.values().clone())
    }
}

pub(crate) fn main() {
    let syncs_directory = std::env::args().any(|argument| argument == "--right");
    check(SettingsOnDisk { syncs_directory }, &Check::default());
}
