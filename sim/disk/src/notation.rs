//! Histories in the notation of the conformance vectors, and images as one line of text.
//!
//! ```text
//! f=AB; create t; write t 0 B; sync t; rename t f; sync_dir
//! ```
//!
//! One letter is one page of 4096 bytes filled with it, `0` is a page of zeros, `""` an empty file.
//! Files given as `f=AB` stand first; they are there and durable before the first step, with the
//! directories of their paths (`d/f=AB`); `d/` is an empty directory. Lengths and offsets count
//! pages. The steps:
//!
//! | step | does |
//! | --- | --- |
//! | `create F` | makes an empty file |
//! | `write F OFFSET LETTERS` | writes pages |
//! | `set_len F LENGTH` | cuts or grows |
//! | `allocate F LENGTH` | grows to at least this length |
//! | `rename F TO`, `remove F` | change names |
//! | `mkdir D`, `rmdir D` | make and remove a directory |
//! | `link F NAME` | gives a file one name more |
//! | `symlink TARGET NAME` | makes a symbolic link |
//! | `sync F` (or `sync_data F`), `sync_all F` | makes a file's content durable |
//! | `sync_dir`, `sync_dir D` | make the names of the root, or of a directory, durable |

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::change::Change;
use super::disk::Disk;
use super::image::Image;
use super::names::InodeId;
use super::page::{PAGE_BYTES, PAGE_SIZE};
use super::profile::Profile;
use beaver_storage::FileKind;
use beaver_storage::check_name;

/// The longest file in pages, and the longest history in steps: more cannot be looked at.
const LIMIT: usize = 4096;

/// Files that are there before, and steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileHistory {
    /// By path; that of a directory ends with `/`.
    files: BTreeMap<String, String>,
    /// Each one is known to be readable.
    steps: Vec<String>,
}

/// What is wrong with a history.
#[derive(Debug, thiserror::Error)]
pub enum NotationError {
    /// A step cannot be read.
    #[error("step {number} ({step:?}): {message}")]
    Step {
        /// Its number, from 1; files given first count too when they are part of the same text.
        number: usize,
        /// Its text.
        step: String,
        /// What was expected.
        message: String,
    },
    /// A file that should be there first cannot be read.
    #[error("file {name:?}: {message}")]
    File {
        /// Its name.
        name: String,
        /// What was expected.
        message: String,
    },
    /// A step can be read but not carried out.
    #[error("step {number} ({step:?}) fails: {source}")]
    Call {
        /// Its number, from 1, files not counted.
        number: usize,
        /// Its text.
        step: String,
        /// What the call answers.
        source: io::Error,
    },
    /// There are more images than were asked for.
    #[error("more than {limit} combinations survive under {profile}")]
    TooMany {
        /// The limit.
        limit: u64,
        /// The profile.
        profile: Profile,
    },
}

impl FileHistory {
    /// Reads a history from one text: files, then steps, separated by semicolons or line breaks.
    ///
    /// # Errors
    ///
    /// [`NotationError::Step`] names the step and what was expected.
    pub fn parse(text: &str) -> Result<Self, NotationError> {
        let mut history = FileHistory::default();
        let steps = text.split([';', '\n']).map(str::trim);
        let steps = steps.filter(|step| !step.is_empty());
        for (number, text) in (1..).zip(steps) {
            let read = match text.split_once('=') {
                Some((name, pages)) => history.add_file(name.trim(), pages.trim()),
                None if text.ends_with('/') => history.add_file(text, "\"\""),
                None => history.add_step(text),
            };
            read.map_err(|message| NotationError::Step {
                number,
                step: text.to_owned(),
                message,
            })?;
        }
        Ok(history)
    }

    /// Reads a history whose files and steps are apart, as in a line of `vectors.jsonl`. A step may
    /// hold several, separated by semicolons.
    ///
    /// # Errors
    ///
    /// [`NotationError::File`] and [`NotationError::Step`] say what was expected.
    pub fn from_parts<S: AsRef<str>>(
        files: &BTreeMap<String, String>,
        steps: &[S],
    ) -> Result<Self, NotationError> {
        let mut history = FileHistory::default();
        for (name, pages) in files {
            history
                .add_file(name, pages)
                .map_err(|message| NotationError::File {
                    name: name.clone(),
                    message,
                })?;
        }
        let steps = steps.iter().map(AsRef::as_ref).collect::<Vec<_>>();
        let more = FileHistory::parse(&steps.join(";"))?;
        history.files.extend(more.files);
        history.steps = more.steps;
        Ok(history)
    }

    /// The files that are there first: name and pages.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }

