//! The claims about names: create, open, list, rename, remove, `sync_dir`.

use std::io::ErrorKind::{AlreadyExists, InvalidInput, NotFound};

use super::{create, create_with, fails, holds, lists, named_holds, ok, write};
use crate::{Access, Storage};

pub(super) fn a_created_file_is_empty_and_open_for_both(storage: &dyn Storage) {
    let file = create(storage, "a");
    holds(&*file, b"", "a new file is empty");
    write(&*file, b"text", 0);
    holds(
        &*file,
        b"text",
        "a new file is open for reading and writing",
    );
    named_holds(
        storage,
        "a",
        b"text",
        "a new file can be opened by its name at once",
    );
}

pub(super) fn create_is_exclusive(storage: &dyn Storage) {
    let first = create_with(storage, "a", b"first");
    let taken = "`create` fails with `AlreadyExists` if the name is taken";
    fails(storage.create("a"), AlreadyExists, taken);
    holds(
        &*first,
        b"first",
        "a `create` that was refused leaves the file alone",
    );
    ok(storage.remove("a"), "`remove` takes a name away");
    create(storage, "a");
}

pub(super) fn open_never_creates(storage: &dyn Storage) {
    for access in [Access::Read, Access::Write] {
        let sentence = "`open` fails with `NotFound` if there is no such file";
        fails(storage.open("a", access), NotFound, sentence);
        lists(storage, &[], "`open` never creates");
    }
}

pub(super) fn list_is_complete_and_in_bytewise_order(storage: &dyn Storage) {
    lists(storage, &[], "a new storage lists nothing");
    for name in [
        "é", "b", "a10", "B", "a-", "a", "a9", "a.tmp", "~", "10", "9",
    ] {
        create(storage, name);
    }
    let sorted = [
        "10", "9", "B", "a", "a-", "a.tmp", "a10", "a9", "b", "~", "é",
    ];
    lists(storage, &sorted, "`list` names all files in bytewise order");
    ok(storage.remove("a"), "`remove` takes a name away");
    ok(storage.rename("b", "C"), "`rename` gives a file a new name");
    let sorted = ["10", "9", "B", "C", "a-", "a.tmp", "a10", "a9", "~", "é"];
    lists(
        storage,
        &sorted,
        "`list` follows `remove` and `rename` at once",
    );
}

pub(super) fn names_that_lead_elsewhere_are_refused(storage: &dyn Storage) {
    create_with(storage, "a", b"text");
    let sentence = "a name that is not a plain file name is refused with `InvalidInput`";
    for name in [
        "", ".", "..", "/", "/a", "a/", "./a", "../a", "a/b", "a\0", "\0",
    ] {
        let sentence = format!("{sentence}: {name:?}");
        fails(storage.create(name), InvalidInput, &sentence);
        fails(storage.open(name, Access::Read), InvalidInput, &sentence);
        fails(storage.open(name, Access::Write), InvalidInput, &sentence);
        fails(storage.rename(name, "b"), InvalidInput, &sentence);
        fails(storage.rename("a", name), InvalidInput, &sentence);
        fails(storage.remove(name), InvalidInput, &sentence);
    }
    lists(storage, &["a"], "a call that was refused changes nothing");
    named_holds(
        storage,
        "a",
        b"text",
        "a call that was refused changes nothing",
    );
}

pub(super) fn names_that_only_look_special_are_accepted(storage: &dyn Storage) {
    let names = [" ", "...", ".a", "a b", "a..b", "a.jsonl.tmp", "ü"];
    for name in names {
        create_with(storage, name, name.as_bytes());
    }
    lists(storage, &names, "every plain file name is accepted");
    for name in names {
        named_holds(
            storage,
            name,
            name.as_bytes(),
            "a file is found by its name",
        );
    }
}

pub(super) fn rename_moves_the_file_and_not_only_its_name(storage: &dyn Storage) {
    let file = create_with(storage, "a", b"before");
    ok(storage.rename("a", "b"), "`rename` gives a file a new name");
    lists(storage, &["b"], "`rename` takes the old name away");
    let gone = "after a `rename` the old name is `NotFound`";
    fails(storage.open("a", Access::Read), NotFound, gone);
    write(&*file, b"after!", 0);
    let sentence = "a handle stays with its file when the file is renamed";
    named_holds(storage, "b", b"after!", sentence);
}

