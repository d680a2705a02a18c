//! What survived a power cut and what was lost, in few words by path.

use std::collections::{BTreeMap, BTreeSet};

use beaver_disk::{Choice, Fate, ImageSpace, InodeId, RecordKind, SECTOR_SIZE, Survival};

use crate::words::escaped;

/// What became of what was pending: a line for each name, and for the bytes of each file.
#[must_use]
pub fn survivors(space: &ImageSpace, choice: &Choice) -> Vec<String> {
    let mut records = space.describe(choice);
    for record in &mut records {
        if space.is_flat() {
            record.file = record.file.replace('/', " or ");
        }
        record.file = escaped(&record.file).into_owned();
        if let RecordKind::Rename { to } = &mut record.what {
            *to = escaped(to).into_owned();
        }
    }
    let pages = Pages::of(&records);
    let mut lines: Vec<String> = Vec::new();
    let mut lengths: BTreeMap<(&str, &'static str), usize> = BTreeMap::new();
    let mut shown = BTreeSet::new();
    for record in &records {
        let fate = match record.fate {
            Fate::Survived => "survived",
            Fate::Lost => "lost",
            Fate::BothNames => "both names are there",
            Fate::NeitherName => "neither name is there",
            // What is there now has a line of its own.
            Fate::Replaced => continue,
        };
        match &record.what {
            RecordKind::Page { page, .. } => {
                let fate = pages.fate(&record.file, *page);
                if shown.insert((&record.file, fate)) {
                    let numbers = page_numbers(&pages.with(&record.file, fate));
                    lines.push(format!("{fate}: {}, {numbers}", record.file));
                }
            }
            RecordKind::Growth { len } | RecordKind::SetLen { len } => {
                let text = format!("{fate}: {}, its length of {len} bytes", record.file);
                let place = *lengths.entry((&record.file, fate)).or_insert_with(|| {
                    lines.push(String::new());
                    lines.len() - 1
                });
                // Of several steps the last one that has this fate.
                lines[place] = text;
            }
            _ => lines.push(format!("{fate}: {}", name_change(record))),
        }
    }
    lines.extend(choice.tears.iter().map(|tear| {
        let bytes = u64::from(tear.newer_sectors.count_ones()) * SECTOR_SIZE;
        let file = file_of(&records, tear.inode);
        format!(
            "torn: {file}, page {}: {bytes} bytes of it are new",
            tear.page
        )
    }));
    lines
}

/// What became of the newest version of each page, by file.
struct Pages<'r>(BTreeMap<&'r str, BTreeMap<u64, PendingPage>>);

#[derive(Default)]
struct PendingPage {
    survived: bool,
    lost: bool,
}

impl<'r> Pages<'r> {
    fn of(records: &'r [Survival]) -> Self {
        let mut files: BTreeMap<&str, BTreeMap<u64, PendingPage>> = BTreeMap::new();
        for record in records {
            if let RecordKind::Page { page, .. } = record.what {
                let file = files.entry(&record.file).or_default();
                let fate = file.entry(page).or_default();
                fate.survived |= record.fate == Fate::Survived;
                fate.lost |= record.fate == Fate::Lost;
            }
        }
        Pages(files)
    }

    fn fate(&self, file: &str, page: u64) -> &'static str {
        let fate = self.0.get(file).and_then(|pages| pages.get(&page));
        match fate {
            Some(PendingPage {
                survived: true,
                lost: false,
            }) => "survived",
            Some(PendingPage {
                survived: true,
                lost: true,
            }) => "survived, but not the last writes",
            _ => "lost",
        }
    }

    /// The pages of a file that have this fate.
    fn with(&self, file: &str, fate: &str) -> Vec<u64> {
        let pages = self.0.get(file).into_iter().flat_map(BTreeMap::keys);
        pages
            .copied()
            .filter(|page| self.fate(file, *page) == fate)
            .collect()
    }
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

fn file_of(records: &[Survival], inode: InodeId) -> String {
    let mut files = records.iter();
    let about_bytes = |record: &&Survival| {
        record.inode == Some(inode) && matches!(record.what, RecordKind::Page { .. })
    };
    let file = files.find(about_bytes).map(|record| record.file.clone());
    file.unwrap_or_else(|| format!("file {}", inode.0))
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

#[cfg(test)]
mod tests {
    use beaver_disk::{Corner, Profile};

    use super::*;
    use crate::replay::LogReplay;
    use crate::testing::recorded;

    #[test]
    fn a_page_of_which_an_older_version_survived_has_a_line_of_its_own() {
        let (_folder, log) = recorded(
            "create f; set_len f 9000; sync f; sync_dir .; write f 0 a; write f 4096 b; write f 8192 c; write f 0 d",
        );
        let mut replay = LogReplay::new(&log, Profile::Posix);
        while replay.next().is_some() {
            replay.step().unwrap();
        }
        let space = replay.disk().crash_between_calls().images();
        let lines = survivors(&space, &space.resolve(&[1, 1, 0]));
        assert_eq!(
            lines,
            [
                "survived, but not the last writes: f, page 0",
                "survived: f, page 1",
                "lost: f, page 2",
            ]
        );
        let nothing = survivors(&space, &space.corner(Corner::Nothing));
        assert_eq!(nothing, ["lost: f, pages 0–2"]);
    }
}
