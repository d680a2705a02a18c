//! The picture of a failure: a lane for each file, and over time what was pending, durable or lost.
//!
//! All places are whole pixels; a column is a moment. The markup is the template's.

use beaver_disk::Op;

use beaver_sim::explain::lanes::{ColumnKind, Lane, Lanes, Span, SpanState};

/// How many moments are drawn at most: the last ones.
const MOST_COLUMNS: usize = 240;

/// Height of a lane, and of the strip of numbers above.
pub(super) const LANE: usize = 46;
pub(super) const HEAD: usize = 44;

/// About how wide the picture is where there are few moments.
const WIDTH: usize = 880;

/// Where the strip of a name and that of the bytes begin in a lane, and how high they are.
const NAME_STRIP: (usize, usize) = (9, 9);
const BYTES_STRIP: (usize, usize) = (24, 14);

#[derive(Debug)]
pub(super) struct Picture {
    pub(super) text: String,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) step: usize,
    /// What is to be in sight at first.
    pub(super) begin: usize,
    pub(super) hidden: usize,
    pub(super) rules: Vec<usize>,
    pub(super) numbers: Vec<(usize, String)>,
    pub(super) lanes: Vec<String>,
    pub(super) bars: Vec<Bar>,
    pub(super) marks: Vec<PictureMark>,
    pub(super) crashes: Vec<CrashLine>,
}

#[derive(Debug)]
pub(super) struct Bar {
    pub(super) class: &'static str,
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) text: String,
}

#[derive(Debug)]
pub(super) struct PictureMark {
    pub(super) class: &'static str,
    pub(super) path: String,
    pub(super) column: usize,
    pub(super) text: String,
}

#[derive(Debug)]
pub(super) struct CrashLine {
    pub(super) class: &'static str,
    pub(super) x: usize,
    pub(super) rest: usize,
    pub(super) text_x: usize,
    pub(super) anchor: &'static str,
    pub(super) text: &'static str,
}

/// What a kind of call looks like.
#[derive(Debug)]
pub(super) struct Sign {
    pub(super) class: &'static str,
    pub(super) label: &'static str,
    start: (isize, isize),
    path: &'static str,
}

impl Picture {
    /// The first column that is drawn.
    pub(super) fn first_column(lanes: &Lanes) -> usize {
        lanes.columns.len().saturating_sub(MOST_COLUMNS)
    }

    pub(super) fn draw(lanes: &Lanes, first: usize) -> Self {
        let columns = (lanes.columns.len() - first).max(1);
        let step = (WIDTH / columns).clamp(20, 64);
        // Files that were gone before the first moment that is drawn say nothing.
        let visible = |lane: &&Lane| {
            let spans = lane.names.iter().chain(&lane.bytes);
            spans.into_iter().any(|span| span.to > first)
        };
        let shown: Vec<&Lane> = lanes.lanes.iter().filter(visible).collect();
        let height = HEAD + LANE * (shown.len() + 2);
        let width = step * columns + 14;
        let mut picture = Picture {
            text: text(lanes, &shown),
            width,
            height,
            step,
            begin: 0,
            hidden: first,
            rules: (0..shown.len() + 2)
                .map(|lane| HEAD + LANE * lane)
                .collect(),
            numbers: Vec::new(),
            lanes: Vec::new(),
            bars: Vec::new(),
            marks: Vec::new(),
            crashes: Vec::new(),
        };
        picture.draw_moments(lanes, first);
        for (at, lane) in shown.iter().enumerate() {
            picture.draw_lane(lane, HEAD + LANE * (at + 2), first);
            picture.draw_calls(lanes, lane, HEAD + LANE * (at + 2), first);
        }
        picture
    }

    fn middle(&self, column: usize) -> usize {
        column * self.step + self.step / 2
    }

