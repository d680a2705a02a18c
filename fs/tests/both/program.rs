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
    let _: [fn(&fs::File) -> Result<(), fs::TryLockError>; 2] =
        [fs::File::try_lock, fs::File::try_lock_shared];
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
        let answer = answer.map_err(|error| error.into().kind());
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
    opening(root, &mut answers);
    directories(root, &mut answers);
    names(root, &mut answers);
    links(root, &mut answers);
    locks(root, &mut answers);
    persist(root, &mut answers);
    answers.0
}

fn files(root: &Path, answers: &mut Answers) {
    let path = root.join("file");
    let mut file = answers.done("create", File::create(&path)).unwrap();
    answers.note("write", file.write(b"hello world"));
    answers.note("read of a write-only file", file.read(&mut [0; 4]));
    answers.note("position", file.stream_position());
    let mut file = answers.done("open", File::open(&path)).unwrap();
    answers.note("write to a read-only file", file.write(b"x"));
    answers.note("set_len of a read-only file", file.set_len(3));
    answers.note("sync of a read-only file", file.sync_all());
    let mut buf = [0; 5];
    answers.note(
        "read",
        file.read(&mut buf).map(|count| buf[..count].to_vec()),
    );
    let mut clone = answers.done("try_clone", file.try_clone()).unwrap();
    answers.note(
        "read of a clone",
        clone.read(&mut buf).map(|count| buf[..count].to_vec()),
    );
    answers.note("position after it", (&file).stream_position());
    for to in [
        SeekFrom::End(-3),
        SeekFrom::Current(-100),
        SeekFrom::Start(1),
        SeekFrom::Start(u64::MAX),
        SeekFrom::End(5),
    ] {
        answers.note("seek", file.seek(to));
    }
    answers.note("read behind the end", file.read(&mut buf));
    let options = fs::OpenOptions::new().read(true).write(true).open(&path);
    let mut file = answers.done("open for both", options).unwrap();
    answers.note("write_all_at", file.write_all_at(b"WORLD", 6));
    answers.note(
        "read_exact_at",
        file.read_exact_at(&mut buf, 6).map(|()| buf),
    );
    answers.note(
        "read_exact_at behind the end",
        file.read_exact_at(&mut buf, 9),
    );
    answers.note("read_at too far", file.read_at(&mut buf, u64::MAX));
    answers.note("write_at too far", file.write_at(&buf, u64::MAX));
    answers.note("set_len", file.set_len(20));
    answers.note("set_len too far", file.set_len(u64::MAX));
    let bufs = [
        IoSlice::new(b"one"),
        IoSlice::new(b""),
        IoSlice::new(b"two"),
    ];
    answers.note("write_vectored", file.write_vectored(&bufs));
    answers.note("sync_data", file.sync_data());
    answers.note(
        "len",
        file.metadata()
            .map(|it| (it.len(), it.is_file(), it.is_dir())),
    );
    answers.note("read whole", fs::read(&path));
    let mut appending = fs::OpenOptions::new()
        .append(true)
        .read(true)
        .open(&path)
        .unwrap();
    answers.note("seek in append mode", appending.seek(SeekFrom::Start(2)));
    answers.note("append", appending.write(b"end"));
    answers.note("position after append", appending.stream_position());
    answers.note("write_at in append mode", appending.write_at(b"!", 0));
    answers.note("truncate by set_len", file.set_len(4));
    answers.note("append again", appending.write(b"more"));
    answers.note("text", fs::read_to_string(&path));
    answers.note("write", fs::write(&path, [0xff, b'\n', b'a']));
    answers.note("no text", fs::read_to_string(&path));
    let lines = BufReader::new(File::open(&path).unwrap()).split(b'\n');
    answers.note("lines", lines.collect::<io::Result<Vec<_>>>());
    let mut writer = BufWriter::new(File::create(&path).unwrap());
    answers.note("buffered", writeln!(writer, "{}", 7));
    answers.done("flush", writer.into_inner().map_err(io::Error::from));
    answers.note("copy", fs::copy(&path, root.join("copy")));
    answers.note("copy of a directory", fs::copy(root, root.join("copied")));
    answers.note("copied", fs::read(root.join("copy")));
    answers.note("remove", fs::remove_file(&path));
    answers.note(
        "len of an unlinked file",
        appending.metadata().map(|it| it.len()),
    );
    answers.note("write to an unlinked file", appending.write(b"gone"));
    answers.note("exists", fs::exists(&path));
    answers.note("remove again", fs::remove_file(&path));
    answers.note("write below a file", fs::write(root.join("copy/x"), "x"));
    answers.note(
        "mode",
        fs::set_permissions(root.join("copy"), fs::Permissions::from_mode(0o600)),
    );
}

