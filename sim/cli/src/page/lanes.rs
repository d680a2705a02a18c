//! A picture of a cluster: a lane for each node, from left to right in virtual time.

use std::collections::BTreeMap;

use beaver_cluster::entry::{EntryKind, NodeId};
use beaver_cluster::observation::{Observation, ObservedEvent};
use beaver_cluster::run::ClusterOutcome;
use beaver_cluster::{MessageFate, MessageRecord};

/// How wide the picture is, without the names of the lanes.
pub(super) const WIDTH: f64 = 1_040.0;
/// How high a lane is.
pub(super) const LANE_HEIGHT: f64 = 52.0;
/// Room above the lanes.
pub(super) const TOP: f64 = 24.0;
/// Room for the names of the lanes.
pub(super) const NAMES: f64 = 70.0;

/// How many arrows a picture has at most: those of the last messages.
const MOST_ARROWS: usize = 120;

/// A picture of some time of a run.
#[derive(Debug)]
pub(super) struct NodeLanes {
    pub(super) title: &'static str,
    pub(super) text: String,
    pub(super) height: f64,
    pub(super) lanes: Vec<(f64, String)>,
    pub(super) ticks: Vec<(f64, String)>,
    pub(super) spans: Vec<LaneSpan>,
    pub(super) arrows: Vec<Arrow>,
    pub(super) signs: Vec<LaneSign>,
    /// Where it failed.
    pub(super) end: f64,
}

/// A time in which something is so on a node.
#[derive(Debug)]
pub(super) struct LaneSpan {
    pub(super) class: &'static str,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) text: String,
}

/// Something that a node did.
#[derive(Debug)]
pub(super) struct LaneSign {
    pub(super) class: &'static str,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) letter: &'static str,
    pub(super) text: String,
}

/// A message.
#[derive(Debug)]
pub(super) struct Arrow {
    pub(super) class: &'static str,
    pub(super) from: (f64, f64),
    pub(super) to: (f64, f64),
    pub(super) text: String,
}

impl NodeLanes {
    /// The whole run until it failed at `end`.
    pub(super) fn whole(outcome: &ClusterOutcome, end: u64) -> Self {
        NodeLanes::draw("The run", outcome, (0, end.max(1)), false)
    }

    /// Its last moments, with messages.
    pub(super) fn last_moments(outcome: &ClusterOutcome, end: u64) -> Self {
        let start = end.saturating_sub(60_000_000);
        NodeLanes::draw(
            "The last 60 ms, with messages",
            outcome,
            (start, end.max(1)),
            true,
        )
    }

    fn draw(
        title: &'static str,
        outcome: &ClusterOutcome,
        (start, end): (u64, u64),
        messages: bool,
    ) -> Self {
        let scale = LaneScale::new(&outcome.events, start, end);
        let lanes: Vec<(f64, String)> = scale
            .places
            .keys()
            .map(|node| (scale.middle(*node), format!("node {node}")))
            .collect();
        let arrows = match messages {
            true => arrows(&scale, outcome.messages.as_deref().unwrap_or(&[])),
            false => Vec::new(),
        };
        NodeLanes {
            title,
            text: format!("{title}: a lane for each of {} nodes", lanes.len()),
            height: TOP + LANE_HEIGHT * lanes.len() as f64 + 8.0,
            ticks: scale.ticks(),
            spans: spans(&scale, &outcome.events),
            signs: signs(&scale, &outcome.events, messages),
            end: scale.x(end),
            lanes,
            arrows,
        }
    }
}

/// Where a moment and a node are in a picture.
struct LaneScale {
    start: u64,
    end: u64,
    places: BTreeMap<NodeId, usize>,
}

impl LaneScale {
    fn new(events: &[ObservedEvent], start: u64, end: u64) -> Self {
        let mut places: BTreeMap<NodeId, usize> = BTreeMap::new();
        for event in events {
            places.entry(event.node).or_default();
        }
        for (place, lane) in places.values_mut().enumerate() {
            *lane = place;
        }
        LaneScale { start, end, places }
    }

    fn x(&self, at: u64) -> f64 {
        let inside = at.clamp(self.start, self.end) - self.start;
        let width = (self.end - self.start).max(1);
        NAMES + WIDTH * inside as f64 / width as f64
    }

    fn shows(&self, at: u64) -> bool {
        (self.start..=self.end).contains(&at)
    }

    fn top(&self, node: NodeId) -> f64 {
        TOP + LANE_HEIGHT * self.places.get(&node).copied().unwrap_or_default() as f64
    }

    fn middle(&self, node: NodeId) -> f64 {
        self.top(node) + LANE_HEIGHT / 2.0
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        let step = (self.end - self.start) / 8;
        let ticks = (0..=8).map(|place| {
            let at = self.start + step * place;
            let label = format!("{:.3} s", at as f64 / 1e9);
            (self.x(at), label)
        });
        ticks.collect()
    }

    fn span(
        &self,
        node: NodeId,
        class: &'static str,
        from: u64,
        to: u64,
        text: String,
    ) -> LaneSpan {
        let (x, height) = (self.x(from), LANE_HEIGHT / 2.0 - 6.0);
        LaneSpan {
            class,
            x,
            y: self.middle(node) - height / 2.0,
            width: (self.x(to) - x).max(1.0),
            height,
            text,
        }
    }
}

