//! Names and files at the crash, ready to be drawn: a colour for every sector on every side.

use beaver_sim::explain::{
    FileFate, LineFate, NameFate, NameVerdict, PageFate, PageVerdict, SectorFate, Side,
    SurvivalTable,
};

/// How many pages of a file are drawn at most.
const MOST_PAGES: usize = 64;

#[derive(Debug)]
pub(super) struct NameRow {
    pub(super) name: String,
    pub(super) live: String,
    pub(super) live_class: &'static str,
    pub(super) durable: String,
    pub(super) durable_class: &'static str,
    pub(super) after: String,
    pub(super) after_class: &'static str,
    pub(super) verdict: &'static str,
    pub(super) tone: &'static str,
    pub(super) pending: String,
}

#[derive(Debug)]
pub(super) struct FileBlock {
    pub(super) name: String,
    pub(super) inode: u64,
    pub(super) live_len: u64,
    pub(super) durable_len: u64,
    pub(super) after_len: String,
    pub(super) fate: String,
    pub(super) tone: &'static str,
    pub(super) pages: Vec<PageRow>,
    pub(super) hidden: usize,
    pub(super) open: bool,
    pub(super) lines: Vec<Line>,
}

#[derive(Debug)]
pub(super) struct PageRow {
    pub(super) page: u64,
    pub(super) sides: [Cells; 3],
    pub(super) verdict: &'static str,
    pub(super) tone: &'static str,
    pub(super) note: String,
}

/// The sectors of a page on one side.
#[derive(Debug)]
pub(super) struct Cells {
    pub(super) words: String,
    pub(super) cells: Vec<&'static str>,
}

#[derive(Debug)]
pub(super) struct Line {
    pub(super) offset: u64,
    pub(super) text: String,
    pub(super) fate: &'static str,
    pub(super) tone: &'static str,
}

pub(super) fn names(table: &SurvivalTable) -> Vec<NameRow> {
    table.names.iter().map(NameRow::new).collect()
}

/// Files that lost something first.
pub(super) fn files(table: &SurvivalTable) -> Vec<FileBlock> {
    let mut files: Vec<FileBlock> = table.files.iter().map(FileBlock::new).collect();
    files.sort_by_key(|file| file.tone != "bad");
    files
}

impl NameRow {
    fn new(name: &NameFate) -> Self {
        let side = |inode: Option<u64>| inode.map_or("–".to_owned(), |inode| format!("#{inode}"));
        let there = |inode: Option<u64>| match inode {
            Some(_) => "there",
            None => "none",
        };
        let (tone, after_class) = match name.verdict {
            NameVerdict::Kept => ("good", "there"),
            NameVerdict::Survived => ("good", "there"),
            NameVerdict::Lost => ("bad", "gone"),
            NameVerdict::StayedGone => ("plain", "none"),
            NameVerdict::CameBack | NameVerdict::OtherFile => ("warn", "only"),
        };
        NameRow {
            name: name.name.clone(),
            live: side(name.live),
            live_class: match name.live == name.durable {
                true => there(name.live),
                false if name.live.is_some() => "only",
                false => "none",
            },
            durable: side(name.durable),
            durable_class: there(name.durable),
            after: side(name.after),
            after_class,
            verdict: lower(name.verdict.words()),
            tone,
            pending: name.pending.join("; "),
        }
    }
}

impl FileBlock {
    fn new(file: &FileFate) -> Self {
        let changed =
            |page: &PageFate| !matches!(page.verdict, PageVerdict::Kept | PageVerdict::Survived);
        let hurt = file.first_lost.is_some() || file.pages.iter().any(changed);
        let (fate, tone) = match (file.after_len, file.first_lost) {
            (None, Some(_)) => ("gone: no name leads to it".to_owned(), "bad"),
            (None, None) => ("no name leads to it".to_owned(), "plain"),
            (Some(_), Some(at)) => (format!("lost from byte {at} on"), "bad"),
            (Some(_), None) if hurt => ("changed".to_owned(), "bad"),
            (Some(_), None) => ("whole".to_owned(), "good"),
        };
        FileBlock {
            name: file.name.clone(),
            inode: file.inode,
            live_len: file.live_len,
            durable_len: file.durable_len,
            after_len: file
                .after_len
                .map_or("no file".to_owned(), |len| format!("{len} bytes")),
            fate,
            tone,
            pages: file
                .pages
                .iter()
                .take(MOST_PAGES)
                .map(PageRow::new)
                .collect(),
            hidden: file.pages.len().saturating_sub(MOST_PAGES),
            open: tone == "bad",
            lines: file.lines.iter().map(Line::new).collect(),
        }
    }
}