/// Every combination of options, on what is there, on what is not, and on a directory.
fn opening(root: &Path, answers: &mut Answers) {
    for bits in 0..64_u32 {
        let bit = |place: u32| bits >> place & 1 == 1;
        for name in ["there", "missing", "directory"] {
            fs::write(root.join("there"), "bytes").unwrap();
            let _ = fs::remove_file(root.join("missing"));
            let _ = fs::create_dir(root.join("directory"));
            let mut options = fs::OpenOptions::new();
            options
                .read(bit(0))
                .write(bit(1))
                .append(bit(2))
                .truncate(bit(3));
            let opened = options
                .create(bit(4))
                .create_new(bit(5))
                .mode(0o600)
                .open(root.join(name));
            let call = format!("open {name} with {bits:06b}");
            answers.done(&call, opened);
            answers.note("left", fs::read(root.join(name)));
        }
    }
}

fn directories(root: &Path, answers: &mut Answers) {
    let home = root.join("home");
    answers.note("create_dir of too much", fs::create_dir(home.join("a/b")));
    answers.note("create_dir_all", fs::create_dir_all(home.join("a/b/c")));
    answers.note(
        "create_dir_all again",
        fs::create_dir_all(home.join("a/b/c")),
    );
    answers.note("create_dir again", fs::create_dir(&home));
    let mut builder = fs::DirBuilder::new();
    answers.note(
        "recursive",
        builder.recursive(true).mode(0o700).create(home.join("a/b")),
    );
    answers.note("file", fs::write(home.join("a/file"), "x"));
    answers.note(
        "create_dir over a file",
        fs::create_dir(home.join("a/file")),
    );
    answers.note(
        "create_dir_all over a file",
        fs::create_dir_all(home.join("a/file")),
    );
    answers.note(
        "create_dir_all below a file",
        fs::create_dir_all(home.join("a/file/b/c")),
    );
    let entries = |path: &Path| -> io::Result<Vec<(String, bool, bool, PathBuf)>> {
        let entries = fs::read_dir(path)?.map(|entry| {
            let entry = entry?;
            let name = entry.file_name().into_string().unwrap();
            let is_dir = entry.file_type()?.is_dir();
            let path = entry.path().strip_prefix(root).unwrap().to_owned();
            Ok((name, is_dir, entry.metadata()?.is_dir(), path))
        });
        let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
        entries.sort();
        Ok(entries)
    };
    answers.note("read_dir", entries(&home.join("a")));
    answers.note("read_dir of nothing", entries(&home.join("z")));
    answers.note("read_dir of a file", entries(&home.join("a/file")));
    answers.note("read_dir with dots", entries(&home.join("./a/b/../b")));
    answers.note("remove_dir", fs::remove_dir(home.join("a")));
    answers.note("remove_dir of a file", fs::remove_dir(home.join("a/file")));
    answers.note(
        "remove_file of a directory",
        fs::remove_file(home.join("a/b")),
    );
    answers.note(
        "remove_dir of an empty one",
        fs::remove_dir(home.join("a/b/c")),
    );
    let mut directory = answers.done("open a directory", File::open(&home)).unwrap();
    answers.note("sync a directory", directory.sync_all());
    answers.note("read a directory", directory.read(&mut [0; 4]));
    answers.note("write to a directory", directory.write(b"x"));
    answers.note("set_len of a directory", directory.set_len(0));
    answers.note(
        "a directory says",
        directory.metadata().map(|it| (it.is_dir(), it.is_file())),
    );
    answers.note("rename it", fs::rename(&home, root.join("house")));
    answers.note("sync it after that", directory.sync_data());
    answers.note("read a directory whole", fs::read(root.join("house")));
    answers.note("write over a directory", fs::write(root.join("house"), "x"));
    answers.note(
        "remove_dir_all of a file",
        fs::remove_dir_all(root.join("house/a/file")),
    );
    answers.note("remove_dir_all", fs::remove_dir_all(root.join("house")));
    answers.note(
        "remove_dir_all of nothing",
        fs::remove_dir_all(root.join("house")),
    );
    answers.note(
        "removed",
        fs::metadata(root.join("house")).map(|it| it.is_dir()),
    );
}

