//! Histories in the notation of the conformance vectors, and images as one line of text.
//!
//! ```text
//! f=AB; create t; write t 0 B; sync t; rename t f; sync_dir
//! ```
//!
//! One letter is one page of 4096 bytes filled with it, `0` is a page of zeros, `""` an empty file.
//! Files given as `f=AB` stand first; they are there and durable before the first step. Lengths and
//! offsets count pages. The steps:
//!
//! | step | does |
//! | --- | --- |
//! | `create F` | makes an empty file |
//! | `write F OFFSET LETTERS` | writes pages |
//! | `set_len F LENGTH` | cuts or grows |
//! | `allocate F LENGTH` | grows to at least this length |
//! | `rename F TO`, `remove F` | change names |
//! | `sync F` (or `sync_data F`), `sync_all F`, `sync_dir` | make durable |

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::change::Change;
use super::disk::Disk;
use super::image::Image;
use super::names::InodeId;
use super::page::{PAGE_BYTES, PAGE_SIZE};
use super::profile::Profile;
use beaver_storage::check_name;

/// The longest file in pages, and the longest history in steps: more cannot be looked at.
const LIMIT: usize = 4096;

/// Files that are there before, and steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileHistory {
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
        check_name(name).map_err(|error| error.to_string())?;
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
            let change = read_step(text, |name| disk.lookup(name)).expect("it was read before");
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

/// The change that a step stands for, or what its verb expects. `file` finds a file by its name,
/// which may fail.
fn read_step(
    text: &str,
    file: impl Fn(&str) -> io::Result<InodeId>,
) -> Result<io::Result<Change>, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (verb, rest) = words.split_first().ok_or("an empty step")?;
    let file = |name: &str| parse_name(name).map(|name| file(&name));
    let change = match (*verb, rest) {
        ("create", [name]) => Ok(Change::Create {
            name: parse_name(name)?,
        }),
        ("write", [name, offset, pages]) => {
            let (inode, offset) = (file(name)?, parse_number(offset)? * PAGE_SIZE);
            let bytes = page_bytes(&parse_pages(pages)?);
            inode.map(|inode| Change::Write {
                inode,
                offset,
                bytes,
            })
        }
        ("set_len", [name, len]) => {
            let (inode, len) = (file(name)?, parse_number(len)? * PAGE_SIZE);
            inode.map(|inode| Change::SetLen { inode, len })
        }
        ("allocate", [name, len]) => {
            let (inode, len) = (file(name)?, parse_number(len)? * PAGE_SIZE);
            inode.map(|inode| Change::Allocate { inode, len })
        }
        ("rename", [from, to]) => Ok(Change::Rename {
            from: parse_name(from)?,
            to: parse_name(to)?,
        }),
        ("remove", [name]) => Ok(Change::Remove {
            name: parse_name(name)?,
        }),
        ("sync" | "sync_data", [name]) => file(name)?.map(|inode| Change::SyncData { inode }),
        ("sync_all", [name]) => file(name)?.map(|inode| Change::SyncAll { inode }),
        ("sync_dir", []) => Ok(Change::SyncDir),
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
        "sync" | "sync_data" => "expected: sync FILE",
        "sync_all" => "expected: sync_all FILE",
        "sync_dir" => "expected: sync_dir",
        _ => {
            "expected FILE=LETTERS or one of create, write, set_len, allocate, rename, remove, sync, sync_dir"
        }
    }
}

fn parse_name(text: &str) -> Result<String, String> {
    match check_name(text) {
        Ok(()) if text.contains([',', '"']) => Err(format!("{text:?} has a comma or a quote")),
        Ok(()) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
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

/// An image as one line: `a=AB,b=""`, names sorted; `(none)` without files. A page that is not one
/// letter throughout shows as `?`.
#[must_use]
pub fn render(image: &Image) -> String {
    let files = image.to_files();
    if files.is_empty() {
        return "(none)".to_owned();
    }
    let files = files.iter().map(|(name, bytes)| {
        let pages: String = bytes.chunks(PAGE_BYTES).map(render_page).collect();
        match pages.as_str() {
            "" => format!("{name}=\"\""),
            pages => format!("{name}={pages}"),
        }
    });
    files.collect::<Vec<_>>().join(",")
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
