//! Puts okaywal on `beaver-fs`.

use adapter_source::{Edit, engine};

fn main() {
    let edit = |file, from, to| Edit { file, from, to };
    let edits = [
        edit("lib.rs", "    fs::{self, File},\n", ""),
        edit(
            "lib.rs",
            "use parking_lot::{",
            "use beaver_fs::{self as fs, File};\nuse parking_lot::{",
        ),
        // `Path::exists` asks the real file system.
        edit(
            "lib.rs",
            "!config.directory.exists()",
            "!fs::exists(&config.directory)?",
        ),
        edit("lib.rs", "std::fs::create_dir_all", "fs::create_dir_all"),
        edit("log_file.rs", "    fs::{File, OpenOptions},\n", ""),
        edit(
            "log_file.rs",
            "use parking_lot::{",
            "use beaver_fs::{File, OpenOptions};\nuse parking_lot::{",
        ),
        edit("log_file.rs", "std::fs::rename", "beaver_fs::rename"),
        edit("buffered.rs", "for fs::File", "for beaver_fs::File"),
    ];
    engine("okaywal", &edits);
}
