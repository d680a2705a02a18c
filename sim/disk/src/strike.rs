//! The plan at work: which fault strikes which call, what has fired and what has not.

use std::io;

use super::crash::Op;
use super::disk::Disk;
use super::fault::{Effect, Failure, Fault, Plan};
use super::machine::{Call, Machine};

/// A planned fault or event that did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfired {
    /// Where it was planned.
    pub planned: Planned,
    /// What it was, as in [`Fault::kind`] and [`Event::kind`](super::Event::kind).
    pub kind: &'static str,
    /// Whether its call was made, but the fault could not strike it.
    pub did_not_apply: bool,
}

/// A place in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Planned {
    /// A fault at the call of this number.
    Call(u64),
    /// The entry of this index in [`Plan::nth`].
    Nth(usize),
    /// The event of this index before the call of this number.
    Event(u64, usize),
}

impl Machine {
    pub(super) fn let_events_happen(&mut self, number: u64) {
        let Some(events) = self.plan.events.get(&number).cloned() else {
            return;
        };
        for (index, event) in events.iter().enumerate() {
            let handles = &self.handles;
            let is_open = |id| handles.values().any(|handle| handle.inode == id);
            let planned = Planned::Event(number, index);
            if self.disk.happen_while(event, &is_open) {
                self.happened.insert(planned);
                self.count(event.kind());
            } else {
                self.did_not_apply.insert(planned);
            }
        }
    }

    pub(super) fn count(&mut self, kind: &'static str) {
        *self.fired.entry(kind).or_default() += 1;
        self.trace.note(kind, self.calls);
    }

    pub(super) fn planned_fault(
        &mut self,
        number: u64,
        op: Op,
        nth: u64,
    ) -> Option<(Planned, Fault)> {
        let by_call = self.plan.calls.get(&number);
        let planned = match by_call {
            Some(fault) => Some((Planned::Call(number), fault)),
            None => {
                let mut entries = self.plan.nth.iter().enumerate();
                let entry = entries.find(|(_, entry)| entry.op == op && entry.nth == nth);
                entry.map(|(index, entry)| (Planned::Nth(index), &entry.fault))
            }
        };
        let (planned, fault) = planned?;
        if !fault.applies_to(op) {
            self.did_not_apply.insert(planned);
            return None;
        }
        Some((planned, fault.clone()))
    }

    /// Counts the fault of `call` as fired and gives it away.
    pub(super) fn fire(&mut self, call: &mut Call) {
        if let Some((planned, fault)) = call.fault.take() {
            self.happened.insert(planned);
            self.strike(call, fault.kind());
            if let Fault::Error {
                error,
                sticky: true,
                ..
            } = fault
            {
                self.sticky.insert(call.op, error);
            }
        }
    }

    /// Counts a fault that no plan named for this very call.
    pub(super) fn strike(&mut self, call: &mut Call, kind: &'static str) {
        call.struck = Some(kind);
        self.count(kind);
    }

    /// The error that a planned fault, or an earlier sticky one, demands of this call.
    pub(super) fn planned_error(&self, call: &Call) -> Option<(Failure, Effect)> {
        match &call.fault {
            Some((_, Fault::Error { error, effect, .. })) => Some((*error, *effect)),
            _ => {
                let failure = self.sticky.get(&call.op);
                failure.map(|failure| (*failure, Effect::Nothing))
            }
        }
    }

    /// Counts the error of [`planned_error`](Self::planned_error) as fired and makes it.
    pub(super) fn fail(&mut self, call: &mut Call, failure: Failure) -> io::Error {
        match call.fault {
            Some((_, Fault::Error { .. })) => self.fire(call),
            _ => self.strike(call, "error"),
        }
        failure.error()
    }

    /// Makes the change, unless the plan lets it fail first.
    pub(super) fn change<T>(
        &mut self,
        call: &mut Call,
        act: impl FnOnce(&mut Disk) -> io::Result<T>,
    ) -> io::Result<T> {
        match self.planned_error(call) {
            None => act(&mut self.disk),
            Some((failure, Effect::Nothing)) => Err(self.fail(call, failure)),
            Some((failure, Effect::Everything | Effect::Bytes(_))) => {
                act(&mut self.disk)?;
                Err(self.fail(call, failure))
            }
        }
    }

    pub(super) fn unfired(&self) -> Vec<Unfired> {
        let calls = self.plan.calls.iter();
        let calls = calls.map(|(number, fault)| (Planned::Call(*number), fault.kind()));
        let nth = self.plan.nth.iter().enumerate();
        let nth = nth.map(|(index, entry)| (Planned::Nth(index), entry.fault.kind()));
        let events = self.plan.events.iter().flat_map(|(number, events)| {
            let events = events.iter().enumerate();
            events.map(|(index, event)| (Planned::Event(*number, index), event.kind()))
        });
        let all = calls.chain(nth).chain(events);
        let unfired = all.filter(|(planned, _)| !self.happened.contains(planned));
        let unfired = unfired.map(|(planned, kind)| Unfired {
            planned,
            kind,
            did_not_apply: self.did_not_apply.contains(&planned),
        });
        unfired.collect()
    }

    /// Replaces the plan. What the old one did stays counted.
    pub(super) fn set_plan(&mut self, plan: Plan) {
        self.plan = plan;
        self.happened.clear();
        self.did_not_apply.clear();
    }
}
