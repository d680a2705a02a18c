//! Looks for an order of operations that explains their answers.
//!
//! The search is Wing and Gong's ("Testing and Verifying Concurrent Objects", 1993) with the cache of
//! Lowe ("Testing for linearizability", 2017): take any operation before which no other one ended, make
//! it on the model, go on; come back when nothing fits, and never search the same place twice. A place
//! is which operations were taken, and the state after them.
//!
//! An operation without an answer may happen at any time after its start, or never: it is optional.
//! Four rules keep the places few, and lose no order that explains:
//! - one that only looks is taken at once if its answer fits, and nothing else is tried;
//! - of optional operations that ask the same, the one that started first is taken first;
//! - one that changes nothing is not taken;
//! - one after which the next operation goes as it would without it is not taken.

use std::collections::{BTreeMap, BTreeSet};

/// What one object does, one operation after the other.
pub(super) trait SequentialModel {
    /// What is asked of it.
    type Request: Clone + Ord;
    /// What it answers.
    type Answer: Clone;
    /// What it remembers.
    type State: Clone + Ord;

    /// Its state before the first operation.
    fn initial(&self) -> Self::State;

    /// The state after `request`, if it may be answered so in `state`; any answer will do where it is
    /// `None`.
    fn step(
        &self,
        state: &Self::State,
        request: &Self::Request,
        answer: Option<&Self::Answer>,
    ) -> Option<Self::State>;

    /// Whether a request with this answer changes nothing in any state where it may be answered so.
    fn only_looks(&self, request: &Self::Request, answer: &Self::Answer) -> bool;
}

/// An operation on one object: from `start` to the moment of its answer, if one came.
#[derive(Clone, Debug)]
pub(super) struct Interval<R, A> {
    pub(super) start: u64,
    pub(super) request: R,
    pub(super) answered: Option<(u64, A)>,
}

/// What the search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OrderSearch {
    Found,
    NoOrder,
    /// Nothing was found before the budget was used up.
    OutOfBudget,
}

/// Whether an order explains what was known of `intervals` at the moment `until`. Each place that is
/// searched takes one off `budget`.
pub(super) fn search<M: SequentialModel>(
    model: &M,
    intervals: &[Interval<M::Request, M::Answer>],
    until: u64,
    budget: &mut u64,
) -> OrderSearch {
    let known = KnownCalls::new(intervals, until);
    let start = SearchPlace {
        taken: vec![0; known.lanes.len() + known.optional.len()],
        state: model.initial(),
    };
    let mut seen = BTreeSet::from([start.clone()]);
    let mut open = vec![(start, None)];
    while let Some((place, without)) = open.pop() {
        let Some(first_end) = known.first_end(&place) else {
            return OrderSearch::Found;
        };
        if *budget == 0 {
            return OrderSearch::OutOfBudget;
        }
        *budget -= 1;
        for (choice, state) in moves(model, &known, &place, without.as_ref(), first_end) {
            let is_optional = choice >= known.lanes.len();
            let mut taken = place.taken.clone();
            taken[choice] += 1;
            let next = SearchPlace { taken, state };
            if seen.insert(next.clone()) {
                open.push((next, is_optional.then(|| place.state.clone())));
            }
        }
    }
    OrderSearch::NoOrder
}

/// The operations that are worth taking next, and the state after each. What comes last is searched
/// first: the operation that ended first, and optional ones only after all others.
///
/// If the operation before was optional, `without` is the state before it.
fn moves<M: SequentialModel>(
    model: &M,
    known: &KnownCalls<'_, M::Request, M::Answer>,
    place: &SearchPlace<M::State>,
    without: Option<&M::State>,
    first_end: u64,
) -> Vec<(usize, M::State)> {
    let mut moves = Vec::new();
    for choice in known.choices(place, first_end) {
        let (request, answer) = known.asked(place, choice);
        let Some(state) = model.step(&place.state, request, answer) else {
            continue;
        };
        let without = without.and_then(|without| model.step(without, request, answer));
        if without.as_ref() == Some(&state) {
            continue;
        }
        let same = state == place.state;
        match answer {
            // Whatever order explains the rest explains it with this one in front.
            Some(answer) if same && model.only_looks(request, answer) => {
                return vec![(choice, state)];
            }
            None if same => {}
            _ => moves.push((choice, state)),
        }
    }
    moves
}

