//! The plain store's snapshots: a state, and up to where it stands for the log.

use beaver::{ChecksumKind, Epoch, verify_checksum};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::bug::PlainBug;
use super::line;
use beaver_sim::beaver::model::{Model, ModelJob, Standing};
use beaver_sim::subject::Position;

/// A state, and which positions of the log it stands for.
#[derive(Clone, Debug)]
pub(super) struct PlainSnapshot {
    /// The last position of the newest segment that the snapshot stands for.
    pub(super) boundary: Position,
    /// The last position that is in the state.
    pub(super) applied: Position,
    pub(super) state: Model,
}

impl PlainSnapshot {
    /// The document.
    pub(super) fn encode(&self, bug: Option<PlainBug>) -> Vec<u8> {
        let forgets = bug == Some(PlainBug::CompletedForgotten);
        let kept = |job: &&ModelJob| !forgets || job.standing != Standing::Completed;
        let state = json!({
            "applied": (self.applied.epoch, self.applied.seq),
            "jobs": self.state.jobs().filter(kept).map(row).collect::<Vec<_>>(),
            "waiting": self.state.waiting(),
            "dead": self.state.dead().collect::<Vec<_>>(),
        });
        let (epoch, last_seq) = (self.boundary.epoch, self.boundary.seq);
        let body = format!(
            "{{\"snapshot\":\"beaver\",\"version\":1,\"epoch\":{epoch},\"last_seq\":{last_seq},\"state\":{state}"
        );
        line::snapshot(epoch, &body)
    }

    /// Reads a document. `None`: it is not whole.
    pub(super) fn decode(bytes: &[u8], epoch: u64, bug: Option<PlainBug>) -> Option<Self> {
        let document = bytes.strip_suffix(b"\n")?;
        let checked = verify_checksum(ChecksumKind::Snapshot, Epoch(epoch), document).is_ok();
        if !checked && bug != Some(PlainBug::SnapshotNotChecked) {
            return None;
        }
        let document: Value = serde_json::from_slice(document).ok()?;
        if document["epoch"].as_u64()? != epoch {
            return None;
        }
        let state = &document["state"];
        let applied: (u64, u64) = part(state, "applied")?;
        let jobs: Vec<JobRow> = part(state, "jobs")?;
        let mut waiting: Vec<String> = part(state, "waiting")?;
        if bug == Some(PlainBug::OrderLostInSnapshot) {
            waiting.sort();
        }
        Some(PlainSnapshot {
            boundary: Position {
                epoch,
                seq: document["last_seq"].as_u64()?,
            },
            applied: Position {
                epoch: applied.0,
                seq: applied.1,
            },
            state: Model::of(
                jobs.into_iter().map(job).collect(),
                waiting,
                part(state, "dead")?,
            ),
        })
    }
}

/// A job: id, payload, attempts allowed, timeout, backoff, attempts made and left, and where it
/// stands.
type JobRow = (String, String, u32, u64, [u64; 2], (u32, u32), Standing);

fn row(job: &ModelJob) -> JobRow {
    let (id, payload) = (job.id.clone(), job.payload.clone());
    (
        id,
        payload,
        job.max_attempts,
        job.timeout_ms,
        job.backoff_ms,
        (job.attempts, job.attempts_left),
        job.standing,
    )
}

fn job(row: JobRow) -> ModelJob {
    let (id, payload, max_attempts, timeout_ms, backoff_ms, attempts, standing) = row;
    let (attempts, attempts_left) = attempts;
    ModelJob {
        id,
        payload,
        max_attempts,
        timeout_ms,
        backoff_ms,
        attempts,
        attempts_left,
        standing,
    }
}

fn part<T: DeserializeOwned>(state: &Value, field: &str) -> Option<T> {
    serde_json::from_value(state[field].clone()).ok()
}
