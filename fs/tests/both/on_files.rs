// A part of `program.rs`: what is done with files.

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
    answers.note("read past the end", file.read(&mut buf));
    let options = fs::OpenOptions::new().read(true).write(true).open(&path);
    let mut file = answers.done("open for both", options).unwrap();
    answers.note("write_all_at", file.write_all_at(b"WORLD", 6));
    answers.note(
        "read_exact_at",
        file.read_exact_at(&mut buf, 6).map(|()| buf),
    );
    answers.note(
        "read_exact_at past the end",
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
}

fn appending(root: &Path, answers: &mut Answers) {
    let path = root.join("file");
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
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
    answers.note("remove", fs::remove_file(&path));
    answers.note(
        "len of an unlinked file",
        appending.metadata().map(|it| it.len()),
    );
    answers.note("write to an unlinked file", appending.write(b"gone"));
    answers.note("exists", fs::exists(&path));
    answers.note("remove again", fs::remove_file(&path));
}

fn whole(root: &Path, answers: &mut Answers) {
    let path = root.join("file");
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