/// When nodes are up, and when they lead.
fn spans(scale: &LaneScale, events: &[ObservedEvent]) -> Vec<LaneSpan> {
    let mut spans = Vec::new();
    let mut up: BTreeMap<NodeId, u64> = BTreeMap::new();
    let mut leads: BTreeMap<NodeId, (u64, u64)> = BTreeMap::new();
    let mut push = |span: LaneSpan, from: u64, to: u64| {
        if to >= scale.start && from <= scale.end {
            spans.push(span);
        }
    };
    for event in events {
        let (node, at) = (event.node, event.at);
        let ends = matches!(
            event.what,
            Observation::Died { .. } | Observation::StepsDown
        );
        let follows = matches!(event.what, Observation::VoteSaved { .. });
        if (ends || follows)
            && let Some((since, term)) = leads.get(&node).copied()
            && !matches!(event.what, Observation::VoteSaved { term: saved, .. } if saved <= term)
        {
            leads.remove(&node);
            push(
                scale.span(
                    node,
                    "leads",
                    since,
                    at,
                    format!("node {node} leads in term {term}"),
                ),
                since,
                at,
            );
        }
        match event.what {
            Observation::Started(_) => {
                up.insert(node, at);
            }
            Observation::Died { .. } => {
                if let Some(since) = up.remove(&node) {
                    push(
                        scale.span(node, "up", since, at, format!("node {node} is up")),
                        since,
                        at,
                    );
                }
            }
            Observation::Leads { term } => {
                leads.insert(node, (at, term));
            }
            _ => {}
        }
    }
    for (node, since) in up {
        push(
            scale.span(node, "up", since, scale.end, format!("node {node} is up")),
            since,
            scale.end,
        );
    }
    for (node, (since, term)) in leads {
        let text = format!("node {node} leads in term {term}");
        push(
            scale.span(node, "leads", since, scale.end, text),
            since,
            scale.end,
        );
    }
    // What leads is drawn over what is up.
    spans.sort_by_key(|span| span.class == "leads");
    spans
}

fn signs(scale: &LaneScale, events: &[ObservedEvent], close: bool) -> Vec<LaneSign> {
    let shown = events.iter().filter(|event| scale.shows(event.at));
    let signs = shown.filter_map(|event| {
        let (class, letter, text) = sign(&event.what, close)?;
        Some(LaneSign {
            class,
            letter,
            x: scale.x(event.at),
            y: scale.middle(event.node),
            text: format!("{:.6} s: node {} {text}", event.at as f64 / 1e9, event.node),
        })
    });
    signs.collect()
}

/// How an observation is drawn: its class, its letter, and its text; routine only from close by.
fn sign(what: &Observation, close: bool) -> Option<(&'static str, &'static str, String)> {
    let sign = match what {
        Observation::Died { power_cut: true } => ("death", "✕", "loses power".to_owned()),
        Observation::Died { power_cut: false } => ("death", "✕", "is killed".to_owned()),
        Observation::Wiped => ("death", "∅", "loses its disks".to_owned()),
        Observation::NotStarted { error } => ("death", "!", format!("does not start: {error}")),
        Observation::Stopped { error } => ("death", "!", format!("stops: {error}")),
        Observation::Leads { term } => ("lead", "L", format!("leads in term {term}")),
        Observation::SnapshotBuilt { last, .. } => {
            ("snapshot", "S", format!("has a snapshot at {last}"))
        }
        Observation::SnapshotInstalled { last, .. } => {
            ("snapshot", "I", format!("installs a snapshot at {last}"))
        }
        Observation::Truncated { after } => ("truncate", "T", format!("truncates after {after}")),
        Observation::Appended { entry, .. } => match &entry.kind {
            EntryKind::Membership(voters) => (
                "member",
                "M",
                format!("appends {}: the voters are {voters:?}", entry.id),
            ),
            _ if close => ("routine", "a", format!("appends {}", entry.id)),
            _ => return None,
        },
        Observation::VoteSaved { term, voted_for } if close => (
            "routine",
            "v",
            format!("has on disk term {term}, vote {voted_for:?}"),
        ),
        Observation::Flushed { upto } if close => {
            ("routine", "f", format!("has on disk up to {upto}"))
        }
        Observation::Committed { index } if close => {
            ("routine", "c", format!("knows committed {index}"))
        }
        Observation::Applied { entry, .. } if close => {
            ("routine", "·", format!("applies {}", entry.id))
        }
        _ => return None,
    };
    Some(sign)
}

fn arrows(scale: &LaneScale, messages: &[MessageRecord]) -> Vec<Arrow> {
    let near = |message: &&MessageRecord| {
        scale.shows(message.at)
            && scale.places.contains_key(&message.from)
            && scale.places.contains_key(&message.to)
    };
    let near: Vec<&MessageRecord> = messages.iter().filter(near).collect();
    let last = &near[near.len().saturating_sub(MOST_ARROWS)..];
    let mut arrows = Vec::new();
    for message in last {
        let from = (scale.x(message.at), scale.middle(message.from));
        let to = scale.middle(message.to);
        let said = format!(
            "{}: {} from {} to {}",
            message.kind, message.summary, message.from, message.to
        );
        match &message.fate {
            MessageFate::Arrives(times) => {
                for at in times {
                    arrows.push(Arrow {
                        class: "arrives",
                        from,
                        to: (scale.x(*at), to),
                        text: said.clone(),
                    });
                }
            }
            MessageFate::Dropped(cause) => arrows.push(Arrow {
                class: "dropped",
                from,
                to: (from.0 + 6.0, from.1 + (to - from.1) / 2.0),
                text: format!("{said}; it does not arrive: {cause:?}"),
            }),
        }
    }
    arrows
}