    /// The steps as they were written.
    pub fn steps(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(String::as_str)
    }

    fn add_file(&mut self, name: &str, pages: &str) -> Result<(), String> {
        parse_path(name.strip_suffix('/').unwrap_or(name))?;
        if !self.steps.is_empty() {
            return Err("files stand before the first step".to_owned());
        }
        let pages = parse_pages(pages)?;
        match self.files.insert(name.to_owned(), pages) {
            Some(_) => Err(format!("{name:?} is there twice")),
            None => Ok(()),
        }
    }

    fn add_step(&mut self, text: &str) -> Result<(), String> {
        if self.steps.len() == LIMIT {
            return Err(format!("at most {LIMIT} steps"));
        }
        // Only the words are checked: whether a file is there shows when the step is run.
        drop(read_step(text, |_| Ok(InodeId::default()))?);
        self.steps.push(text.to_owned());
        Ok(())
    }

    /// Carries the history out on a disk of this profile.
    ///
    /// # Errors
    ///
    /// [`NotationError::Call`] if a step cannot be carried out.
    pub fn run(&self, profile: Profile) -> Result<Disk, NotationError> {
        let files = self.files.iter();
        let files = files.map(|(name, pages)| (name, page_bytes(pages)));
        let mut disk = Image::from_files(files).disk(profile);
        for (number, text) in (1..).zip(&self.steps) {
            let change = read_step(text, |path| disk.find(path)).expect("it was read before");
            let done = change.and_then(|change| disk.apply(&change));
            done.map_err(|source| NotationError::Call {
                number,
                step: text.clone(),
                source,
            })?;
        }
        Ok(disk)
    }

    /// Every image that a power cut after the last step may leave, as text: different ones, sorted
    /// bytewise.
    ///
    /// # Errors
    ///
    /// Those of [`run`](Self::run), and [`NotationError::TooMany`] if more than `limit`
    /// combinations survive.
    pub fn images(&self, profile: Profile, limit: u64) -> Result<Vec<String>, NotationError> {
        let space = self.run(profile)?.images();
        let Some(images) = space.enumerate(limit) else {
            return Err(NotationError::TooMany { limit, profile });
        };
        let lines: BTreeSet<String> = images.map(|candidate| render(&candidate.image)).collect();
        Ok(lines.into_iter().collect())
    }
}

/// The change that a step stands for, or what its verb expects. `find` finds a file or directory by
/// its path, which may fail.
fn read_step(
    text: &str,
    find: impl Fn(&str) -> io::Result<InodeId>,
) -> Result<io::Result<Change>, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (verb, rest) = words.split_first().ok_or("an empty step")?;
    let file = |path: &str| parse_path(path).map(|()| find(path));
    // The directory that a name is in, and the name.
    let slot = |path: &str| {
        parse_path(path)?;
        Ok::<_, String>(match path.rsplit_once('/') {
            Some((parent, name)) => find(parent).map(|dir| (dir, name.to_owned())),
            None => Ok((InodeId::ROOT, path.to_owned())),
        })
    };
    let change = match (*verb, rest) {
        ("create", [path]) => slot(path)?.map(|(dir, name)| Change::Create { dir, name }),
        ("mkdir", [path]) => slot(path)?.map(|(dir, name)| Change::CreateDir { dir, name }),
        ("rmdir", [path]) => slot(path)?.map(|(dir, name)| Change::RemoveDir { dir, name }),
        ("remove", [path]) => slot(path)?.map(|(dir, name)| Change::Remove { dir, name }),
        ("symlink", [target, path]) => slot(path)?.map(|(dir, name)| Change::Symlink {
            dir,
            name,
            target: (*target).to_owned(),
        }),
        ("link", [path, new]) => {
            let (inode, slot) = (file(path)?, slot(new)?);
            inode.and_then(|inode| slot.map(|(dir, name)| Change::Link { inode, dir, name }))
        }
        ("rename", [from, to]) => {
            let (from, to) = (slot(from)?, slot(to)?);
            from.and_then(|(from_dir, from)| {
                to.map(|(to_dir, to)| Change::Rename {
                    from_dir,
                    from,
                    to_dir,
                    to,
                })
            })
        }
        ("write", [path, offset, pages]) => {
            let (inode, offset) = (file(path)?, parse_number(offset)? * PAGE_SIZE);
            let bytes = page_bytes(&parse_pages(pages)?);
            inode.map(|inode| Change::Write {
                inode,
                offset,
                bytes,
            })
        }
        ("set_len", [path, len]) => {
            let (inode, len) = (file(path)?, parse_number(len)? * PAGE_SIZE);
            inode.map(|inode| Change::SetLen { inode, len })
        }
        ("allocate", [path, len]) => {
            let (inode, len) = (file(path)?, parse_number(len)? * PAGE_SIZE);
            inode.map(|inode| Change::Allocate { inode, len })
        }
        ("sync" | "sync_data", [path]) => file(path)?.map(|inode| Change::SyncData { inode }),
        ("sync_all", [path]) => file(path)?.map(|inode| Change::SyncAll { inode }),
        ("sync_dir", []) => Ok(Change::SyncDir { dir: InodeId::ROOT }),
        ("sync_dir", [path]) => file(path)?.map(|dir| Change::SyncDir { dir }),
        (verb, _) => return Err(usage(verb).to_owned()),
    };
    Ok(change)
}

