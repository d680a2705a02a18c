//! Names and files at the crash: a colour for every name, and for every sector on every side.

use beaver_sim::explain::{
    FileFate, LineFate, NameFate, NameVerdict, PageFate, PageVerdict, SectorFate, Side,
    SurvivalTable,
};

/// How many pages of a file are drawn at most.
const MOST_PAGES: usize = 64;

/// A file with what became of it.
#[derive(Debug)]
pub(super) struct FileBlock<'t> {
    pub(super) file: &'t FileFate,
    pub(super) fate: String,
    pub(super) tone: &'static str,
    /// How many pages are not drawn.
    pub(super) hidden: usize,
}

impl<'t> FileBlock<'t> {
    /// Files that lost something come first.
    pub(super) fn all(table: &'t SurvivalTable) -> Vec<Self> {
        let mut files: Vec<Self> = table.files.iter().map(FileBlock::new).collect();
        files.sort_by_key(|file| file.tone != "bad");
        files
    }

    fn new(file: &'t FileFate) -> Self {
        let hurt = file.first_lost.is_some() || file.pages.iter().any(|page| page.verdict.is_bad());
        let (fate, tone) = match (file.after_len, file.first_lost) {
            (None, Some(_)) => ("gone: no name leads to it".to_owned(), "bad"),
            (None, None) => ("no name leads to it".to_owned(), "plain"),
            (Some(_), Some(at)) => (format!("lost from byte {at} on"), "bad"),
            (Some(_), None) if hurt => ("changed".to_owned(), "bad"),
            (Some(_), None) => ("whole".to_owned(), "good"),
        };
        FileBlock {
            file,
            fate,
            tone,
            hidden: file.pages.len().saturating_sub(MOST_PAGES),
        }
    }

    pub(super) fn after_len(&self) -> String {
        let len = self.file.after_len.map(|len| format!("{len} bytes"));
        len.unwrap_or_else(|| "no file".to_owned())
    }

    pub(super) fn pages(&self) -> &'t [PageFate] {
        &self.file.pages[..self.file.pages.len() - self.hidden]
    }
}

/// Where a name led on the three sides of the crash: text and colour.
pub(super) fn name_sides(name: &NameFate) -> [(String, &'static str); 3] {
    let text = |inode: Option<u64>| inode.map_or("–".to_owned(), |inode| format!("#{inode}"));
    let there = |inode: Option<u64>| inode.map_or("none", |_| "there");
    let live = match name.live == name.durable {
        true => there(name.live),
        false => name.live.map_or("none", |_| "only"),
    };
    let after = match name.verdict {
        NameVerdict::Kept | NameVerdict::Survived => "there",
        NameVerdict::Lost => "gone",
        NameVerdict::StayedGone => "none",
        NameVerdict::CameBack | NameVerdict::OtherFile => "only",
    };
    [
        (text(name.live), live),
        (text(name.durable), there(name.durable)),
        (text(name.after), after),
    ]
}

pub(super) fn name_tone(name: &NameFate) -> &'static str {
    match name.verdict {
        NameVerdict::Kept | NameVerdict::Survived => "good",
        NameVerdict::Lost => "bad",
        NameVerdict::StayedGone => "plain",
        NameVerdict::CameBack | NameVerdict::OtherFile => "warn",
    }
}

pub(super) fn line_tone(line: &LineFate) -> &'static str {
    if line.kept { "good" } else { "bad" }
}

/// The sectors of a page on its three sides: the text for those who do not see them, and the colours.
pub(super) fn page_sides(page: &PageFate) -> [(String, Vec<&'static str>); 3] {
    let gone = page.verdict == PageVerdict::Gone;
    let side = |name: &str, class: fn(&SectorFate, bool) -> &'static str| {
        let cells: Vec<&str> = page
            .sectors
            .iter()
            .map(|sector| class(sector, gone))
            .collect();
        let text = format!("page {} {name}: {}", page.page, counted(&cells));
        (text, cells)
    };
    [
        side("live", live),
        side("durable", durable),
        side("after", after),
    ]
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

/// How many cells of each sort there are.
fn counted(cells: &[&str]) -> String {
    const SORTS: [(&str, &str); 8] = [
        ("durable", "durable"),
        ("pending", "pending"),
        ("survived", "survived"),
        ("lost", "lost"),
        ("old", "old bytes"),
        ("zero", "zeros"),
        ("other", "something else"),
        ("missing", "not durable"),
    ];
    let counts = SORTS.iter().filter_map(|(class, sort)| {
        let count = cells.iter().filter(|cell| *cell == class).count();
        (count > 0).then(|| format!("{count} {sort}"))
    });
    let counts: Vec<String> = counts.collect();
    match counts.is_empty() {
        true => "nothing".to_owned(),
        false => counts.join(", "),
    }
}
