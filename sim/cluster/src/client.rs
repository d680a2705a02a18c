//! Clients: each has one operation at a time, asks another node where one does not lead or does not
//! answer, and gives up when its patience is over.
//!
//! What was asked and not answered may have been done, so it is not asked again, reads excepted: the
//! operation stays without an answer, and the client goes on under a new number.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use beaver::{Command, JobId, JobSpec, Payload};

use crate::draws::Purpose;
use crate::entry::NodeId;
use crate::executor::current;
use crate::operation::{ClientRequest, ClientResponse};
use crate::ready::lock;
use crate::runtime::sleep;
use crate::scenario::RequestSort;
use crate::shared::SharedRun;

/// How long a client waits for one node.
const ATTEMPT: Duration = Duration::from_millis(400);

/// How long a client tries, in nanoseconds.
const PATIENCE: u64 = 1_500_000_000;

/// How many refusals in a row are an answer.
const REFUSALS: u32 = 4;

/// A client, as long as the run lasts.
pub(crate) struct RunningClient {
    shared: Arc<SharedRun>,
    number: u64,
    target: Option<NodeId>,
    /// What it last saw of each register.
    known: Vec<Option<u64>>,
    /// Whether it only looks: one that changes something soon leaves a leader that is none any more.
    only_looks: bool,
}

fn draw(least: u64, most: u64) -> u64 {
    current().draw(Purpose::Client, least, most)
}

impl RunningClient {
    pub(crate) fn new(shared: &Arc<SharedRun>) -> Self {
        let registers = usize::try_from(shared.scenario.registers).expect("a few registers");
        RunningClient {
            shared: shared.clone(),
            number: lock(&shared.history).new_client(),
            target: None,
            known: vec![None; registers],
            only_looks: draw(0, 2) == 0,
        }
    }

    /// Asks for one thing after the other until `until`, in nanoseconds of virtual time.
    pub(crate) async fn work(mut self, until: u64) {
        let think = self.shared.scenario.think_us;
        loop {
            let left = Duration::from_nanos(until.saturating_sub(current().now()));
            let think = Duration::from_micros(draw(think.least, think.most));
            sleep(think.min(left)).await;
            if current().now() >= until {
                break;
            }
            let request = self.draw_request();
            self.perform(request).await;
        }
        self.shared.clients_at_work.fetch_sub(1, Ordering::Relaxed);
    }

    /// Reads every register and looks at the newest jobs, each until it is answered.
    pub(crate) async fn read_all(mut self) {
        let registers = 0..self.shared.scenario.registers;
        let mut reads: Vec<ClientRequest> =
            registers.map(|key| ClientRequest::Read { key }).collect();
        if self.asks_for_jobs() {
            let newest = lock(&self.shared.history).newest_job();
            let jobs = (newest.saturating_sub(40) + 1)..=newest;
            reads.extend(jobs.map(|job| ClientRequest::JobStatus { id: job_name(job) }));
        }
        for read in reads {
            while !self.perform(read.clone()).await {}
            self.shared.last_reads.fetch_add(1, Ordering::Relaxed);
        }
        self.shared.clients_at_work.fetch_sub(1, Ordering::Relaxed);
    }

    fn asks_for_jobs(&self) -> bool {
        let weight = self.shared.scenario.workload.get(&RequestSort::JobStatus);
        weight.is_some_and(|weight| *weight > 0)
    }

    /// Asks for one thing; whether it was answered.
    async fn perform(&mut self, request: ClientRequest) -> bool {
        let now = current().now();
        let place = lock(&self.shared.history).begin(now, self.number, request.clone());
        let response = self.try_nodes(&request, now + PATIENCE).await;
        self.learn(&request, response.as_ref());
        let answered = matches!(
            response,
            Some(
                ClientResponse::Value(_)
                    | ClientResponse::Written
                    | ClientResponse::Compared(_)
                    | ClientResponse::Job(_)
            )
        );
        let unknown = matches!(response, None | Some(ClientResponse::Unknown(_)));
        let mut history = lock(&self.shared.history);
        history.end(current().now(), place, response);
        if unknown {
            self.number = history.new_client();
        }
        answered
    }

