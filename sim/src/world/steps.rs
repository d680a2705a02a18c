//! Where the next command comes from: the script, the workload, or a client that goes on after an
//! error.

use crate::scenario::{Scenario, Step};
use crate::stream::Stream;
use crate::subject::AnySubject;
use crate::workload;

use super::World;

/// The source of commands.
#[derive(Debug)]
pub(super) enum NextSteps<'a> {
    /// Written out.
    Script(std::vec::IntoIter<Step>),
    /// Drawn.
    Drawn(Box<DrawnSteps<'a>>),
}

/// A client that draws what it does.
#[derive(Debug)]
pub(super) struct DrawnSteps<'a> {
    steps: workload::Steps<'a>,
    /// How many are still to come.
    left: u32,
    /// What the client does about errors.
    policy: Stream,
    /// Whether this scenario kills processes.
    kills: bool,
    /// Whether it cuts the power.
    cuts: bool,
}

impl<'a> NextSteps<'a> {
    pub(super) fn new(subject: &AnySubject, scenario: &'a Scenario, seed: u64) -> Self {
        if let Some(script) = &scenario.script {
            let mut steps = script.steps.clone();
            for op in steps.iter_mut().flat_map(Step::ops_mut) {
                *op = subject.read(op).unwrap_or_else(|error| {
                    let (op, name) = (op.to_json(), subject.name());
                    panic!("the script holds {op}, which is no op of {name}: {error}")
                });
            }
            return NextSteps::Script(steps.into_iter());
        }
        NextSteps::Drawn(Box::new(DrawnSteps {
            steps: workload::Steps::new(&scenario.workload, subject.clone(), seed),
            left: scenario.workload.commands,
            policy: Stream::new(seed, "policy"),
            kills: scenario.kills(),
            cuts: scenario.cuts_power(),
        }))
    }
}

impl World<'_> {
    /// The next command. A client whose log is poisoned tries on for a while, or opens it again;
    /// one whose command failed gives it again later.
    pub(super) fn next_step(&mut self) -> Option<Step> {
        let now_ms = self.now_ms();
        match &mut self.steps {
            NextSteps::Script(steps) => steps.next(),
            NextSteps::Drawn(drawn) => {
                drawn.left = drawn.left.checked_sub(1)?;
                if self.poisoned {
                    match drawn.policy.draw(1, 7) {
                        1..=3 => return Some(Step::Reopen),
                        4 if drawn.kills => return Some(Step::Kill),
                        5 if drawn.cuts => return Some(Step::PowerCut { image: None }),
                        _ => {}
                    }
                } else if !self.again.is_empty() && drawn.policy.draw(1, 3) == 1 {
                    return self.again.pop_front();
                }
                Some(drawn.steps.next(self.history.state(), now_ms))
            }
        }
    }

    /// Remembers a command that failed, to give it again later.
    pub(super) fn give_again_later(&mut self, step: &Step) {
        if self.again.len() < 4 {
            self.again.push_back(step.clone());
        }
    }
}