impl PageRow {
    fn new(page: &PageFate) -> Self {
        let gone = page.verdict == PageVerdict::Gone;
        let side = |what: &str, class: fn(&SectorFate, bool) -> &'static str| {
            let cells = page.sectors.iter().map(|sector| class(sector, gone));
            let cells: Vec<&str> = cells.collect();
            let words = format!("page {} {what}: {}", page.page, counted(&cells));
            Cells { words, cells }
        };
        let mut notes = Vec::new();
        if page.pending > 0 {
            notes.push(format!("{} pending", page.pending));
        }
        if page.unsaved {
            notes.push("left clean by a failed sync".to_owned());
        }
        match (page.writes.first(), page.writes.last()) {
            (Some(first), Some(last)) if first == last => {
                notes.push(format!("written by call {first}"))
            }
            (Some(first), Some(last)) => notes.push(format!("written by calls {first} to {last}")),
            _ => {}
        }
        PageRow {
            page: page.page,
            sides: [
                side("live", live),
                side("durable", durable),
                side("after", after),
            ],
            verdict: lower(page.verdict.words()),
            tone: match page.verdict {
                PageVerdict::Kept | PageVerdict::Survived => "good",
                _ => "bad",
            },
            note: notes.join(", "),
        }
    }
}

fn live(sector: &SectorFate, _: bool) -> &'static str {
    match sector.live {
        Side::Absent => "none",
        Side::Durable => "durable",
        _ => "pending",
    }
}

fn durable(sector: &SectorFate, _: bool) -> &'static str {
    match (sector.durable, sector.live) {
        (Side::Absent, Side::Absent) => "none",
        (Side::Absent, _) => "missing",
        _ => "durable",
    }
}

fn after(sector: &SectorFate, gone: bool) -> &'static str {
    let was_there = sector.live != Side::Absent;
    match sector.after {
        _ if gone && was_there => "lost",
        _ if gone => "none",
        Side::Absent if was_there => "lost",
        Side::Absent => "none",
        Side::Durable if sector.live == Side::Pending => "old",
        Side::Durable => "durable",
        Side::Pending => "survived",
        Side::Blank => "zero",
        Side::Other => "other",
    }
}

/// How many cells of each sort there are, in words.
fn counted(cells: &[&str]) -> String {
    const WORDS: [(&str, &str); 8] = [
        ("durable", "durable"),
        ("pending", "pending"),
        ("survived", "survived"),
        ("lost", "lost"),
        ("old", "old bytes"),
        ("zero", "zeros"),
        ("other", "something else"),
        ("missing", "not durable"),
    ];
    let counts = WORDS.iter().filter_map(|(class, words)| {
        let count = cells.iter().filter(|cell| *cell == class).count();
        (count > 0).then(|| format!("{count} {words}"))
    });
    let counts: Vec<String> = counts.collect();
    match counts.is_empty() {
        true => "nothing".to_owned(),
        false => counts.join(", "),
    }
}

impl Line {
    fn new(line: &LineFate) -> Self {
        Line {
            offset: line.offset,
            text: line.text.clone(),
            fate: if line.kept { "there" } else { "lost" },
            tone: if line.kept { "good" } else { "bad" },
        }
    }
}

/// The verdicts are capitals in plain text, where there is no colour.
fn lower(words: &'static str) -> &'static str {
    match words {
        "LOST" => "lost",
        "CAME BACK" => "came back",
        "OTHER FILE" => "another file",
        "TORN" => "torn",
        "CHANGED" => "changed",
        "GONE" => "gone",
        other => other,
    }
}