    /// Numbers of calls, what the client was told, directory syncs, crashes.
    fn draw_moments(&mut self, lanes: &Lanes, first: usize) {
        let mut last_number = None;
        for (at, column) in lanes.columns.iter().skip(first).enumerate() {
            let x = self.middle(at);
            let client = HEAD + LANE / 2;
            let directory = client + LANE;
            let text = column_text(&column.kind, column.call);
            let mark = |class, path| PictureMark {
                class,
                path,
                column: at,
                text: text.clone(),
            };
            match &column.kind {
                ColumnKind::Call { op, ok } => {
                    let far = last_number.is_none_or(|last| x - last >= 24);
                    if far {
                        self.numbers.push((x, column.call.to_string()));
                        last_number = Some(x);
                    }
                    if *op == Op::SyncDir {
                        let class = if *ok { "sync" } else { "failed" };
                        self.marks.push(mark(class, sign("sync").at(x, directory)));
                    }
                }
                ColumnKind::Acknowledged { .. } => {
                    self.marks.push(mark("ack", sign("ack").at(x, client)))
                }
                ColumnKind::Opened => self.marks.push(mark("open", sign("open").at(x, client))),
                ColumnKind::Crash { power, explained } => self.draw_crash(x, *power, *explained),
            }
        }
    }

    fn draw_crash(&mut self, x: usize, power: bool, explained: bool) {
        if explained {
            self.begin = x;
        }
        let right = x + 90 > self.width;
        self.crashes.push(CrashLine {
            class: if power { "cut" } else { "kill" },
            x,
            rest: if explained { self.width - x } else { 0 },
            text_x: if right { x.saturating_sub(6) } else { x + 6 },
            anchor: if right { "end" } else { "start" },
            text: if power { "power cut" } else { "killed" },
        });
    }

    fn draw_lane(&mut self, lane: &Lane, top: usize, first: usize) {
        self.lanes.push(lane.name.clone());
        for (what, spans, (y, height)) in [
            ("name", &lane.names, NAME_STRIP),
            ("bytes", &lane.bytes, BYTES_STRIP),
        ] {
            for span in spans.iter().filter(|span| span.to > first) {
                self.draw_span(lane, what, span, (top + y, height), first);
            }
        }
    }

    fn draw_span(
        &mut self,
        lane: &Lane,
        what: &str,
        span: &Span,
        (y, height): (usize, usize),
        first: usize,
    ) {
        let (class, state) = match span.state {
            SpanState::Pending => ("pending", "pending: a power cut may take it"),
            SpanState::Durable => ("durable", "durable"),
            SpanState::Doubtful => ("doubt", "in doubt: a sync failed"),
            SpanState::Lost => ("lost", "lost"),
        };
        // A state begins where its call is, and holds until the call that ends it.
        let from = match span.from.checked_sub(first) {
            Some(from) if span.state == SpanState::Lost => {
                (from * self.step).saturating_sub(self.step / 2)
            }
            Some(from) => self.middle(from),
            None => 0,
        };
        let to = self.middle(span.to - first).min(self.width - 6);
        self.bars.push(Bar {
            class,
            x: from,
            y,
            width: to.saturating_sub(from),
            height,
            text: format!("{} of {}: {state}", what, lane.name),
        });
    }

    fn draw_calls(&mut self, lanes: &Lanes, lane: &Lane, top: usize, first: usize) {
        let name_y = top + NAME_STRIP.0 + NAME_STRIP.1 / 2;
        let bytes_y = top + BYTES_STRIP.0 + BYTES_STRIP.1 / 2;
        for column in lane
            .calls
            .iter()
            .filter_map(|column| column.checked_sub(first))
        {
            let at = &lanes.columns[column + first];
            let ColumnKind::Call { op, ok } = at.kind else {
                continue;
            };
            let x = self.middle(column);
            let (class, y) = match op {
                Op::Create => ("made", name_y),
                Op::Rename => ("named", name_y),
                Op::Remove => ("removed", name_y),
                Op::SyncData => ("sync", bytes_y),
                Op::SetLen | Op::Allocate => ("cut", bytes_y),
                _ => ("wrote", bytes_y),
            };
            self.marks.push(PictureMark {
                class: if ok { class } else { "failed" },
                path: sign(class).at(x, y),
                column,
                text: format!("{} ({})", column_text(&at.kind, at.call), lane.name),
            });
        }
    }
}