pub(super) fn rename_replaces_what_had_the_name(storage: &dyn Storage) {
    let old = create_with(storage, "a", b"the old one, longer");
    let new = create_with(storage, "b", b"the new one");
    ok(
        storage.rename("b", "a"),
        "`rename` replaces what had the name",
    );
    lists(
        storage,
        &["a"],
        "after a replacing `rename` one name is left",
    );
    named_holds(
        storage,
        "a",
        b"the new one",
        "after a `rename` readers see the new file",
    );
    holds(
        &*old,
        b"the old one, longer",
        "a handle of the replaced file keeps its content",
    );
    write(&*old, b"THE", 0);
    holds(
        &*new,
        b"the new one",
        "the replaced file and its successor never mix",
    );
}

pub(super) fn rename_of_a_missing_file_changes_nothing(storage: &dyn Storage) {
    create_with(storage, "a", b"text");
    let sentence = "`rename` fails with `NotFound` if `from` does not exist";
    fails(storage.rename("b", "a"), NotFound, sentence);
    fails(storage.rename("b", "c"), NotFound, sentence);
    let sentence = "a `rename` that failed so changes nothing";
    lists(storage, &["a"], sentence);
    named_holds(storage, "a", b"text", sentence);
}

pub(super) fn rename_onto_itself_changes_nothing(storage: &dyn Storage) {
    let file = create_with(storage, "a", b"text");
    ok(
        storage.rename("a", "a"),
        "`rename` onto the same name succeeds",
    );
    lists(
        storage,
        &["a"],
        "`rename` onto the same name changes nothing",
    );
    write(&*file, b"TEXT", 0);
    named_holds(
        storage,
        "a",
        b"TEXT",
        "`rename` onto the same name keeps the file",
    );
}

pub(super) fn remove_takes_the_name_and_leaves_open_handles_usable(storage: &dyn Storage) {
    let file = create_with(storage, "a", b"text");
    let reader = ok(storage.open("a", Access::Read), "`open` opens a file");
    ok(storage.remove("a"), "`remove` takes a name away");
    lists(storage, &[], "a removed name is not listed");
    let gone = "a removed name is `NotFound`";
    fails(storage.open("a", Access::Read), NotFound, gone);
    fails(storage.remove("a"), NotFound, gone);
    fails(storage.rename("a", "b"), NotFound, gone);
    let sentence = "handles that are open stay usable after `remove`";
    holds(&*file, b"text", sentence);
    write(&*file, b"more text", 2);
    ok(file.set_len(9), sentence);
    ok(file.sync_data(), sentence);
    holds(&*reader, b"temore te", sentence);
}

pub(super) fn a_file_made_under_a_removed_name_is_a_new_file(storage: &dyn Storage) {
    let old = create_with(storage, "a", b"old");
    ok(storage.remove("a"), "`remove` takes a name away");
    let new = create(storage, "a");
    let sentence = "a removed file and its successor of the same name never mix";
    holds(&*new, b"", sentence);
    write(&*old, b"OLD BYTES", 0);
    holds(&*new, b"", sentence);
    write(&*new, b"new", 0);
    holds(&*old, b"OLD BYTES", sentence);
    named_holds(
        storage,
        "a",
        b"new",
        "a name leads to the newest file of that name",
    );
}

pub(super) fn sync_dir_changes_nothing_that_is_seen(storage: &dyn Storage) {
    ok(
        storage.sync_dir(),
        "`sync_dir` succeeds on an empty directory",
    );
    create_with(storage, "a", b"text");
    create(storage, "b");
    ok(storage.rename("b", "c"), "`rename` gives a file a new name");
    ok(storage.sync_dir(), "`sync_dir` succeeds after changes");
    ok(
        storage.sync_dir(),
        "`sync_dir` succeeds when there is nothing to do",
    );
    lists(storage, &["a", "c"], "`sync_dir` changes no name");
    named_holds(storage, "a", b"text", "`sync_dir` changes no content");
}