fn names(root: &Path, answers: &mut Answers) {
    for directory in ["one", "two/full", "empty"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::write(root.join("one/f"), "f").unwrap();
    fs::write(root.join("g"), "g").unwrap();
    let renames = [
        ("one/f", "two/f"),
        ("two/f", "two/f"),
        ("two/f", "g"),
        ("missing", "g"),
        ("g", "missing/g"),
        ("g", "g/g"),
        ("g", "empty"),
        ("empty", "g"),
        ("empty", "two"),
        ("two", "two/inside"),
        ("two", "empty"),
        ("empty/full", "one/full"),
        ("one/full/..", "three"),
    ];
    for (from, to) in renames {
        answers.note(
            &format!("rename {from} {to}"),
            fs::rename(root.join(from), root.join(to)),
        );
    }
    answers.note("renamed", fs::read(root.join("g")));
    answers.note("hard_link", fs::hard_link(root.join("g"), root.join("h")));
    answers.note(
        "hard_link over one",
        fs::hard_link(root.join("g"), root.join("h")),
    );
    answers.note(
        "hard_link of nothing",
        fs::hard_link(root.join("nothing"), root.join("i")),
    );
    answers.note(
        "hard_link of a directory",
        fs::hard_link(root.join("one"), root.join("i")),
    );
    answers.note(
        "rename onto the same file",
        fs::rename(root.join("g"), root.join("h")),
    );
    answers.note("both stay", fs::exists(root.join("g")));
    answers.note("write by one", fs::write(root.join("h"), "other"));
    answers.note("read by the other", fs::read_to_string(root.join("g")));
    answers.note("exists below a file", fs::exists(root.join("g/x")));
    answers.note(
        "an empty name",
        File::open(root.join("")).map(|file| file.metadata().unwrap().is_dir()),
    );
    answers.note("a NUL", fs::write(root.join("a\0b"), ""));
}

fn links(root: &Path, answers: &mut Answers) {
    fs::create_dir_all(root.join("real/deep")).unwrap();
    fs::write(root.join("real/file"), "text").unwrap();
    answers.note("symlink", symlink("real", root.join("link")));
    answers.note("symlink over one", symlink("real", root.join("link")));
    answers.note(
        "absolute",
        symlink(root.join("real/file"), root.join("absolute")),
    );
    answers.note("up", symlink("../file", root.join("real/deep/up")));
    answers.note("loop", symlink("loop", root.join("loop")));
    answers.note("dangling", symlink("real/new", root.join("dangling")));
    for path in [
        "link/file",
        "absolute",
        "link/deep/up",
        "link/deep/../file",
        "loop",
        "dangling",
        "link/nothing",
        "absolute/x",
    ] {
        answers.note(path, fs::read_to_string(root.join(path)));
        let kind = |it: fs::Metadata| (it.is_file(), it.is_dir(), it.is_symlink());
        answers.note("metadata", fs::metadata(root.join(path)).map(kind));
        answers.note(
            "symlink_metadata",
            fs::symlink_metadata(root.join(path)).map(kind),
        );
        let whole = fs::canonicalize(root.join(path));
        answers.note(
            "canonicalize",
            whole.map(|path| path.strip_prefix(root).map(Path::to_owned)),
        );
        let target = fs::read_link(root.join(path));
        answers.note(
            "read_link",
            target.map(|path| path.strip_prefix(root).map(Path::to_owned).unwrap_or(path)),
        );
    }
    answers.note(
        "create_new over a dangling link",
        File::create_new(root.join("dangling")).map(drop),
    );
    answers.note(
        "write through a dangling link",
        fs::write(root.join("dangling"), "new"),
    );
    answers.note("made", fs::read_to_string(root.join("real/new")));
    answers.note("remove_dir of a link", fs::remove_dir(root.join("link")));
    answers.note(
        "rename of a link",
        fs::rename(root.join("link"), root.join("other")),
    );
    answers.note(
        "remove_dir_all of a link",
        fs::remove_dir_all(root.join("other")),
    );
    answers.note(
        "remove_dir_all with links",
        fs::remove_dir_all(root.join("real")),
    );
    answers.note("remove a link", fs::remove_file(root.join("absolute")));
}

fn locks(root: &Path, answers: &mut Answers) {
    let path = root.join("LOCK");
    let open = || {
        fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .unwrap()
    };
    let (one, other) = (open(), open());
    answers.note("lock", one.lock());
    answers.note("try_lock", other.try_lock());
    answers.note("try_lock_shared", other.try_lock_shared());
    answers.note("again", one.try_lock());
    answers.note("shared", one.lock_shared());
    answers.note("shared too", other.try_lock_shared());
    answers.note("exclusive beside a shared one", one.try_lock());
    answers.note("lost by that", other.try_lock());
    answers.note("unlock", other.unlock());
    answers.note("unlock what is not locked", other.unlock());
    let clone = one.try_clone().unwrap();
    answers.note("locked for its clone", one.try_lock());
    drop(one);
    answers.note("held by the clone", other.try_lock());
    drop(clone);
    answers.note("given back with it", other.try_lock());
}

/// The steps of `tempfile::NamedTempFile`: a new file under a random name, which is made durable and
/// persisted over the old one, or which goes.
fn persist(root: &Path, answers: &mut Answers) {
    let target = root.join("persisted");
    answers.note("old", fs::write(&target, "old"));
    let temporary = root.join(".tmpAb3dE");
    let make = || {
        let mut options = fs::OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
    };
    let mut file = answers.done("make", make()).unwrap();
    answers.done("make it twice", make());
    answers.note("write", file.write_all(b"new"));
    answers.note("sync", file.sync_all());
    answers.note("persist", fs::rename(&temporary, &target));
    answers.note(
        "sync the directory",
        File::open(root).and_then(|directory| directory.sync_all()),
    );
    answers.note("write after it", file.write_all(b"er"));
    answers.note("persisted", fs::read_to_string(&target));
    answers.done("make another", make());
    answers.note("persist_noclobber", fs::hard_link(&temporary, &target));
    answers.note("drop", fs::remove_file(&temporary));
}
