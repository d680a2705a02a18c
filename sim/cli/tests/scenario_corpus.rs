//! The body of the fuzz target `scenario` over the scenarios of this repository, whole, cut and
//! changed, and over inputs that once broke something.

#[path = "../../../fuzz/bodies/scenario.rs"]
mod scenario;

use std::fs;
use std::path::Path;

fn check_all(directory: &str) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let mut count = 0;
    for entry in fs::read_dir(directory).expect("the directory is in the repository") {
        let path = entry.expect("the directory can be read").path();
        if path.is_dir() {
            continue;
        }
        let input = fs::read(&path).expect("the file can be read");
        let outcome = std::panic::catch_unwind(|| scenario::check(&input));
        assert!(outcome.is_ok(), "{}", path.display());
        for part in 1..32 {
            let at = input.len() * part / 32;
            scenario::check(&input[..at]);
            for byte in [b'"', b'{', b'9', b'-', b' '] {
                let mut changed = input.clone();
                if let Some(place) = changed.get_mut(at) {
                    *place = byte;
                }
                scenario::check(&changed);
            }
        }
        count += 1;
    }
    assert!(count > 0, "there are inputs");
}

#[test]
fn any_bytes_are_a_scenario_or_a_reason_with_a_place() {
    check_all("../../scenarios");
    check_all("../../scenarios/zoo");
    check_all("../../fuzz/seeds/scenario");
}
