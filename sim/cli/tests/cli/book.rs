//! The book in `docs/`, and the README: every command works as it stands there, every link leads somewhere, and what the program
//! prints about itself is on its page.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use beaver_cluster::scenario::ClusterScenario;
use serde_json::Value;

use crate::beaver::Place;
use crate::pages::{Page, PageCommand, check_lines, project};

/// The pages whose commands another test runs.
const OWN_TEST: [&str; 1] = ["any-program.md"];

/// How commands begin that take too long here, and the words by which a script of CI runs the same or more.
const IN_CI: [(&str, &str); 3] = [
    ("beaver explore --ops 3", " explore --ops 3 "),
    ("beaver zoo", "\"$beaver\" zoo "),
    ("beaver cluster --bug", "\"$beaver\" zoo "),
];

/// Every chapter of the book, in its order.
fn chapters() -> Vec<String> {
    Page::read("docs/SUMMARY.md").links()
}

/// Every Markdown file of the project below `folder`.
fn markdown(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(project().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = folder.join(&name);
        let is_ours = !name.starts_with('.') && !["target", "node_modules"].contains(&&*name);
        if entry.file_type().unwrap().is_dir() && is_ours {
            markdown(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// A checkout, as far as the commands of the pages need one, with a saved failure in `failures/FOLDER` and a log in `DIR`.
fn place_of_the_pages() -> Place {
    let place = Place::empty();
    let copied = |from: &str, to: &str| {
        for entry in fs::read_dir(project().join(from)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_file() {
                let text = fs::read_to_string(entry.path()).unwrap();
                place.write(&format!("{to}/{name}"), &text);
            }
        }
    };
    copied("scenarios", "scenarios");
    copied("scenarios/cluster", "scenarios/cluster");
    copied("docs/examples", "docs/examples");
    copied("tests/data/format-2-queue", "DIR");
    copied("sim/disk/tests/data", ".");
    // As `beaver zoo B14 --out caught` saves it, and as others are saved: without the minute that the zoo takes.
    let failure = Page::read("docs/examples/b14.json").text;
    let failure = failure.replace("\"power-cuts\"", "\"B14\"");
    for folder in ["caught/B14", "failures/FOLDER"] {
        place.write(&format!("{folder}/scenario.json"), &failure);
        place.write(&format!("{folder}/bug.txt"), "B14\n");
    }
    place
}

/// The command over five seeds, if it is one that has seeds and shows no output.
fn with_few_seeds(command: &PageCommand) -> String {
    let line = &command.line;
    let has_seeds = line.starts_with("beaver run") || line.starts_with("beaver cluster");
    if command.output.is_some() || !has_seeds || line.contains("--seed ") {
        return line.clone();
    }
    let (start, rest) = line.split_once(" --seeds ").unwrap_or((line, ""));
    let rest = rest.split_once(' ').map(|(_, rest)| rest);
    format!("{start} --seeds 0..5 {}", rest.unwrap_or_default())
}

/// Whether it is run elsewhere, and really is.
fn is_run_elsewhere(command: &PageCommand) -> bool {
    let line = command.line.as_str();
    if line.starts_with("beaver crash") || line.starts_with("beaver trace") {
        let page = Page::read("docs/any-program.md");
        assert!(
            page.text.contains(&format!("\n{line}")),
            "no test runs `{line}`"
        );
        return true;
    }
    let begins = |(start, _): &&(&str, &str)| line.starts_with(start);
    let words = match line {
        "beaver" => Some("cargo run --release --locked |"),
        "beaver cluster" => Some("\"$beaver\" cluster --seeds "),
        _ => IN_CI.iter().find(begins).map(|(_, words)| *words),
    };
    let scripts = [".ci/run", ".ci/nightly"];
    let ci = scripts.map(|script| fs::read_to_string(project().join(script)).unwrap());
    let ci = ci.concat();
    words
        .inspect(|words| assert!(ci.contains(words), "no script of CI runs `{line}`"))
        .is_some()
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn every_command_of_the_book_works_as_it_stands_there() {
    let place = place_of_the_pages();
    let chapters = chapters().into_iter();
    let chapters = chapters.filter(|name| !OWN_TEST.contains(&name.as_str()));
    let pages = chapters.map(|name| format!("docs/{name}"));
    let mut ran = 0;
    for page in pages.chain(["README.md".to_owned()]).map(Page::read) {
        for block in page.blocks() {
            if let ("json" | "python", Some(file)) = (&*block.language, &block.file) {
                place.write(file, &block.text);
            }
            for command in block.commands() {
                if is_run_elsewhere(&command) {
                    continue;
                }
                let line = with_few_seeds(&command);
                let (code, text) = place.shell(&line);
                let page = page.path.display();
                assert_eq!(code, Some(command.code), "{page}: {line}\n{text}");
                check_lines(&text, &command.output.unwrap_or_default());
                ran += 1;
            }
        }
    }
    assert!(ran > 25, "{ran} commands");
}

#[test]
fn every_link_of_a_page_leads_to_a_file_and_a_heading() {
    let mut pages = Vec::new();
    markdown(Path::new(""), &mut pages);
    let mut broken = Vec::new();
    for page in pages.into_iter().map(Page::read) {
        for link in page.links() {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => page.path.clone(),
                _ => page.path.parent().unwrap().join(file),
            };
            let leads = project().join(&target).exists()
                && (anchor.is_empty() || Page::read(&target).anchors().contains(anchor));
            if !leads {
                broken.push(format!("{}: {link}", page.path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_page_is_a_chapter() {
    let files = fs::read_dir(project().join("docs")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let pages: BTreeSet<String> = names
        .filter(|name| name.ends_with(".md") && name != "SUMMARY.md")
        .collect();
    assert_eq!(pages, chapters().into_iter().collect());
}

/// The names of all properties in a schema.
fn properties(schema: &Value, names: &mut BTreeSet<String>) {
    if let Some(own) = schema.get("properties").and_then(Value::as_object) {
        names.extend(own.keys().cloned());
    }
    match schema {
        Value::Object(fields) => fields.values().for_each(|value| properties(value, names)),
        Value::Array(values) => values.iter().for_each(|value| properties(value, names)),
        _ => {}
    }
}

#[test]
fn every_field_of_a_scenario_is_on_the_page_and_no_other() {
    let mut fields = BTreeSet::new();
    properties(
        &Place::empty().beaver("schema").ends_with(0).json(),
        &mut fields,
    );
    let cluster = serde_json::to_value(ClusterScenario::default()).unwrap();
    for object in [&cluster, &cluster["network"]] {
        fields.extend(object.as_object().unwrap().keys().cloned());
    }
    let page = Page::read("docs/scenarios.md");
    for field in &fields {
        assert!(
            page.text.contains(&format!("`{field}`")),
            "`{field}` is not on the page"
        );
    }
    let stale: Vec<String> = page.column("field").difference(&fields).cloned().collect();
    assert!(stale.is_empty(), "there are no such fields: {stale:?}");
}

#[test]
fn every_invariant_has_its_paragraph() {
    let page = Page::read("docs/invariants.md");
    let printed = Place::empty()
        .beaver("invariants --format json")
        .ends_with(0);
    let mut rest = page.text.as_str();
    for invariant in printed.json()["invariants"].as_array().unwrap() {
        let text = |field: &str| invariant[field].as_str().unwrap();
        let start = format!(
            "\n## {}. {}\n\n> {}\n\n",
            invariant["number"],
            text("name"),
            text("promise")
        );
        let at = rest.find(&start);
        rest = &rest[at.unwrap_or_else(|| panic!("not there, in its place: {start}"))..];
    }
}

#[test]
fn the_page_of_the_command_line_says_what_the_help_says() {
    let page = Page::read("docs/command-line.md");
    let help = Place::empty().beaver("--help").stdout;
    let (_, codes) = help.split_once("Exit codes (").unwrap();
    let codes = format!("```text\nExit codes ({codes}```\n");
    assert!(page.text.contains(&codes), "the page has not:\n{codes}");
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    let names = commands.lines().filter_map(|line| line.strip_prefix("  "));
    let names = names.filter(|line| !line.starts_with(' '));
    let names: BTreeSet<String> = names
        .map(|line| format!("beaver {}", line.split(' ').next().unwrap()))
        .collect();
    let on_page = page.column("command");
    let missing: Vec<&String> = names.difference(&on_page).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_map_of_the_code_names_what_is_there() {
    let page = Page::read("CONTRIBUTING.md");
    let places = page.column("where");
    for place in &places {
        let (folder, start) = place.rsplit_once('/').unwrap_or((".", place));
        let start = start.trim_end_matches('*');
        let mut entries = fs::read_dir(project().join(folder)).unwrap();
        let is_there = entries.any(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.starts_with(start)
        });
        assert!(is_there, "{place} is not there");
    }
    let manifest = fs::read_to_string(project().join("Cargo.toml")).unwrap();
    let members = manifest
        .lines()
        .find_map(|line| line.strip_prefix("members = "));
    let members: Vec<String> = serde_json::from_str(members.unwrap()).unwrap();
    for member in members.iter().filter(|member| *member != ".") {
        assert!(places.contains(member), "{member} is not on the map");
    }
}
