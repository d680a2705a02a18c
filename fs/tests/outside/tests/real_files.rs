//! Outside of its own tests the store is on `std::fs`.

use std::path::Path;

use shelf::Shelf;

#[test]
fn what_was_set_is_there_when_it_is_opened_again() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shelf");
    std::fs::create_dir_all(&directory).unwrap();
    let mut shelf = Shelf::open(&directory).unwrap();
    shelf.set("key", "a value").unwrap();
    shelf.compact().unwrap();
    drop(shelf);
    let shelf = Shelf::open(&directory).unwrap();
    assert_eq!(shelf.values()["key"], "a value");
}
