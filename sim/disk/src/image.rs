//! What a disk holds when nothing is pending: names, files and bytes.
//!
//! Images share their pages with each other and with the disk that they come from. Two images are
//! equal when names, bytes and unreadable sectors are, and when the same names are links to one
//! file: a program cannot tell them apart.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::content::Content;
use super::mixing::{hash128, mix128};
use super::names::{InodeId, NameTable};

/// One directory of files. Cheap to clone and to compare.
#[derive(Clone)]
pub struct Image {
    pub(super) names: Arc<NameTable>,
    /// Sorted by number; only files that have a name.
    pub(super) files: Vec<(InodeId, FileImage)>,
    hash: u128,
}

/// The bytes of one file, whatever its names are.
#[derive(Clone, Debug)]
pub(super) struct FileImage {
    pub(super) content: Arc<Content>,
    pub(super) unreadable: BTreeSet<u64>,
}

impl FileImage {
    pub(super) fn new(content: Arc<Content>) -> Self {
        FileImage {
            content,
            unreadable: BTreeSet::new(),
        }
    }

    pub(super) fn hash(&self) -> u128 {
        content_hash(&self.content, &self.unreadable)
    }
}

/// A hash of everything in a file that a program can tell.
pub(super) fn content_hash(content: &Content, unreadable: &BTreeSet<u64>) -> u128 {
    unreadable.iter().fold(content.hash(), |hash, sector| {
        mix128(hash, u128::from(*sector))
    })
}

/// Hashes of the names of each file, added up.
pub(super) type NameHashes = Vec<(InodeId, u128)>;

pub(super) fn name_hashes(names: &NameTable) -> NameHashes {
    let hashes = names.iter();
    let hashes = hashes.map(|(name, inode)| (*inode, mix128(hash128(name.as_bytes()), 1)));
    let mut hashes: NameHashes = hashes.collect();
    hashes.sort_unstable_by_key(|(inode, _)| *inode);
    hashes.dedup_by(|(inode, hash), (earlier, sum)| {
        let same = inode == earlier;
        if same {
            *sum = sum.wrapping_add(*hash);
        }
        same
    });
    hashes
}

impl Image {
    /// `files` holds exactly the files of `hashes`, in the same order.
    pub(super) fn assemble(
        names: Arc<NameTable>,
        hashes: &NameHashes,
        files: Vec<(InodeId, FileImage)>,
    ) -> Self {
        debug_assert!(hashes.iter().map(|h| h.0).eq(files.iter().map(|f| f.0)));
        let parts = hashes.iter().zip(&files);
        let hash = parts.fold(0u128, |sum, ((_, names), (_, file))| {
            sum.wrapping_add(mix128(file.hash(), *names))
        });
        Image { names, files, hash }
    }

    /// An image of these files.
    #[must_use]
    pub fn from_files<N: AsRef<str>, B: AsRef<[u8]>>(
        files: impl IntoIterator<Item = (N, B)>,
    ) -> Self {
        let mut names = NameTable::new();
        let mut contents = Vec::new();
        for (number, (name, bytes)) in (1..).zip(files) {
            let inode = InodeId(number);
            names.insert(Arc::from(name.as_ref()), inode);
            let content = Arc::new(Content::from_bytes(bytes.as_ref()));
            contents.push((inode, FileImage::new(content)));
        }
        let hashes = name_hashes(&names);
        contents.retain(|(inode, _)| names.values().any(|id| id == inode));
        Image::assemble(Arc::new(names), &hashes, contents)
    }

    /// The bytes of every file, by name.
    #[must_use]
    pub fn to_files(&self) -> BTreeMap<String, Vec<u8>> {
        let names = self.names.iter();
        let files = names.map(|(name, inode)| (name.to_string(), self.content(*inode).to_bytes()));
        files.collect()
    }

    /// The names, in bytewise order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(|name| &**name)
    }

    /// The bytes of a file, if it is there.
    #[must_use]
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        let inode = self.names.get(name)?;
        Some(self.content(*inode).to_bytes())
    }

    /// The length of a file in bytes, if it is there.
    #[must_use]
    pub fn len_of(&self, name: &str) -> Option<u64> {
        let inode = self.names.get(name)?;
        Some(self.content(*inode).len())
    }

    /// The file that a name stands for. Two names of one file give the same number.
    #[must_use]
    pub fn inode(&self, name: &str) -> Option<InodeId> {
        self.names.get(name).copied()
    }

    /// A hash of everything that equality compares; the same on every machine.
    #[must_use]
    pub fn hash128(&self) -> u128 {
        self.hash
    }

    fn content(&self, inode: InodeId) -> &Content {
        let place = self.files.binary_search_by_key(&inode, |(id, _)| *id);
        &self.files[place.expect("every name has its file")]
            .1
            .content
    }
}

impl PartialEq for Image {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl Eq for Image {}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.names.iter().map(|(name, inode)| {
            let content = self.content(*inode);
            (
                name,
                format!(
                    "{inode}: {} bytes, {:08x}",
                    content.len(),
                    content.hash() >> 96
                ),
            )
        });
        f.debug_map().entries(files).finish()
    }
}
