//! Drafts that are a little smaller: without some commands, crashes or faults, or with plainer ones.

use beaver_disk::{CallEffect, Moment};

use crate::scenario::{CrashKind, Step};
use crate::world::{Leg, between_calls};

use super::draft::{Draft, Scene};
use beaver_disk::SurvivorSet;

/// Makes drafts from one, the boldest first.
pub(super) type Edits = fn(&Draft) -> Vec<Draft>;

/// Without runs of commands: half of them, a quarter, and so on down to one.
pub(super) fn without_commands(draft: &Draft) -> Vec<Draft> {
    let places = draft.commands();
    let mut drafts = Vec::new();
    let mut chunk = places.len() / 2;
    while chunk > 1 {
        drafts.extend(places.chunks(chunk).map(|gone| without(draft, gone)));
        chunk /= 2;
    }
    drafts.extend(without_one(draft));
    drafts
}

/// Without one command; where it crashed, also with the crash in its place.
pub(super) fn without_one(draft: &Draft) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for at in draft.commands() {
        drafts.push(without(draft, &[at]));
        let first = draft.scenes[at]
            .legs
            .iter()
            .position(|leg| leg.crash.is_some());
        if let Some(leg) = first {
            let (crash, _) = parted(&draft.scenes[at], leg);
            drafts.push(replaced(draft, at, [crash]));
        }
    }
    drafts
}

/// Without two commands, wherever they stand.
pub(super) fn without_two(draft: &Draft) -> Vec<Draft> {
    let places = draft.commands();
    if places.len() > 14 {
        return Vec::new();
    }
    let mut drafts = Vec::new();
    for (index, first) in places.iter().enumerate() {
        drafts.extend(
            places[index + 1..]
                .iter()
                .map(|second| without(draft, &[*first, *second])),
        );
    }
    drafts
}

/// Without one fault, or without one crash in a call and what comes behind it in the same command.
pub(super) fn less_wrong(draft: &Draft) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for (at, leg) in legs(draft) {
        for fault in 0..draft.scenes[at].legs[leg].faults.len() {
            let mut less = draft.clone();
            less.scenes[at].legs[leg].faults.remove(fault);
            drafts.push(less);
        }
        if draft.scenes[at].legs[leg].crash.is_some() {
            let mut less = draft.clone();
            less.scenes[at].legs.truncate(leg + 1);
            less.scenes[at].legs[leg].crash = None;
            drafts.push(less);
        }
    }
    drafts
}

/// With a crash between two commands in place of one in a call: behind the command, or before it.
pub(super) fn crashes_between(draft: &Draft) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for (at, leg) in legs(draft) {
        let scene = &draft.scenes[at];
        if scene.legs[leg].crash.is_none() {
            continue;
        }
        let (crash, command) = parted(scene, leg);
        drafts.push(replaced(draft, at, [command.clone(), crash.clone()]));
        if leg == 0 && scene.step.is_some() {
            let command = Scene {
                legs: Vec::new(),
                ..command
            };
            drafts.push(replaced(draft, at, [crash, command]));
        }
    }
    drafts
}

/// With a kill in place of a power cut, or a crash that is not in the middle of a call.
pub(super) fn plainer_crashes(draft: &Draft) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for at in draft.commands() {
        if matches!(draft.scenes[at].step, Some(Step::PowerCut { .. })) {
            let mut plainer = draft.clone();
            plainer.scenes[at].step = Some(Step::Kill);
            drafts.push(plainer);
        }
    }
    for (at, leg) in legs(draft) {
        let Some(crash) = &draft.scenes[at].legs[leg].crash else {
            continue;
        };
        let mut with = |change: fn(&mut Leg)| {
            let mut plainer = draft.clone();
            change(&mut plainer.scenes[at].legs[leg]);
            drafts.push(plainer);
        };
        if crash.kind == CrashKind::PowerCut {
            with(|leg| {
                leg.left = None;
                if let Some(crash) = &mut leg.crash {
                    crash.kind = CrashKind::Kill;
                    crash.progress = Some(CallEffect::Nothing);
                }
            });
        }
        if crash.at.moment == Moment::Inside {
            with(|leg| {
                if let Some(crash) = &mut leg.crash {
                    crash.at.moment = Moment::Before;
                    crash.progress = None;
                }
            });
        }
    }
    drafts
}

/// With less to say about what a power cut left.
pub(super) fn plainer_survivors(draft: &Draft) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for (at, leg) in legs(draft) {
        let Some(left) = &draft.scenes[at].legs[leg].left else {
            continue;
        };
        let mut with = |left: SurvivorSet| {
            let mut plainer = draft.clone();
            plainer.scenes[at].legs[leg].left = Some(left);
            drafts.push(plainer);
        };
        if left.size() == 0 {
            continue;
        }
        with(SurvivorSet::everything());
        with(SurvivorSet::default());
        for name in left.except.keys() {
            let mut less = left.clone();
            less.except.remove(name);
            with(less);
        }
        for tear in 0..left.tears.len() {
            let mut less = left.clone();
            less.tears.remove(tear);
            with(less);
        }
        for extra in 0..left.device.len() {
            let mut less = left.clone();
            less.device.remove(extra);
            with(less);
        }
        with(SurvivorSet {
            fill: beaver_disk::Fill::Zeros,
            ..left.clone()
        });
    }
    drafts
}

/// Whether anything in it could be drawn anew: what a power cut left, or where damage struck.
pub(super) fn is_drawable(draft: &Draft) -> bool {
    let mut legs = draft.scenes.iter().flat_map(|scene| &scene.legs);
    legs.any(|leg| leg.left.is_some() || leg.faults.iter().any(|fault| fault.kind.damages()))
}

/// All legs: scene and leg.
fn legs(draft: &Draft) -> Vec<(usize, usize)> {
    let scenes = draft.scenes.iter().enumerate();
    let legs = scenes.flat_map(|(at, scene)| (0..scene.legs.len()).map(move |leg| (at, leg)));
    legs.collect()
}

fn without(draft: &Draft, gone: &[usize]) -> Draft {
    let scenes = draft.scenes.iter().enumerate();
    let kept = scenes.filter(|(at, _)| !gone.contains(at));
    Draft {
        scenes: kept.map(|(_, scene)| scene.clone()).collect(),
        ..draft.clone()
    }
}

fn replaced(draft: &Draft, at: usize, by: impl IntoIterator<Item = Scene>) -> Draft {
    let mut draft = draft.clone();
    draft.scenes.splice(at..=at, by);
    draft
}

/// A scene that crashes in its leg `leg`, as the crash between two commands, with everything behind
/// it, and the command before.
fn parted(scene: &Scene, leg: usize) -> (Scene, Scene) {
    let crashed = &scene.legs[leg];
    let kind = crashed
        .crash
        .as_ref()
        .map_or(CrashKind::Kill, |crash| crash.kind);
    let end = Leg {
        left: crashed.left.clone(),
        ..Leg::default()
    };
    let legs = std::iter::once(end).chain(scene.legs[leg + 1..].iter().cloned());
    let crash = Scene {
        step: Some(between_calls(kind)),
        legs: legs.collect(),
    };
    let mut before = scene.legs[..=leg].to_vec();
    if let Some(last) = before.last_mut() {
        last.crash = None;
        last.left = None;
    }
    let command = Scene {
        step: scene.step.clone(),
        legs: before,
    };
    (crash, command)
}
