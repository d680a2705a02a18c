//! The README, in both languages: short, true in its figures, and the same in its headings, blocks and links. Its commands are
//! run with those of the book.

use std::fs;

use crate::pages::{Block, Page, project};

const ENGLISH: &str = "README.md";
const CHINESE: &str = "README.zh.md";

/// How many lines it may have.
const MOST_LINES: usize = 150;

fn json_files(folder: &str) -> usize {
    let files = fs::read_dir(project().join(folder)).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".json")).count()
}

#[test]
fn it_is_short() {
    let lines = Page::read(ENGLISH).text.lines().count();
    assert!(lines <= MOST_LINES, "{lines} lines");
}

/// What it shows of `beaver crash` is on the page whose commands are run and whose output is compared.
#[test]
fn its_first_screen_is_that_of_the_page_on_any_program() {
    let page = Page::read("docs/any-program.md").blocks();
    let first = Page::read(ENGLISH).blocks();
    let text_of = |blocks: &[Block], language: &str| {
        let block = blocks.iter().find(|block| block.language == language);
        block.unwrap().text.clone()
    };
    for language in ["python", "sh"] {
        assert_eq!(text_of(&first, language), text_of(&page, language));
    }
    let printed = text_of(&page, "text");
    for line in text_of(&first, "text").lines() {
        assert!(
            line == "…" || printed.contains(&format!("{line}\n")),
            "{line}"
        );
    }
}

#[test]
fn its_figures_are_those_of_the_project() {
    let text = Page::read(ENGLISH).text;
    let must_reach = fs::read_to_string(project().join("scenarios/must-reach.txt")).unwrap();
    let lines = must_reach.lines().filter(|line| !line.starts_with("# "));
    let words = lines.flat_map(|line| line.rsplit(": ").next().unwrap().split(' '));
    let faults = words.filter(|word| !["before", "inside", "after"].contains(word));
    let faults = faults.count();
    for figure in [
        format!("{faults} of {faults} faults at calls reached, 0 missed"),
        format!("the {} *scenarios*", json_files("scenarios")),
    ] {
        assert!(text.contains(&figure), "it does not say: {figure}");
    }
    let found = Page::read("docs/found.md").anchors();
    let entries = found
        .iter()
        .filter(|anchor| anchor.starts_with(|first: char| first.is_ascii_digit()));
    assert!(text.contains(&format!("[{} bugs in current releases]", entries.count())));
}

#[test]
fn the_chinese_one_has_the_same_headings_blocks_tables_and_links() {
    let [english, chinese] = [ENGLISH, CHINESE].map(Page::read);
    let levels = |page: &Page| {
        let prose = page.prose();
        let headings = prose.lines().filter(|line| line.starts_with('#'));
        let levels = headings.map(|line| line.len() - line.trim_start_matches('#').len());
        levels.collect::<Vec<_>>()
    };
    let blocks = |page: &Page| {
        let blocks = page.blocks().into_iter();
        blocks
            .map(|block| (block.language, block.text))
            .collect::<Vec<_>>()
    };
    let rows = |page: &Page| {
        page.text
            .lines()
            .filter(|line| line.starts_with('|'))
            .count()
    };
    let links = |page: &Page, other: &str| {
        let links = page.links().into_iter();
        links.filter(|link| link != other).collect::<Vec<_>>()
    };
    assert_eq!(levels(&english), levels(&chinese));
    assert_eq!(blocks(&english), blocks(&chinese));
    assert_eq!(rows(&english), rows(&chinese));
    assert_eq!(links(&english, CHINESE), links(&chinese, ENGLISH));
}
