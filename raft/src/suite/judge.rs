//! Opens what a crash has left, and compares it with what was answered.

use std::collections::BTreeSet;
use std::fmt::Display;

use beaver_disk::{CallEffect, Corner, Crash, Disk, SimDisk};
use openraft::RaftTypeConfig;
use openraft::vote::{RaftLeaderId, RaftVote};

use super::model::{LogHistory, ShownLog};
use super::run::{NumberedConfig, ScriptRun, answer, on, shown};
use super::script::LogCall;
use super::subject::{BrokenPromise, LogUnderTest};

/// Opens what is left.
pub(super) struct LogJudge<'a, S> {
    subject: &'a S,
    /// The images that were looked at with the same expectations.
    pub(super) seen: BTreeSet<u128>,
}

impl<'a, S> LogJudge<'a, S> {
    pub(super) fn new(subject: &'a S) -> Self {
        let seen = BTreeSet::new();
        LogJudge { subject, seen }
    }

    pub(super) fn check_crash<C>(
        &mut self,
        crash: &Crash,
        history: &LogHistory<C>,
        limit: u64,
        what: &str,
    ) -> Result<(), BrokenPromise>
    where
        C: NumberedConfig,
        S: LogUnderTest<C>,
    {
        let profile = crash.disk().profile();
        for effect in [CallEffect::Nothing, CallEffect::Everything] {
            let what = format!("{what}, killed");
            self.check_disk(crash.kill(effect), history, &what)?;
        }
        let space = crash.images();
        let images: Vec<_> = match space.enumerate(limit) {
            Some(all) => all.map(|candidate| candidate.image).collect(),
            None => {
                let corners = space.corners().into_iter();
                corners
                    .map(|corner| space.image(&space.corner(corner)))
                    .collect()
            }
        };
        for image in images {
            if self.seen.insert(image.hash128()) {
                let what = format!("{what}, power cut: {image:?}");
                self.check_disk(image.disk(profile), history, &what)?;
            }
        }
        Ok(())
    }

    fn check_disk<C>(
        &self,
        disk: Disk,
        history: &LogHistory<C>,
        what: &str,
    ) -> Result<(), BrokenPromise>
    where
        C: NumberedConfig,
        S: LogUnderTest<C>,
    {
        let disk = on(disk);
        let place = |broken: BrokenPromise| BrokenPromise {
            what: format!("{what}: {}", broken.what),
            ..broken
        };
        let found = self.look::<C>(&disk).map_err(place)?;
        history.judge(&found).map_err(place)?;
        let again = self.look::<C>(&disk).map_err(place)?;
        if again != found {
            let what = format!("first {found:?}, then {again:?}");
            return Err(place(BrokenPromise {
                promise: "once shown",
                what,
            }));
        }
        self.check_goes_on(&disk, &found).map_err(place)
    }

    /// What a store shows that is opened on the disk; then the power is cut.
    fn look<C>(&self, disk: &SimDisk) -> Result<ShownLog<C>, BrokenPromise>
    where
        C: RaftTypeConfig,
        S: LogUnderTest<C>,
    {
        let shown = self.open(disk).and_then(|mut store| {
            let shown = answer(self.subject, shown(&mut store));
            shown.map_err(does_not("opens"))
        });
        let nothing = disk.crash().images().corner(Corner::Nothing);
        disk.power_cut(&nothing);
        shown
    }

    fn open<C>(&self, disk: &SimDisk) -> Result<S::Store, BrokenPromise>
    where
        C: RaftTypeConfig,
        S: LogUnderTest<C>,
    {
        self.subject.open(disk.storage()).map_err(does_not("opens"))
    }

    /// An append and a vote after the crash are there after the next one.
    fn check_goes_on<C>(&self, disk: &SimDisk, found: &ShownLog<C>) -> Result<(), BrokenPromise>
    where
        C: NumberedConfig,
        S: LogUnderTest<C>,
    {
        let mut run = ScriptRun::<C, S>::new(self.subject, disk.clone());
        run.store = Some(self.open(disk)?);
        run.history.logs = vec![found.log.clone()];
        let calls = [
            LogCall::Vote(99, 1, false),
            LogCall::Append(99, 1),
            LogCall::Settle,
        ];
        for call in calls {
            run.carry_out(call).map_err(does_not("goes on"))?;
        }
        let expected = run.history.log().clone();
        drop(run);
        let nothing = disk.crash().images().corner(Corner::Nothing);
        disk.power_cut(&nothing);
        let left = self.look::<C>(disk)?;
        let vote = left.vote.map(|vote| vote.leader_id().clone());
        let voted = Some(C::LeaderId::new(99.into(), 1.into()));
        if left.log != expected || vote != voted {
            let what = format!("{:?} with {vote:?} instead of {expected:?}", left.log);
            return Err(BrokenPromise {
                promise: "goes on",
                what,
            });
        }
        Ok(())
    }
}

fn does_not<E: Display>(promise: &'static str) -> impl Fn(E) -> BrokenPromise {
    move |error| BrokenPromise {
        promise,
        what: error.to_string(),
    }
}
