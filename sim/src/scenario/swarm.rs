//! What each seed of a scenario draws anew, beside its commands, crashes and faults.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Alphabet, Range, Scenario, is_default};
use crate::stream::Stream;

/// Declares what may be drawn: the field, its type, and what it takes the place of.
macro_rules! drawn {
    ($($field:ident: $type:ty, $($part:ident).+, $says:literal;)*) => {
        /// What each seed draws anew: of each list one value, which takes the place of what the scenario says
        /// elsewhere. A value that stands there twice is drawn twice as often; where a list is empty, the scenario
        /// stays as it is.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields, default)]
        pub struct Swarm {
            $(#[doc = $says] #[serde(skip_serializing_if = "Vec::is_empty")] pub $field: Vec<$type>,)*
        }

        impl Swarm {
            /// Draws one of each, in the order of the fields.
            fn draw_into(&self, scenario: &mut Scenario, stream: &mut Stream) {
                $(if !self.$field.is_empty() {
                    scenario.$($part).+ = stream.pick(&self.$field).clone();
                })*
            }
        }
    };
}

drawn! {
    commands: u32, workload.commands, "For `workload.commands`.";
    jobs: u32, workload.jobs, "For `workload.jobs`.";
    batch_size: Range, workload.batch_size, "For `workload.batch_size`.";
    group_size: Range, workload.group_size, "For `workload.group_size`.";
    payload_bytes: Range, workload.payload_bytes, "For `workload.payload_bytes`.";
    alphabets: Vec<Alphabet>, workload.alphabets, "For `workload.alphabets`.";
    backoff_ms: Range, workload.backoff_ms, "For `workload.backoff_ms`.";
    preallocate_bytes: u64, log.preallocate_bytes, "For `log.preallocate_bytes`.";
    batch_bytes: u64, log.batch_bytes, "For `log.batch_bytes`.";
    batch_events: u64, log.batch_events, "For `log.batch_events`.";
    flush_interval_ms: u64, log.flush_interval_ms, "For `log.flush_interval_ms`.";
    keep_old_snapshots: u32, log.keep_old_snapshots, "For `log.keep_old_snapshots`.";
    requeue_in_flight: bool, log.requeue_in_flight, "For `log.requeue_in_flight`.";
}

impl Scenario {
    /// The scenario of one seed, with everything drawn that each seed draws anew.
    #[must_use]
    pub fn of_seed(&self, seed: u64) -> Cow<'_, Scenario> {
        if self.script.is_some() || is_default(&self.swarm) {
            return Cow::Borrowed(self);
        }
        let mut drawn = self.clone();
        let swarm = std::mem::take(&mut drawn.swarm);
        swarm.draw_into(&mut drawn, &mut Stream::new(seed, "swarm"));
        Cow::Owned(drawn)
    }

    /// Every scenario that a seed may be of, as far as single values make no sense: the scenario itself, and
    /// with each of the values that may be drawn.
    pub(crate) fn drawable(&self) -> Vec<Scenario> {
        let lists = serde_json::to_value(&self.swarm).unwrap_or_default();
        let lists = lists.as_object().cloned().unwrap_or_default();
        let each = lists.into_iter().flat_map(|(field, values)| {
            let values = values.as_array().cloned().unwrap_or_default();
            values.into_iter().filter_map(move |value| {
                let one = serde_json::json!({ field.clone(): [value] });
                serde_json::from_value::<Swarm>(one).ok()
            })
        });
        let each = each.map(|swarm| {
            Scenario {
                swarm,
                ..self.clone()
            }
            .of_seed(0)
            .into_owned()
        });
        each.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(swarm: &str) -> Scenario {
        let text = format!("{{\"claim\": \"c\", \"swarm\": {swarm}}}");
        serde_json::from_str(&text).expect("the scenarios of these tests are valid")
    }

    #[test]
    fn each_seed_takes_one_value_of_each_list() {
        let scenario =
            scenario(r#"{"keep_old_snapshots": [0, 2], "batch_size": [[1, 2], [60, 70]]}"#);
        let drawn = (0..40).map(|seed| scenario.of_seed(seed).into_owned());
        let mut seen: Vec<(u32, u64)> = drawn
            .map(|one| (one.log.keep_old_snapshots, one.workload.batch_size.least))
            .collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [(0, 1), (0, 60), (2, 1), (2, 60)]);
        assert_eq!(scenario.of_seed(7), scenario.of_seed(7));
        assert_eq!(scenario.of_seed(7).swarm, Swarm::default());
    }

    #[test]
    fn a_script_says_it_all() {
        let mut written_out = scenario(r#"{"keep_old_snapshots": [3]}"#);
        assert_eq!(written_out.of_seed(0).log.keep_old_snapshots, 3);
        written_out.script = Some(super::super::Script::default());
        assert_eq!(written_out.of_seed(0).log.keep_old_snapshots, 1);
    }

    #[test]
    fn every_value_can_be_looked_at() {
        let scenario = scenario(r#"{"commands": [5, 6], "requeue_in_flight": [true]}"#);
        let all = scenario.drawable();
        let commands: Vec<u32> = all.iter().map(|one| one.workload.commands).collect();
        assert_eq!(commands, [5, 6, 30]);
        assert!(all[2].log.requeue_in_flight);
    }
}
