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
use super::names::{InodeId, NameTable, Slot, Slots as _};
use beaver_storage::FileKind;

/// A tree of files and directories. Cheap to clone and to compare.
#[derive(Clone)]
pub struct Image {
    pub(super) names: Arc<NameTable>,
    /// Sorted by number; everything that has a name, directories and links too.
    pub(super) files: Vec<(InodeId, FileImage)>,
    hash: u128,
}

/// One file or directory, whatever its names are.
#[derive(Clone, Debug)]
pub(super) struct FileImage {
    pub(super) kind: FileKind,
    pub(super) content: Arc<Content>,
    pub(super) unreadable: BTreeSet<u64>,
}

impl FileImage {
    pub(super) fn new(kind: FileKind, content: Arc<Content>) -> Self {
        FileImage {
            kind,
            content,
            unreadable: BTreeSet::new(),
        }
    }

    pub(super) fn hash(&self) -> u128 {
        file_hash(self.kind, self.content.hash(), &self.unreadable)
    }
}

/// A hash of everything in a file that a program can tell.
pub(super) fn file_hash(kind: FileKind, content: u128, unreadable: &BTreeSet<u64>) -> u128 {
    let bytes = match kind {
        FileKind::File => content,
        FileKind::Directory | FileKind::Symlink => mix128(content, kind as u128),
    };
    unreadable
        .iter()
        .fold(bytes, |hash, sector| mix128(hash, u128::from(*sector)))
}

/// What a file with these names adds to the hash of an image.
pub(super) fn named_hash(file: u128, names: u128) -> u128 {
    mix128(file, names)
}

/// Hashes of the names of each file, added up.
pub(super) type NameHashes = Vec<(InodeId, u128)>;

