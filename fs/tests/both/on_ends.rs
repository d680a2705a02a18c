// A part of `program.rs`: how a path ends, how long it is, and the flags of an open.

/// Every call on every end of a path to a file, a directory, links to both and to nothing, and nothing.
fn ends(root: &Path, answers: &mut Answers) {
    type OnPath = fn(&Path) -> io::Result<String>;
    fn said<T: Debug>(answer: io::Result<T>) -> io::Result<String> {
        answer.map(|value| format!("{value:?}"))
    }
    fn opened(options: &mut fs::OpenOptions, path: &Path) -> io::Result<String> {
        said(options.open(path).map(drop))
    }
    fn beside(path: &Path, name: &str) -> PathBuf {
        let ends = path.ancestors();
        let root = ends.filter(|path| path.ends_with("ends")).last().unwrap();
        root.join(name)
    }
    let kind = |it: fs::Metadata| (it.is_file(), it.is_dir(), it.is_symlink());
    let calls: Vec<(&str, OnPath)> = vec![
        ("read", |path| said(fs::read(path))),
        ("create", |path| said(File::create(path).map(drop))),
        ("create_new", |path| said(File::create_new(path).map(drop))),
        ("write", |path| opened(fs::OpenOptions::new().write(true), path)),
        ("metadata", |path| said(fs::metadata(path).map(|it| it.is_dir()))),
        ("lstat", |path| said(fs::symlink_metadata(path).map(|it| it.is_symlink()))),
        ("exists", |path| said(fs::exists(path))),
        ("canonicalize", |path| said(fs::canonicalize(path).map(drop))),
        ("read_link", |path| said(fs::read_link(path))),
        ("read_dir", |path| said(fs::read_dir(path).map(Iterator::count))),
        ("create_dir", |path| said(fs::create_dir(path))),
        ("create_dir_all", |path| said(fs::create_dir_all(path))),
        ("remove_file", |path| said(fs::remove_file(path))),
        ("remove_dir", |path| said(fs::remove_dir(path))),
        ("remove_dir_all", |path| said(fs::remove_dir_all(path))),
        ("rename from", |path| said(fs::rename(path, beside(path, "new")))),
        ("rename f", |path| said(fs::rename(beside(path, "f"), path))),
        ("rename e", |path| said(fs::rename(beside(path, "e"), path))),
        ("rename missing", |path| said(fs::rename(beside(path, "no"), path))),
        ("link from", |path| said(fs::hard_link(path, beside(path, "new")))),
        ("link f", |path| said(fs::hard_link(beside(path, "f"), path))),
        ("link d", |path| said(fs::hard_link(beside(path, "d"), path))),
        ("symlink", |path| said(symlink("f", path))),
        ("copy", |path| said(fs::copy(beside(path, "f"), path))),
    ];
    let home = root.join("ends");
    for (name, call) in calls {
        for path in ["f", "d", "e", "to_f", "to_d", "to_slash", "to_nothing", "n", "d/n", "n/n"] {
            for end in ["", "/", "/.", "//./", "/.."] {
                make_ends(&home);
                // What std says of a way up that it has just removed depends on its version, and a new
                // file by a link to a name with a slash after it is the one thing that is told otherwise.
                let path = format!("{path}{end}");
                let is_left_out = match name {
"remove_dir_all" => path.contains(".."),
"create" | "copy" => path == "to_slash",
_ => false,
};
if !is_left_out {
                    answers.note(&format!("{name} {path}"), call(&home.join(&path)));
                }
                for left in ["f", "d", "e", "to_f", "new", "n", "d/n"] {
                    let left = fs::symlink_metadata(home.join(left)).map(kind);
                    answers.note("left", left);
                }
                let _ = fs::remove_dir_all(&home);
            }
        }
    }
}

fn make_ends(home: &Path) {
    fs::create_dir_all(home.join("d")).unwrap();
    fs::create_dir_all(home.join("e")).unwrap();
    fs::write(home.join("f"), "text").unwrap();
    fs::write(home.join("d/in"), "text").unwrap();
    let links = [
        ("f", "to_f"),
        ("d", "to_d"),
        ("f/", "to_slash"),
        ("absent", "to_nothing"),
    ];
    for (target, link) in links {
        symlink(target, home.join(link)).unwrap();
    }
}

fn long_names(root: &Path, answers: &mut Answers) {
    for length in [255, 256, 300] {
        let path = root.join("n".repeat(length));
        answers.note("read", fs::read(&path));
        answers.note("exists", fs::exists(&path));
        answers.note("write", fs::write(&path, "x"));
        answers.note("rename", fs::rename(&path, root.join("short")));
        answers.note("rename back", fs::rename(root.join("short"), &path));
        answers.note("create_dir", fs::create_dir(&path));
        answers.note("below", fs::write(path.join("x"), "x"));
        answers.note("symlink", symlink("x", root.join("l".repeat(length))));
        answers.note("remove", fs::remove_file(&path));
    }
    for length in [4_095, 4_096, 5_000] {
        let mut path = root.as_os_str().to_owned();
        while path.len() < length {
            path.push("/");
        }
        answers.note("read", fs::read(&path));
        answers.note("read_dir", fs::read_dir(&path).map(drop));
        answers.note("create", File::create(&path).map(drop));
        answers.note("create_dir", fs::create_dir(&path));
        answers.note("create_dir_all", fs::create_dir_all(&path));
    }
    for length in [4_095, 4_096] {
        let target = "x".repeat(length);
        answers.note("target", symlink(target, root.join("far")));
    }
}

fn flags(root: &Path, answers: &mut Answers) {
    use rustix::fs::OFlags;
    let (close_on_exec, no_follow) = (OFlags::CLOEXEC, OFlags::NOFOLLOW);
    fs::create_dir(root.join("flags")).unwrap();
    fs::write(root.join("flags/f"), "text").unwrap();
    symlink("f", root.join("flags/link")).unwrap();
    symlink("none", root.join("flags/dangling")).unwrap();
    symlink(".", root.join("flags/here")).unwrap();
    for flags in [OFlags::empty(), close_on_exec, no_follow, close_on_exec | no_follow] {
        for path in ["f", "link", "dangling", "here", "here/", "here/f", "here/link", ""] {
            let path = root.join("flags").join(path);
            let mut options = fs::OpenOptions::new();
            let options = options.read(true).custom_flags(flags.bits().cast_signed());
            answers.note("open", options.open(&path).map(drop));
            let options = options.write(true).create_new(true);
            answers.note("create_new", options.open(&path).map(drop));
        }
    }
}
