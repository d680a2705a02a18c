//! Puts wal-db on `beaver-fs`.

use adapter_source::{Edit, engine};

fn main() {
    let edit = |file, from, to| Edit { file, from, to };
    let edits = [
        edit("segment.rs", "    fs::{self, File, OpenOptions},\n", ""),
        edit(
            "segment.rs",
            "use crate::{\n    error",
            "use beaver_fs::{self as fs, File, OpenOptions};\nuse crate::{\n    error",
        ),
        edit("store.rs", "    fs::{File, OpenOptions},\n", ""),
        edit(
            "store.rs",
            "use crate::error::",
            "use beaver_fs::{File, OpenOptions};\nuse crate::error::",
        ),
    ];
    engine("wal-db", &edits);
}