/// What a column is called.
fn column_text(kind: &ColumnKind, call: u64) -> String {
    match kind {
        ColumnKind::Call { op, ok: true } => format!("call {call}: {op}"),
        ColumnKind::Call { op, ok: false } => format!("call {call}: {op} failed"),
        ColumnKind::Acknowledged { place } => format!("acknowledged: {place}"),
        ColumnKind::Crash { power: true, .. } => "power cut".to_owned(),
        ColumnKind::Crash { power: false, .. } => "process killed".to_owned(),
        ColumnKind::Opened => "the store opened".to_owned(),
    }
}

/// The picture for those who do not see it.
fn text(lanes: &Lanes, shown: &[&Lane]) -> String {
    let crashes = lanes.columns.iter();
    let crashes = crashes
        .filter(|column| matches!(column.kind, ColumnKind::Crash { .. }))
        .count();
    let lost = |lane: &&&Lane| {
        let spans = lane.names.iter().chain(&lane.bytes);
        spans.into_iter().any(|span| span.state == SpanState::Lost)
    };
    let lost: Vec<&str> = shown
        .iter()
        .filter(lost)
        .map(|lane| lane.name.as_str())
        .collect();
    let lost = match lost.is_empty() {
        true => "nothing was lost".to_owned(),
        false => format!("lost: {}", lost.join(", ")),
    };
    format!(
        "{} files over {} moments with {crashes} crashes; {lost}. The timeline below has the same \
         as text.",
        shown.len(),
        lanes.columns.len()
    )
}

impl Sign {
    /// The path of the sign in the middle of (`x`, `y`).
    pub(super) fn at(&self, x: usize, y: usize) -> String {
        let (dx, dy) = self.start;
        let (x, y) = (x.saturating_add_signed(dx), y.saturating_add_signed(dy));
        format!("M{x} {y}{}", self.path)
    }
}

/// The sign of a class of marks.
fn sign(class: &str) -> &'static Sign {
    let known = SIGNS.iter().find(|sign| sign.class == class);
    known.expect("every class of marks has its sign")
}

const DIAMOND: &str = "l7 7l-7 7l-7-7z";
const TRIANGLE: &str = "v12l12-6z";

/// Each is drawn from a start beside its middle.
pub(super) const SIGNS: [Sign; 9] = [
    new("made", "create", (-5, 0), "a5 5 0 1 0 10 0a5 5 0 1 0-10 0z"),
    new("named", "rename", (-5, -6), TRIANGLE),
    new(
        "removed",
        "remove",
        (-6, -4),
        "l2-2 4 4 4-4 2 2-4 4 4 4-2 2-4-4-4 4-2-2 4-4z",
    ),
    new("wrote", "write", (-2, -7), "h4v14h-4z"),
    new("cut", "set_len, allocate", (-3, -6), "h7v3h-4v6h4v3h-7z"),
    new("sync", "sync", (0, -7), DIAMOND),
    new("failed", "a call that failed", (0, -7), DIAMOND),
    new(
        "ack",
        "acknowledged",
        (-7, 1),
        "l2.6-2.6 3.4 3.4 6.4-7.4 2.8 2.6-9.2 10.6z",
    ),
    new("open", "the store opened", (-5, -6), TRIANGLE),
];

const fn new(
    class: &'static str,
    label: &'static str,
    start: (isize, isize),
    path: &'static str,
) -> Sign {
    Sign {
        class,
        label,
        start,
        path,
    }
}
