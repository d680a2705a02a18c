//! The page of a failure as a file: self-contained, and the stored example is not stale.

use std::fs;
use std::path::{Path, PathBuf};

use beaver_cli::page::HtmlPage;
use beaver_sim::explain::explain;
use beaver_sim::scenario::Scenario;

use crate::caught::bug;

/// The failure of the stored example: a new log file without a directory sync.
const EXAMPLE: &str = "docs/examples/b14";

const MOST_BYTES: usize = 300_000;

fn example(ending: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .and_then(Path::parent)
        .unwrap();
    root.join(format!("{EXAMPLE}.{ending}"))
}

/// The page that `beaver replay docs/examples/b14.json --bug B14 --report docs/examples/b14.html`
/// writes.
pub(crate) fn example_page() -> String {
    let text = fs::read_to_string(example("json")).unwrap();
    let scenario: Scenario = serde_json::from_str(&text).unwrap();
    let subject = bug("B14").mutant();
    let command = format!("beaver replay {EXAMPLE}.json --bug B14");
    let explained = explain(&subject, &scenario, &command).unwrap();
    HtmlPage::of_failure(&explained).to_string()
}

#[test]
fn the_stored_example_is_what_the_program_writes_today() {
    let page = example_page();
    if std::env::var_os("BEAVER_BLESS").is_some() {
        fs::write(example("html"), &page).unwrap();
    }
    let stored = fs::read_to_string(example("html")).unwrap();
    assert!(
        stored == page,
        "docs/examples/b14.html is stale; BEAVER_BLESS=1 writes it anew"
    );
    assert!(page.len() < MOST_BYTES, "{} bytes", page.len());
}

#[test]
fn a_page_names_nothing_from_elsewhere() {
    let page = example_page();
    for word in [
        "http://",
        "https://",
        "src=",
        "@import",
        "url(\"",
        "<link rel=\"stylesheet\"",
    ] {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn what_comes_from_a_scenario_is_escaped() {
    let text = fs::read_to_string(example("json")).unwrap();
    let mut scenario: Scenario = serde_json::from_str(&text).unwrap();
    scenario.claim = "<script>alert('claim')</script>".to_owned();
    scenario.name = "\"><img src=x onerror=alert(1)>".to_owned();
    let subject = bug("B14").mutant();
    let page =
        HtmlPage::of_failure(&explain(&subject, &scenario, "</code><b>").unwrap()).to_string();
    for raw in ["<script>alert", "<img", "</code><b>"] {
        assert!(!page.contains(raw), "{raw}");
    }
}
