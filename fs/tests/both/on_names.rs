// A part of `program.rs`: what is done with names and directories.

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
}

fn directories_opened(root: &Path, answers: &mut Answers) {
    let home = root.join("home");
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