/// Every name must be one that a walk from the root finds.
pub(super) fn name_hashes(names: &NameTable) -> NameHashes {
    let mut hashes = NameHashes::new();
    hash_entries(names, InodeId::ROOT, 1, &mut hashes);
    let mut place = 0;
    while !names.is_flat() && place < hashes.len() {
        let (inode, path) = hashes[place];
        hash_entries(names, inode, path, &mut hashes);
        place += 1;
    }
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

/// A name is hashed together with the path of its directory.
fn hash_entries(names: &NameTable, dir: InodeId, path: u128, hashes: &mut NameHashes) {
    let entries = names.entries(dir);
    hashes.extend(entries.map(|(name, inode)| (inode, mix128(hash128(name.as_bytes()), path))));
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
            sum.wrapping_add(named_hash(file.hash(), *names))
        });
        Image { names, files, hash }
    }

    /// An image of these files, by path: names separated by `/`. Directories are made where a path
    /// needs them; a path that ends with `/` is a directory alone.
    #[must_use]
    pub fn from_files<N: AsRef<str>, B: AsRef<[u8]>>(
        files: impl IntoIterator<Item = (N, B)>,
    ) -> Self {
        let mut names = NameTable::default();
        let mut found = BTreeMap::new();
        let mut last = 0;
        let mut add = |dir: InodeId, name: &str, file: FileImage| {
            last += 1;
            let inode = InodeId(last);
            let name = Arc::from(name);
            names.set(&Slot { dir, name }, Some(inode));
            found.insert(inode, file);
            inode
        };
        let mut directories = BTreeMap::from([(String::new(), InodeId::ROOT)]);
        for (path, bytes) in files {
            let (parents, name) = path
                .as_ref()
                .rsplit_once('/')
                .unwrap_or(("", path.as_ref()));
            let mut dir = InodeId::ROOT;
            let mut at = String::new();
            for parent in parents.split('/').filter(|parent| !parent.is_empty()) {
                at = format!("{at}/{parent}");
                let made = directories.entry(at.clone());
                dir = *made.or_insert_with(|| {
                    add(
                        dir,
                        parent,
                        FileImage::new(FileKind::Directory, Arc::default()),
                    )
                });
            }
            if !name.is_empty() {
                let content = Arc::new(Content::from_bytes(bytes.as_ref()));
                add(dir, name, FileImage::new(FileKind::File, content));
            }
        }
        let hashes = name_hashes(&names);
        found.retain(|inode, _| hashes.binary_search_by_key(inode, |(id, _)| *id).is_ok());
        Image::assemble(Arc::new(names), &hashes, found.into_iter().collect())
    }

    /// The bytes of every file, by path.
    #[must_use]
    pub fn to_files(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = self.entries().into_iter();
        let files = entries.filter(|(_, inode)| self.file(*inode).kind == FileKind::File);
        files
            .map(|(path, inode)| (path, self.file(inode).content.to_bytes()))
            .collect()
    }

    /// Everything in the tree, by path, parents before what is in them.
    #[must_use]
    pub fn entries(&self) -> BTreeMap<String, InodeId> {
        let mut entries = BTreeMap::new();
        let mut directories = vec![(InodeId::ROOT, String::new())];
        while let Some((dir, parent)) = directories.pop() {
            for (name, inode) in self.names.entries(dir) {
                let path = format!("{parent}{name}");
                if !self.names.is_empty(inode) {
                    directories.push((inode, format!("{path}/")));
                }
                entries.insert(path, inode);
            }
        }
        entries
    }

    /// The names in the root directory, in bytewise order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.entries(InodeId::ROOT).map(|(name, _)| &**name)
    }

    /// The bytes of a file, if it is there; of a symbolic link the path that it leads to.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        let inode = self.inode(path)?;
        Some(self.file(inode).content.to_bytes())
    }

    /// Copies bytes of a file from `offset` on, and says how many that were: of a file that is not there none.
    #[must_use]
    pub fn read_at(&self, path: &str, buf: &mut [u8], offset: u64) -> usize {
        let inode = self.inode(path);
        inode.map_or(0, |inode| self.file(inode).content.read(buf, offset))
    }

    /// The length of a file in bytes, if it is there.
    #[must_use]
    pub fn len_of(&self, path: &str) -> Option<u64> {
        let inode = self.inode(path)?;
        Some(self.file(inode).content.len())
    }

    /// Whether a sector of some file cannot be read.
    #[must_use]
    pub fn has_unreadable_sector(&self) -> bool {
        let mut files = self.files.iter();
        files.any(|(_, file)| !file.unreadable.is_empty())
    }

    /// A hash of everything in a file, if it is there: to compare it with what it was at another moment.
    #[must_use]
    pub fn content_hash(&self, path: &str) -> Option<u128> {
        let inode = self.inode(path)?;
        Some(self.file(inode).hash())
    }

    /// The file that a path leads to. Two names of one file give the same number.
    #[must_use]
    pub fn inode(&self, path: &str) -> Option<InodeId> {
        let (mut dir, mut rest) = (InodeId::ROOT, path);
        while let Some((name, behind)) = rest.split_once('/') {
            dir = self.names.get(dir, name)?;
            rest = behind;
        }
        self.names.get(dir, rest)
    }

    /// What a path leads to, if it is there.
    #[must_use]
    pub fn kind(&self, path: &str) -> Option<FileKind> {
        let inode = self.inode(path)?;
        Some(self.file(inode).kind)
    }

    /// A hash of everything that equality compares; the same on every machine.
    #[must_use]
    pub fn hash128(&self) -> u128 {
        self.hash
    }

    /// How many bytes its files have, each counted once.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, file)| file.content.len()).sum()
    }

    pub(super) fn file(&self, inode: InodeId) -> &FileImage {
        let place = self.files.binary_search_by_key(&inode, |(id, _)| *id);
        &self.files[place.expect("every name has its file")].1
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
        let files = self.entries().into_iter().map(|(path, inode)| {
            let file = self.file(inode);
            let (len, hash) = (file.content.len(), file.content.hash() >> 96);
            let what = match file.kind {
                FileKind::File => format!("{inode}: {len} bytes, {hash:08x}"),
                FileKind::Directory => format!("{inode}: a directory"),
                FileKind::Symlink => format!("{inode}: a link, {hash:08x}"),
            };
            (path, what)
        });
        f.debug_map().entries(files).finish()
    }
}
