//! What survived a power cut and what was lost, in few words by path.

use std::collections::BTreeMap;

use beaver_disk::{Choice, Fate, ImageSpace, RecordKind, SECTOR_SIZE, Survival};

/// What became of what was pending: a line for each name, and for the bytes of each file.
#[must_use]
pub fn survivors(space: &ImageSpace, choice: &Choice) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut pages: BTreeMap<(String, &'static str), (usize, Vec<u64>)> = BTreeMap::new();
    let mut lengths: BTreeMap<(String, &'static str), usize> = BTreeMap::new();
    for mut record in space.describe(choice) {
        if space.is_flat() {
            record.file = record.file.replace('/', " or ");
        }
        let fate = match record.fate {
            Fate::Survived => "survived",
            Fate::Lost => "lost",
            Fate::BothNames => "both names are there",
            Fate::NeitherName => "neither name is there",
            // What is there now has a line of its own.
            Fate::Replaced => continue,
        };
        let key = (record.file.clone(), fate);
        match &record.what {
            RecordKind::Page { page, .. } => {
                let place = lines.len();
                let (_, numbers) = pages.entry(key).or_insert_with(|| {
                    lines.push(String::new());
                    (place, Vec::new())
                });
                if numbers.last() != Some(page) {
                    numbers.push(*page);
                }
            }
            RecordKind::Growth { len } | RecordKind::SetLen { len } => {
                let text = format!("{fate}: {}, its length of {len} bytes", record.file);
                let place = *lengths.entry(key).or_insert_with(|| {
                    lines.push(String::new());
                    lines.len() - 1
                });
                // Of several steps the last one that has this fate.
                lines[place] = text;
            }
            _ => lines.push(format!("{fate}: {}", name_change(&record))),
        }
    }
    for ((file, fate), (place, mut numbers)) in pages {
        numbers.sort_unstable();
        numbers.dedup();
        lines[place] = format!("{fate}: {file}, {}", page_numbers(&numbers));
    }
    lines.extend(choice.tears.iter().map(|tear| {
        let bytes = u64::from(tear.newer_sectors.count_ones()) * SECTOR_SIZE as u64;
        let file = file_of(space, choice, tear.inode.0);
        format!(
            "torn: {file}, page {}: {bytes} bytes of it are new",
            tear.page
        )
    }));
    lines
}

fn name_change(record: &Survival) -> String {
    let file = &record.file;
    match &record.what {
        RecordKind::Link => format!("link {file}"),
        RecordKind::Remove => format!("remove {file}"),
        RecordKind::Rename { to } => format!("rename {file} to {to}"),
        _ => format!("create {file}"),
    }
}

fn file_of(space: &ImageSpace, choice: &Choice, inode: u64) -> String {
    let records = space.describe(choice);
    let mut files = records.iter();
    let about_bytes = |record: &&Survival| {
        record.inode.is_some_and(|id| id.0 == inode)
            && matches!(record.what, RecordKind::Page { .. })
    };
    let file = files.find(about_bytes).map(|record| record.file.clone());
    file.unwrap_or_else(|| format!("file {inode}"))
}

/// `page 3`, or `pages 0–4, 7`.
fn page_numbers(numbers: &[u64]) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let shown = ranges
        .iter()
        .take(8)
        .map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}–{last}"),
        });
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if ranges.len() > 8 {
        text.push_str(", …");
    }
    let word = if numbers.len() == 1 { "page" } else { "pages" };
    format!("{word} {text}")
}
