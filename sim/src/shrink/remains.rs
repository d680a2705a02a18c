//! What survived a power cut, in words that outlast a change of the history before it.
//!
//! A [`Choice`] names files and records by number, and the numbers are others as soon as a command
//! is missing. Here a file has its name, a change of names is what it changes, and the rest is said
//! once: whatever is not named survived, or nothing else did.

use std::collections::BTreeMap;

use beaver_disk::{
    About, Choice, Decision, DeviceExtra, Fill, ImageSpace, InodeId, NameOutcome, Tear, What,
};

/// The option that stands for "all of it survived", however much there is.
const ALL: u32 = u32::MAX;

/// What a power cut leaves.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Remains {
    /// Whether what is not named here survived.
    pub(crate) otherwise: bool,
    /// What became of what is named: which of its versions or outcomes, 0 for none.
    pub(crate) except: BTreeMap<String, u32>,
    /// Torn pages, by file.
    pub(crate) tears: Vec<(String, Tear)>,
    /// What a bad device did, by file.
    pub(crate) device: Vec<(String, DeviceExtra)>,
    /// What lies in pages that did not survive.
    pub(crate) fill: Fill,
}

impl Remains {
    /// Everything survived.
    pub(crate) fn everything() -> Self {
        Remains {
            otherwise: true,
            ..Remains::default()
        }
    }

    /// How much there is to say.
    pub(crate) fn len(&self) -> usize {
        let fill = usize::from(self.fill != Fill::Zeros);
        self.except.len() + 2 * (self.tears.len() + self.device.len()) + fill
    }

    /// What `choice` leaves of `space`, said as briefly as possible.
    pub(crate) fn of(choice: &Choice, space: &ImageSpace) -> Self {
        let names = Names::of(space);
        let mut nothing = BTreeMap::new();
        let mut everything = BTreeMap::new();
        for (decision, name) in space.decisions().iter().zip(&names.decisions) {
            let last = decision.options.saturating_sub(1);
            let option = option_of(choice, decision, space).min(last);
            if option > 0 {
                let option = if option == last { ALL } else { option };
                nothing.insert(name.clone(), option);
            }
            if option < last {
                everything.insert(name.clone(), option);
            }
        }
        let otherwise = everything.len() < nothing.len();
        let file = |inode| names.file(inode);
        Remains {
            otherwise,
            except: if otherwise { everything } else { nothing },
            tears: choice
                .tears
                .iter()
                .map(|tear| (file(tear.inode), tear.clone()))
                .collect(),
            device: choice
                .device
                .iter()
                .map(|extra| (file(inode_of(extra)), extra.clone()))
                .collect(),
            fill: choice.fill,
        }
    }

    /// The same of another space. What is named here and is not there is left out.
    pub(crate) fn choose(&self, space: &ImageSpace) -> Choice {
        let names = Names::of(space);
        let otherwise = if self.otherwise { ALL } else { 0 };
        let options: Vec<u32> = names
            .decisions
            .iter()
            .map(|name| self.except.get(name).copied().unwrap_or(otherwise))
            .collect();
        let mut choice = space.resolve(&options);
        choice.fill = self.fill;
        for (file, tear) in &self.tears {
            if let Some(inode) = names.inode(file) {
                choice.tears.push(Tear {
                    inode,
                    ..tear.clone()
                });
            }
        }
        for (file, extra) in &self.device {
            let inode = names.inode(file).unwrap_or(inode_of(extra));
            choice.device.push(moved(extra, inode));
        }
        choice
    }
}

/// The words for everything that a power cut decides.
struct Names {
    files: BTreeMap<InodeId, String>,
    /// One for each decision, in order.
    decisions: Vec<String>,
}