    /// Asks one node after the other.
    async fn try_nodes(&mut self, request: &ClientRequest, until: u64) -> Option<ClientResponse> {
        let changes = !matches!(
            request,
            ClientRequest::Read { .. } | ClientRequest::JobStatus { .. }
        );
        let mut refused = 0;
        loop {
            let target = self.target_or_any();
            let asked = request.clone();
            let ask = self
                .shared
                .ask(target, ATTEMPT, move |replica| replica.call(asked));
            let response = ask.await;
            let over = current().now() >= until;
            match &response {
                Some(ClientResponse::NotLeader(leader)) => {
                    // A wrong hint must not be followed for ever.
                    self.target = leader.filter(|_| draw(0, 9) > 0);
                }
                Some(ClientResponse::Refused(_)) => {
                    refused += 1;
                    self.target = None;
                }
                None | Some(ClientResponse::Unknown(_)) => {
                    self.target = None;
                    if changes {
                        return response;
                    }
                }
                Some(_) => return response,
            }
            if over || refused == REFUSALS {
                return response;
            }
            sleep(Duration::from_micros(draw(1_000, 10_000))).await;
        }
    }

    fn target_or_any(&mut self) -> NodeId {
        let nodes = self.shared.nodes();
        if let Some(target) = self.target.filter(|target| nodes.contains(target)) {
            return target;
        }
        let place = draw(0, nodes.len() as u64 - 1);
        let target = nodes[usize::try_from(place).expect("a few nodes")];
        self.target = Some(target);
        target
    }

    fn learn(&mut self, request: &ClientRequest, response: Option<&ClientResponse>) {
        let (key, value) = match (request, response) {
            (ClientRequest::Read { key }, Some(ClientResponse::Value(value))) => (key, *value),
            (ClientRequest::Write { key, value }, Some(ClientResponse::Written))
            | (
                ClientRequest::CompareAndSet { key, value, .. },
                Some(ClientResponse::Compared(true)),
            ) => (key, Some(*value)),
            _ => return,
        };
        let key = usize::try_from(*key).expect("a few registers");
        self.known[key] = value;
    }

    fn draw_request(&mut self) -> ClientRequest {
        let key = draw(0, self.shared.scenario.registers - 1);
        let mut history = lock(&self.shared.history);
        let sort = match draw_sort(&self.shared) {
            _ if self.only_looks => RequestSort::Read,
            sort => sort,
        };
        match sort {
            RequestSort::Read => ClientRequest::Read { key },
            RequestSort::Write => ClientRequest::Write {
                key,
                value: history.new_value(),
            },
            RequestSort::CompareAndSet => ClientRequest::CompareAndSet {
                key,
                expected: self.known[usize::try_from(key).expect("a few registers")],
                value: history.new_value(),
            },
            RequestSort::Enqueue => {
                // Now and then a name that is taken.
                let job = match draw(0, 4) {
                    0 => history.newest_job().max(1),
                    _ => history.new_job(),
                };
                let payload = Payload::new(format!("{{\"job\":{job}}}"));
                let payload = payload.expect("it is JSON");
                let job = JobSpec::new(job_id(job), payload).with_timeout_ms(draw(50, 500));
                ClientRequest::Job(Command::Enqueue(vec![job]))
            }
            RequestSort::Dispatch => ClientRequest::Job(Command::Dispatch),
            RequestSort::Ack => {
                let (id, attempt) = draw_attempt(history.newest_job());
                ClientRequest::Job(Command::Ack { id, attempt })
            }
            RequestSort::Fail => {
                let (id, attempt) = draw_attempt(history.newest_job());
                ClientRequest::Job(Command::Fail { id, attempt })
            }
            RequestSort::Tick => ClientRequest::Job(Command::Tick),
            RequestSort::JobStatus => ClientRequest::JobStatus {
                id: job_name(draw_job(history.newest_job())),
            },
        }
    }
}

fn draw_sort(shared: &SharedRun) -> RequestSort {
    let workload = &shared.scenario.workload;
    let all: u64 = workload.values().map(|weight| u64::from(*weight)).sum();
    let mut drawn = draw(1, all.max(1));
    for (sort, weight) in workload {
        match drawn.checked_sub(u64::from(*weight)) {
            Some(left) if left > 0 => drawn = left,
            _ if *weight > 0 => return *sort,
            _ => {}
        }
    }
    RequestSort::Read
}

/// One of the newest jobs.
fn draw_job(newest: u64) -> u64 {
    let newest = newest.max(1);
    draw(newest.saturating_sub(11).max(1), newest)
}

fn draw_attempt(newest: u64) -> (JobId, u32) {
    let id = job_id(draw_job(newest));
    (id, u32::try_from(draw(1, 2)).expect("2 fits"))
}

fn job_name(job: u64) -> String {
    format!("job-{job}")
}

fn job_id(job: u64) -> JobId {
    JobId::new(job_name(job)).expect("it is a name")
}
