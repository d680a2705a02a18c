//! The scenarios in which bugs are looked for. In each of them the library and the plain store
//! hold.

use beaver_sim::scenario::Scenario;

/// Declares the scenarios: each is a file of this package.
macro_rules! scenario_files {
    ($($name:literal)*) => {
        /// Name and text of each scenario.
        const SCENARIOS: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../scenarios/", $name, ".json"))),)*
        ];
    };
}

scenario_files! {
    "power-cuts"
    "checkpoints"
    "checkpoints-without-fall-back"
    "interrupted-prunes"
    "failing-checkpoints"
    "failing-rotates"
    "failing-writes"
    "failing-page-writes"
    "failing-syncs"
    "unwritten-pages"
    "killed-then-cut"
    "markers"
    "wrong-reads"
    "callers"
    "late-reports"
    "attempts"
    "rot"
    "weak-spots"
    "small-batches"
    "long-epochs"
    "failing-snapshots"
    "alphabets"
    "failing-reads"
    "damaged-snapshots"
    "refused-requests"
    "damaged-copies"
    "requeue-at-open"
}

/// All scenarios, each named.
#[must_use]
pub fn scenarios() -> Vec<Scenario> {
    let scenarios = SCENARIOS.iter().map(|(name, text)| {
        let scenario = serde_json::from_str(text);
        Scenario {
            name: (*name).to_owned(),
            ..scenario.expect("these texts are scenarios; a test reads all of them")
        }
    });
    scenarios.collect()
}

/// The scenario of this name.
///
/// # Panics
/// If there is none; a test looks every bug's up.
#[must_use]
pub fn scenario(name: &str) -> Scenario {
    let mut all = scenarios().into_iter();
    let found = all.find(|scenario| scenario.name == name);
    found.expect("every bug names a scenario; a test looks all of them up")
}
