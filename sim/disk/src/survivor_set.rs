//! What survived a power cut, by the names of files: it outlasts a change of the history before it.
//!
//! A [`Choice`] names files and records by number, and the numbers are others as soon as a call is
//! missing. Here a file has its name and a change of names is what it changes, so that the same set
//! can be written for one [`ImageSpace`] and read for another.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::choice::{About, Choice, DeviceExtra, Fill, Tear};
use super::file_space::count;
use super::names::{InodeId, NameChange};
use super::sampler::Point;
use super::space::ImageSpace;

/// The option that stands for "all of it survived", however much there is.
const ALL: u32 = u32::MAX;

/// What a power cut leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SurvivorSet {
    /// Whether what is not named here survived.
    pub otherwise: bool,
    /// What became of what is named (`create f`, `length of f`, `page 2 of f`): which of its
    /// outcomes or versions, 0 for none, the largest number there is for the last.
    pub except: BTreeMap<String, u32>,
    /// Torn pages, by file.
    pub tears: Vec<(String, Tear)>,
    /// What a bad device did, by file.
    pub device: Vec<(String, DeviceExtra)>,
    /// What lies in pages that did not survive.
    pub fill: Fill,
}

impl SurvivorSet {
    /// Everything survived.
    #[must_use]
    pub fn everything() -> Self {
        SurvivorSet {
            otherwise: true,
            ..SurvivorSet::default()
        }
    }

    /// How much it says: what a shrinker wants small.
    #[must_use]
    pub fn size(&self) -> usize {
        let fill = usize::from(self.fill != Fill::Zeros);
        self.except.len() + 2 * (self.tears.len() + self.device.len()) + fill
    }
}

impl ImageSpace {
    /// What `choice` leaves of this space, said as briefly as possible.
    #[must_use]
    pub fn survivors(&self, choice: &Choice) -> SurvivorSet {
        let mut kept = BTreeMap::new();
        let mut lost = BTreeMap::new();
        for (point, name) in self.named_points() {
            let last = count(point.records.len());
            let option = self.option_of(choice, &point.about).min(last);
            if option > 0 {
                let option = if option == last { ALL } else { option };
                kept.insert(name.clone(), option);
            }
            if option < last {
                lost.insert(name, option);
            }
        }
        // Whichever is shorter: a history that is shrunk keeps what it names.
        let otherwise = lost.len() < kept.len();
        let names: BTreeMap<InodeId, String> = self.named_files().into_iter().collect();
        let name = |inode| {
            names
                .get(&inode)
                .cloned()
                .unwrap_or_else(|| self.name_of(inode))
        };
        let tears = choice.tears.iter();
        let device = choice.device.iter();
        SurvivorSet {
            otherwise,
            except: if otherwise { lost } else { kept },
            tears: tears.map(|t| (name(t.inode), t.clone())).collect(),
            device: device
                .map(|extra| (name(*extra.clone().inode_mut()), extra.clone()))
                .collect(),
            fill: choice.fill,
        }
    }

    /// The choice that leaves these survivors. What is named and is not there is left out.
    #[must_use]
    pub fn choose(&self, survivors: &SurvivorSet) -> Choice {
        let otherwise = if survivors.otherwise { ALL } else { 0 };
        let points = self.named_points().into_iter();
        let options = points.map(|(_, name)| *survivors.except.get(&name).unwrap_or(&otherwise));
        let mut choice = self.resolve(&options.collect::<Vec<u32>>());
        choice.fill = survivors.fill;
        let files = self.named_files();
        let named = |file: &str| {
            files
                .iter()
                .find(|(_, name)| name == file)
                .map(|(id, _)| *id)
        };
        for (file, tear) in &survivors.tears {
            choice.tears.extend(named(file).map(|inode| Tear {
                inode,
                ..tear.clone()
            }));
        }
        for (file, extra) in &survivors.device {
            let Some(inode) = named(file) else {
                continue;
            };
            let mut extra = extra.clone();
            *extra.inode_mut() = inode;
            choice.device.push(extra);
        }
        choice
    }

    /// The points in order, each with a name of its own.
    fn named_points(&self) -> Vec<(Point, String)> {
        let points = self.points().into_iter().map(|point| {
            let name = match point.about {
                About::Metadata => "metadata".to_owned(),
                About::Name { record } => self.name_change(record),
                About::Size { inode } => format!("length of {}", self.name_of(inode)),
                About::Page { inode, page } => format!("page {page} of {}", self.name_of(inode)),
            };
            (point, name)
        });
        numbered(points)
    }

    /// The files with pending bytes in order, each with a name of its own: a file that was removed
    /// and made anew is two files.
    fn named_files(&self) -> Vec<(InodeId, String)> {
        numbered(self.files.keys().map(|id| (*id, self.name_of(*id))))
    }

