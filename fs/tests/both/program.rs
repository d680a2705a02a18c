// One program, compiled twice: with `fs` as `std::fs` and as `beaver_fs`. What comes out is a line for
// each call, so that the two can be compared.

use std::fmt::Debug;
use std::io::{self, BufRead as _, BufReader, BufWriter, IoSlice, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt as _, FileExt, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The functions and methods with the types that std gives them: what has another one does not compile.
pub(crate) fn signatures() -> usize {
    let on_path: [fn(&'static str) -> io::Result<()>; 5] = [
        fs::create_dir,
        fs::create_dir_all,
        fs::remove_file,
        fs::remove_dir,
        fs::remove_dir_all,
    ];
    let on_two: [fn(&'static Path, PathBuf) -> io::Result<()>; 3] =
        [fs::rename, fs::hard_link, symlink];
    let opened: [fn(String) -> io::Result<fs::File>; 3] =
        [fs::File::open, fs::File::create, fs::File::create_new];
    let asked: [fn(&'static Path) -> io::Result<fs::Metadata>; 2] =
        [fs::metadata, fs::symlink_metadata];
    let found: [fn(&'static Path) -> io::Result<PathBuf>; 2] = [fs::canonicalize, fs::read_link];
    let _: fn(PathBuf) -> io::Result<Vec<u8>> = fs::read;
    let _: fn(PathBuf) -> io::Result<String> = fs::read_to_string;
    let _: fn(PathBuf, &'static [u8]) -> io::Result<()> = fs::write;
    let _: fn(PathBuf, &'static str) -> io::Result<u64> = fs::copy;
    let _: fn(PathBuf) -> io::Result<bool> = fs::exists;
    let _: fn(PathBuf) -> io::Result<fs::ReadDir> = fs::read_dir;
    let _: fn(PathBuf, fs::Permissions) -> io::Result<()> = fs::set_permissions;
    let _: fn(&fs::File, fs::Permissions) -> io::Result<()> = fs::File::set_permissions;
    let _: fn(&fs::File, fs::FileTimes) -> io::Result<()> = fs::File::set_times;
    let _: fn(&fs::File, std::time::SystemTime) -> io::Result<()> = fs::File::set_modified;
    let _: fn(&fs::File, u64) -> io::Result<()> = fs::File::set_len;
    let _: fn(&fs::File) -> io::Result<fs::Metadata> = fs::File::metadata;
    let _: fn(&fs::File) -> io::Result<fs::File> = fs::File::try_clone;
    let on_file: [fn(&fs::File) -> io::Result<()>; 5] = [
        fs::File::sync_all,
        fs::File::sync_data,
        fs::File::lock,
        fs::File::lock_shared,
        fs::File::unlock,
    ];
    let _: fn(&fs::File) -> Result<(), fs::TryLockError> = fs::File::try_lock;
    let _: fn(&fs::File) -> Result<(), fs::TryLockError> = fs::File::try_lock_shared;
    let _: fn() -> fs::OpenOptions = fs::File::options;
    let _: fn(&mut fs::OpenOptions, bool) -> &mut fs::OpenOptions = fs::OpenOptions::append;
    let _: fn(&fs::OpenOptions, &'static str) -> io::Result<fs::File> = fs::OpenOptions::open;
    let _: fn(&fs::Metadata) -> fs::FileType = fs::Metadata::file_type;
    let _: fn(&fs::Metadata) -> fs::Permissions = fs::Metadata::permissions;
    let _: [fn(&fs::Metadata) -> io::Result<std::time::SystemTime>; 3] = [
        fs::Metadata::modified,
        fs::Metadata::accessed,
        fs::Metadata::created,
    ];
    let _: fn(&fs::DirEntry) -> io::Result<fs::FileType> = fs::DirEntry::file_type;
    let _: fn(&fs::DirEntry) -> io::Result<fs::Metadata> = fs::DirEntry::metadata;
    let _: fn(&fs::DirEntry) -> std::ffi::OsString = fs::DirEntry::file_name;
    let _: fn(&fs::DirBuilder, &'static str) -> io::Result<()> = fs::DirBuilder::create;
    fn is_a_file<F>()
    where
        F: Read + Write + Seek + FileExt + Debug + Send + Sync + From<std::fs::File>,
        for<'f> &'f F: Read + Write + Seek,
    {
    }
    is_a_file::<File>();
    on_path.len() + on_two.len() + opened.len() + asked.len() + found.len() + on_file.len()
}

/// What the calls answered, in order.
struct Answers(Vec<String>);

impl Answers {
    fn note<T: Debug, E: Into<io::Error>>(
        &mut self,
        call: &str,
        answer: Result<T, E>,
    ) -> Option<T> {
        let answer = answer.map_err(|error| {
            let error = error.into();
            (error.kind(), error.raw_os_error())
        });
        self.0.push(format!("{call}: {answer:?}"));
        answer.ok()
    }

    /// The same where the value itself says nothing.
    fn done<T, E: Into<io::Error>>(&mut self, call: &str, answer: Result<T, E>) -> Option<T> {
        let (said, value) = match answer {
            Ok(value) => (Ok(()), Some(value)),
            Err(error) => (Err(error), None),
        };
        self.note(call, said);
        value
    }
}

/// Runs everything below `root`, an empty directory.
pub(crate) fn run(root: &Path) -> Vec<String> {
    let mut answers = Answers(Vec::new());
    files(root, &mut answers);
    appending(root, &mut answers);
    whole(root, &mut answers);
    opening(root, &mut answers);
    directories(root, &mut answers);
    directories_opened(root, &mut answers);
    names(root, &mut answers);
    links(root, &mut answers);
    locks(root, &mut answers);
    persist(root, &mut answers);
    ends(root, &mut answers);
    long_names(root, &mut answers);
    flags(root, &mut answers);
    answers.0
}

include!("on_files.rs");
include!("on_names.rs");
include!("on_ends.rs");