fn usage(verb: &str) -> &'static str {
    match verb {
        "create" => "expected: create FILE",
        "write" => "expected: write FILE OFFSET LETTERS",
        "set_len" => "expected: set_len FILE LENGTH",
        "allocate" => "expected: allocate FILE LENGTH",
        "rename" => "expected: rename FROM TO",
        "remove" => "expected: remove FILE",
        "mkdir" => "expected: mkdir DIRECTORY",
        "rmdir" => "expected: rmdir DIRECTORY",
        "link" => "expected: link FILE NAME",
        "symlink" => "expected: symlink TARGET NAME",
        "sync" | "sync_data" => "expected: sync FILE",
        "sync_all" => "expected: sync_all FILE",
        "sync_dir" => "expected: sync_dir, or sync_dir DIRECTORY",
        _ => {
            "expected FILE=LETTERS, DIRECTORY/ or one of create, write, set_len, allocate, rename, \
             remove, mkdir, rmdir, link, symlink, sync, sync_dir"
        }
    }
}

/// Fails unless `path` is names with `/` between them.
fn parse_path(path: &str) -> Result<(), String> {
    let mut names = path.split('/');
    names.try_for_each(|name| match check_name(name) {
        Ok(()) if name.contains([',', '"']) => Err(format!("{name:?} has a comma or a quote")),
        Ok(()) => Ok(()),
        Err(error) => Err(error.to_string()),
    })
}

fn parse_number(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number <= LIMIT as u64);
    number.ok_or_else(|| format!("expected a number of pages from 0 to {LIMIT}, found {text:?}"))
}

fn parse_pages(text: &str) -> Result<String, String> {
    let pages = match text {
        "\"\"" => "",
        text => text,
    };
    let plain = pages.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !plain || pages.len() > LIMIT {
        return Err(format!(
            "expected letters or digits, one for each page (at most {LIMIT}), or \"\"; found {text:?}"
        ));
    }
    Ok(pages.to_owned())
}

fn page_bytes(pages: &str) -> Vec<u8> {
    let pages = pages.bytes().flat_map(|letter| {
        let byte = if letter == b'0' { 0 } else { letter };
        [byte; PAGE_BYTES]
    });
    pages.collect()
}

/// An image as one line: `a=AB,b=""`, paths sorted; `(none)` without files. An empty directory is
/// `d/`, a symbolic link `l->target`. A page that is not one letter throughout shows as `?`.
#[must_use]
pub fn render(image: &Image) -> String {
    let entries = image.entries();
    let is_parent = |path: &String| {
        let inside = format!("{path}/");
        let next = entries.range(inside.clone()..).next();
        next.is_some_and(|(other, _)| other.starts_with(&inside))
    };
    let lines = entries.iter().filter_map(|(path, inode)| {
        let file = image.file(*inode);
        let bytes = file.content.to_bytes();
        match file.kind {
            FileKind::Directory => (!is_parent(path)).then(|| format!("{path}/")),
            FileKind::Symlink => Some(format!("{path}->{}", String::from_utf8_lossy(&bytes))),
            FileKind::File => {
                let pages: String = bytes.chunks(PAGE_BYTES).map(render_page).collect();
                Some(match pages.as_str() {
                    "" => format!("{path}=\"\""),
                    pages => format!("{path}={pages}"),
                })
            }
        }
    });
    let lines: Vec<String> = lines.collect();
    match lines.is_empty() {
        true => "(none)".to_owned(),
        false => lines.join(","),
    }
}

fn render_page(page: &[u8]) -> char {
    let first = page[0];
    let whole = page.len() == PAGE_BYTES && page.iter().all(|byte| *byte == first);
    match first {
        0 if whole => '0',
        byte if whole && byte.is_ascii_alphanumeric() => char::from(byte),
        _ => '?',
    }
}