    fn name_change(&self, record: u64) -> String {
        let entry = self.records.iter().find(|entry| entry.record == record);
        match entry.map(|entry| &entry.change) {
            Some(NameChange::Create { slot, .. }) => format!("create {}", self.path_of(slot)),
            Some(NameChange::Link { slot, .. }) => format!("link {}", self.path_of(slot)),
            Some(NameChange::Remove { slot, .. }) => format!("remove {}", self.path_of(slot)),
            Some(NameChange::Rename { from, to, .. }) => {
                format!("rename {} to {}", self.path_of(from), self.path_of(to))
            }
            None => String::new(),
        }
    }

    /// Which option a choice takes.
    fn option_of(&self, choice: &Choice, about: &About) -> u32 {
        match *about {
            About::Metadata => count(self.surviving_metadata(choice)),
            About::Name { record } => {
                let entry = self.records.iter().find(|entry| entry.record == record);
                let outcome = choice.names.get(&record);
                let place = entry.zip(outcome).and_then(|(entry, outcome)| {
                    let mut legal = self.outcomes(entry).iter();
                    legal.position(|known| known == outcome)
                });
                place.map_or(0, |place| count(place + 1))
            }
            About::Size { inode } => choice.sizes.get(&inode).copied().unwrap_or(0),
            About::Page { inode, page } => choice.version(inode, page),
        }
    }
}

/// The second of the same name gets `, 2`, and so on.
fn numbered<T>(named: impl Iterator<Item = (T, String)>) -> Vec<(T, String)> {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let numbered = named.map(|(item, name)| {
        let again = seen.entry(name.clone()).or_default();
        *again += 1;
        match *again {
            1 => (item, name),
            again => (item, format!("{name}, {again}")),
        }
    });
    numbered.collect()
}

#[cfg(test)]
mod tests {
    use crate::{Disk, Profile, SimDisk, SimOptions};

    use super::*;

    /// What may be left after `files` were made, each with one page, and nothing was synced.
    fn space_of(profile: Profile, files: &[&str]) -> ImageSpace {
        let disk = SimDisk::new(Disk::empty(profile), SimOptions::default());
        let storage = disk.storage();
        for file in files {
            storage.create(file).unwrap().write_at(b"x", 0).unwrap();
        }
        disk.crash().images()
    }

    #[test]
    fn every_choice_is_said_and_read_back() {
        for profile in Profile::ALL {
            let space = space_of(profile, &["a", "b"]);
            for number in 0..64_u32 {
                let options: Vec<u32> = (0..6).map(|bit| number >> bit & 1).collect();
                let choice = space.resolve(&options);
                let survivors = space.survivors(&choice);
                assert_eq!(space.choose(&survivors), choice, "{survivors:?}");
                let text = serde_json::to_string(&survivors).unwrap();
                let read: SurvivorSet = serde_json::from_str(&text).unwrap();
                assert_eq!(read, survivors);
            }
        }
    }

    #[test]
    fn what_survived_of_a_file_is_the_same_when_another_one_was_never_made() {
        let two = space_of(Profile::Posix, &["a", "b"]);
        let one = space_of(Profile::Posix, &["b"]);
        let everything = two.choose(&SurvivorSet::everything());
        let mut of_two = two.survivors(&everything);
        of_two.except.insert("page 0 of b".to_owned(), 0);
        let left = one.choose(&of_two);
        assert_eq!(left.names.len(), 1);
        assert!(left.pages.is_empty(), "{left:?}");
    }

    #[test]
    fn what_a_device_did_to_a_file_that_is_not_there_is_left_out() {
        let two = space_of(Profile::Posix, &["a", "b"]);
        let one = space_of(Profile::Posix, &["b"]);
        let mut choice = two.choose(&SurvivorSet::everything());
        let mut named = two.named_files().into_iter();
        let (inode, _) = named.find(|(_, name)| name == "a").expect("it is there");
        choice.device.push(DeviceExtra::UnreadableSector {
            inode,
            page: 0,
            sector: 1,
        });
        // Numbers are given anew: what was `a` there is another file here.
        assert!(one.named_files().iter().any(|(id, _)| *id == inode));
        assert_eq!(one.choose(&two.survivors(&choice)).device, []);
    }

    #[test]
    fn two_files_that_had_the_same_name_are_told_apart() {
        let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
        let storage = disk.storage();
        for _ in 0..2 {
            let file = storage.create("a").unwrap();
            file.write_at(&[b'x'; 4096], 0).unwrap();
            storage.remove("a").unwrap();
        }
        let space = disk.crash().images();
        let everything = SurvivorSet::everything();
        for inode in space.files.keys() {
            let mut choice = space.choose(&everything);
            choice.tears.push(Tear {
                inode: *inode,
                page: 0,
                newer_sectors: 7,
                older: 0,
            });
            choice.device.push(DeviceExtra::UnreadableSector {
                inode: *inode,
                page: 0,
                sector: 1,
            });
            let survivors = space.survivors(&choice);
            assert_eq!(space.choose(&survivors), choice, "{survivors:?}");
        }
    }
}