impl Names {
    fn of(space: &ImageSpace) -> Self {
        let mut files = BTreeMap::new();
        let mut records = BTreeMap::new();
        for line in space.describe(&Choice::default()) {
            let file = line.file;
            let change = match line.what {
                What::Create => format!("create {file}"),
                What::Remove => format!("remove {file}"),
                What::Rename { to } => format!("rename {file} to {to}"),
                What::Growth { .. } | What::SetLen { .. } | What::Page { .. } => {
                    if let Some(inode) = line.inode {
                        files.insert(inode, file);
                    }
                    continue;
                }
            };
            records.insert(line.record, change);
        }
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        let decisions = space.decisions().into_iter().map(|decision| {
            let file = |inode| files.get(&inode).cloned().unwrap_or_default();
            let name = match decision.about {
                About::Metadata => "metadata".to_owned(),
                About::Name { record } => records.get(&record).cloned().unwrap_or_default(),
                About::Size { inode } => format!("length of {}", file(inode)),
                About::Page { inode, page } => format!("page {page} of {}", file(inode)),
            };
            let count = seen.entry(name.clone()).or_insert(0);
            *count += 1;
            match *count {
                1 => name,
                again => format!("{name}, {again}"),
            }
        });
        let decisions = decisions.collect();
        Names { files, decisions }
    }

    fn file(&self, inode: InodeId) -> String {
        self.files.get(&inode).cloned().unwrap_or_default()
    }

    fn inode(&self, file: &str) -> Option<InodeId> {
        let mut files = self.files.iter();
        files
            .find(|(_, name)| *name == file)
            .map(|(inode, _)| *inode)
    }
}

/// Which option of `decision` a choice takes.
fn option_of(choice: &Choice, decision: &Decision, space: &ImageSpace) -> u32 {
    match decision.about {
        About::Name { record } => match choice.names.get(&record) {
            None => 0,
            Some(NameOutcome::Both) => 1,
            Some(NameOutcome::Neither) => 2,
            Some(NameOutcome::New) => ALL,
        },
        About::Size { inode } => choice.sizes.get(&inode).copied().unwrap_or(0),
        About::Page { inode, page } => {
            let pages = choice.pages.get(&inode);
            pages
                .and_then(|pages| pages.get(&page))
                .copied()
                .unwrap_or(0)
        }
        // The journal is the first decision; how much of it survived shows in the names.
        About::Metadata => (0..decision.options)
            .find(|option| space.resolve(&[*option]).names == choice.names)
            .unwrap_or(ALL),
    }
}

fn inode_of(extra: &DeviceExtra) -> InodeId {
    match extra {
        DeviceExtra::ShornSector { inode, .. }
        | DeviceExtra::UnreadableSector { inode, .. }
        | DeviceExtra::Revert { inode, .. } => *inode,
    }
}

fn moved(extra: &DeviceExtra, to: InodeId) -> DeviceExtra {
    let mut extra = extra.clone();
    match &mut extra {
        DeviceExtra::ShornSector { inode, .. }
        | DeviceExtra::UnreadableSector { inode, .. }
        | DeviceExtra::Revert { inode, .. } => *inode = to,
    }
    extra
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use beaver::Storage;
    use beaver_disk::{Disk, Profile, SimDisk, SimOptions};

    use super::*;

    /// What may be left after `files` were made, each with one page, and nothing was synced.
    fn space_of(files: &[&str]) -> ImageSpace {
        let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
        let storage: Arc<dyn Storage> = disk.storage();
        for file in files {
            storage.create(file).unwrap().write_at(b"x", 0).unwrap();
        }
        disk.crash().images()
    }

    #[test]
    fn every_choice_is_said_and_read_back() {
        let space = space_of(&["a", "b"]);
        for number in 0..64_u32 {
            let options: Vec<u32> = (0..6).map(|bit| number >> bit & 1).collect();
            let choice = space.resolve(&options);
            let remains = Remains::of(&choice, &space);
            assert_eq!(remains.choose(&space), choice, "{remains:?}");
        }
    }

    #[test]
    fn what_survived_of_a_file_is_the_same_when_another_one_was_never_made() {
        let (two, one) = (space_of(&["a", "b"]), space_of(&["b"]));
        let everything = Remains::everything().choose(&two);
        let mut of_two = Remains::of(&everything, &two);
        of_two.except.insert("page 0 of b".to_owned(), 0);
        let left = of_two.choose(&one);
        assert_eq!(left.names.len(), 1);
        assert!(left.pages.is_empty(), "{left:?}");
    }
}