/// How many operations were taken of each lane and of each kind of optional ones, and the state then.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct SearchPlace<S> {
    taken: Vec<u32>,
    state: S,
}

/// The answered operations in lanes, each of them one after the other, so that a number a lane says
/// which were taken; and the optional ones by what they ask.
struct KnownCalls<'i, R, A> {
    lanes: Vec<Vec<AnsweredCall<'i, R, A>>>,
    optional: Vec<Vec<(u64, &'i R)>>,
}

struct AnsweredCall<'i, R, A> {
    start: u64,
    end: u64,
    request: &'i R,
    answer: &'i A,
}

impl<'i, R: Ord, A> KnownCalls<'i, R, A> {
    fn new(intervals: &'i [Interval<R, A>], until: u64) -> Self {
        let mut sorted: Vec<_> = intervals.iter().filter(|i| i.start <= until).collect();
        sorted.sort_by_key(|interval| interval.start);
        let mut lanes: Vec<Vec<AnsweredCall<'i, R, A>>> = Vec::new();
        let mut optional = BTreeMap::<&R, Vec<_>>::new();
        for interval in sorted {
            let (start, request) = (interval.start, &interval.request);
            match &interval.answered {
                Some((end, answer)) if *end <= until => {
                    let (end, is_free) = (*end, |lane: &&mut Vec<AnsweredCall<'i, R, A>>| {
                        lane.last().is_none_or(|last| last.end < start)
                    });
                    let next = AnsweredCall {
                        start,
                        end,
                        request,
                        answer,
                    };
                    match lanes.iter_mut().find(is_free) {
                        Some(lane) => lane.push(next),
                        None => lanes.push(vec![next]),
                    }
                }
                _ => optional.entry(request).or_default().push((start, request)),
            }
        }
        let optional = optional.into_values().collect();
        KnownCalls { lanes, optional }
    }

    fn next_of_lane<S>(
        &self,
        place: &SearchPlace<S>,
        lane: usize,
    ) -> Option<&AnsweredCall<'i, R, A>> {
        self.lanes[lane].get(place.taken[lane] as usize)
    }

    /// The first end of an answered operation that was not taken; `None`: all were taken.
    fn first_end<S>(&self, place: &SearchPlace<S>) -> Option<u64> {
        let next = (0..self.lanes.len()).filter_map(|lane| self.next_of_lane(place, lane));
        next.map(|next| next.end).min()
    }

    /// The operations that may be next: those that started when nothing that was left out had ended.
    fn choices<S>(&self, place: &SearchPlace<S>, first_end: u64) -> Vec<usize> {
        let lanes = self.lanes.len();
        let optional = (lanes..place.taken.len()).filter(|choice| {
            let kind = &self.optional[choice - lanes];
            let next = kind.get(place.taken[*choice] as usize);
            next.is_some_and(|(start, _)| *start <= first_end)
        });
        let mut choices: Vec<_> = optional.collect();
        let mut answered: Vec<_> = (0..lanes)
            .filter_map(|lane| Some((self.next_of_lane(place, lane)?, lane)))
            .filter(|(next, _)| next.start <= first_end)
            .map(|(next, lane)| (next.end, lane))
            .collect();
        answered.sort_unstable_by(|a, b| b.cmp(a));
        choices.extend(answered.into_iter().map(|(_, lane)| lane));
        choices
    }

    fn asked<S>(&self, place: &SearchPlace<S>, choice: usize) -> (&'i R, Option<&'i A>) {
        let number = place.taken[choice] as usize;
        match self.lanes.get(choice) {
            Some(lane) => (lane[number].request, Some(lane[number].answer)),
            None => (self.optional[choice - self.lanes.len()][number].1, None),
        }
    }
}
