//! Clients that load the cluster, and the history of what they asked and learned.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use beaver::{Command, JobId, JobSpec, JobStatus, Payload};
use beaver_cluster::operation::{ClientRequest, ClientResponse, JobAnswer, Operation};
use serde_json::{Value, json};

use crate::http::{HttpAnswer, HttpClient, HttpFailure};
use crate::nodes::eventually;

/// Longer than any test, so that no attempt times out by itself: what the leader's clock decides is
/// no operation of a client.
const TIMEOUT_MS: u64 = 3_600_000;

/// Numbers that look random (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Draws(seed)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// Clients at work.
#[derive(Debug)]
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    clock: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Vec<Operation>>>,
}

impl Load {
    /// `count` clients. Each asks a node drawn from `nodes`, one operation at a time.
    pub(crate) fn start(count: u64, nodes: &[SocketAddr], seed: u64) -> Self {
        let (stop, clock) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let clients = (0..count).map(|number| {
            let (stop, clock) = (Arc::clone(&stop), Arc::clone(&clock));
            let client = Client::new(number, nodes, clock, seed);
            thread::spawn(move || client.work(&stop))
        });
        Load {
            clients: clients.collect(),
            stop,
            clock,
        }
    }

    /// Waits until the clients have got `more` answers from now on.
    pub(crate) fn wait_for(&self, more: u64) {
        // Each answer is two moments.
        let enough = self.clock.load(Ordering::SeqCst) + 2 * more;
        eventually("answers to the clients", || {
            (self.clock.load(Ordering::SeqCst) >= enough).then_some(())
        });
    }

    /// Ends the clients, then looks at every job that was ever asked for. The history of it all.
    pub(crate) fn finish(self, nodes: &[SocketAddr]) -> Vec<Operation> {
        self.stop.store(true, Ordering::SeqCst);
        let mut history = Vec::new();
        let count = self.clients.len() as u64;
        for client in self.clients {
            history.extend(client.join().expect("a client that did not panic"));
        }
        let mut reader = Client::new(count, nodes, self.clock, 0);
        for id in enqueued(&history) {
            reader.look_until_seen(&id);
        }
        history.append(&mut reader.history);
        history
    }
}

/// The jobs that clients have tried to enqueue.
fn enqueued(history: &[Operation]) -> Vec<String> {
    let ids = history
        .iter()
        .filter_map(|operation| match &operation.request {
            ClientRequest::Job(Command::Enqueue(specs)) => Some(specs[0].id.as_str().to_owned()),
            _ => None,
        });
    ids.collect()
}

struct Client {
    number: u64,
    nodes: Vec<HttpClient>,
    clock: Arc<AtomicU64>,
    draws: Draws,
    history: Vec<Operation>,
    jobs: u64,
    /// The attempts that were handed out to it and not yet answered for.
    held: Vec<(JobId, u32)>,
}

impl Client {
    fn new(number: u64, nodes: &[SocketAddr], clock: Arc<AtomicU64>, seed: u64) -> Self {
        let limit = Duration::from_secs(5);
        Client {
            number,
            nodes: nodes
                .iter()
                .map(|node| HttpClient::new(*node, limit))
                .collect(),
            clock,
            draws: Draws::new(seed ^ (number << 32)),
            history: Vec::new(),
            jobs: 0,
            held: Vec::new(),
        }
    }

    fn work(mut self, stop: &AtomicBool) -> Vec<Operation> {
        while !stop.load(Ordering::SeqCst) {
            let command = match self.draws.below(10) {
                0..=3 => Some(self.enqueue()),
                4..=6 => Some(Command::Dispatch),
                7..=8 => self.report(),
                _ => None,
            };
            let request = match command {
                Some(command) => ClientRequest::Job(command),
                None => self.look(),
            };
            self.ask(request);
        }
        self.history
    }

    fn enqueue(&mut self) -> Command {
        self.jobs += 1;
        let id = JobId::new(format!("{}-{}", self.number, self.jobs)).unwrap();
        let payload = Payload::new(format!("{{\"n\": {}}}", self.jobs)).unwrap();
        let spec = JobSpec::new(id, payload).with_timeout_ms(TIMEOUT_MS);
        Command::Enqueue(vec![spec])
    }

    fn report(&mut self) -> Option<Command> {
        let (id, attempt) = self.held.pop()?;
        Some(match self.draws.below(3) {
            0 => Command::Fail { id, attempt },
            _ => Command::Ack { id, attempt },
        })
    }

    fn look(&mut self) -> ClientRequest {
        let job = 1 + self.draws.below(self.jobs.max(1));
        let id = format!("{}-{job}", self.number);
        ClientRequest::JobStatus { id }
    }

    fn look_until_seen(&mut self, id: &str) {
        for _ in 0..100 {
            self.ask(ClientRequest::JobStatus { id: id.to_owned() });
            let last = self.history.last().unwrap();
            if matches!(last.response, Some(ClientResponse::Job(_))) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("job {id} cannot be read: {:?}", self.history.last());
    }

    fn ask(&mut self, request: ClientRequest) {
        let (method, path, body) = http_form(&request);
        let count = self.nodes.len() as u64;
        let node = usize::try_from(self.draws.below(count)).unwrap();
        let start = self.clock.fetch_add(1, Ordering::SeqCst);
        let answer = self.nodes[node].send(method, &path, &body);
        let end = self.clock.fetch_add(1, Ordering::SeqCst);
        let response = match answer {
            Ok(answer) => meaning(&request, &answer),
            Err(HttpFailure::Unsent(error)) => ClientResponse::Refused(error.to_string()),
            Err(HttpFailure::Unanswered(error)) => ClientResponse::Unknown(error.to_string()),
        };
        match &response {
            ClientResponse::Job(JobAnswer::Dispatched { id, attempt }) => {
                self.held.push((JobId::new(id).unwrap(), *attempt));
            }
            // While no node answers, a client need not spin.
            ClientResponse::Refused(_) => thread::sleep(Duration::from_millis(10)),
            _ => {}
        }
        let known = !matches!(response, ClientResponse::Unknown(_));
        self.history.push(Operation {
            client: self.number,
            start,
            end: known.then_some(end),
            request,
            response: Some(response),
        });
    }
}

fn http_form(request: &ClientRequest) -> (&'static str, String, String) {
    let attempt = |attempt: &u32| json!({ "attempt": attempt }).to_string();
    match request {
        ClientRequest::JobStatus { id } => ("GET", format!("/v1/jobs/{id}"), String::new()),
        ClientRequest::Job(Command::Enqueue(specs)) => (
            "POST",
            "/v1/jobs".to_owned(),
            serde_json::to_string(specs).unwrap(),
        ),
        ClientRequest::Job(Command::Dispatch) => ("POST", "/v1/dispatch".to_owned(), String::new()),
        ClientRequest::Job(Command::Ack {
            id,
            attempt: number,
        }) => (
            "POST",
            format!("/v1/jobs/{}/ack", id.as_str()),
            attempt(number),
        ),
        ClientRequest::Job(Command::Fail {
            id,
            attempt: number,
        }) => (
            "POST",
            format!("/v1/jobs/{}/fail", id.as_str()),
            attempt(number),
        ),
        other => panic!("no client asks this: {other:?}"),
    }
}

/// What an answer says of the queue.
pub(crate) fn meaning(request: &ClientRequest, answer: &HttpAnswer) -> ClientResponse {
    let body = &answer.body;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match (answer.status, request) {
        (200, ClientRequest::JobStatus { .. }) => {
            ClientResponse::Job(JobAnswer::Status(Some(status(body))))
        }
        (404, ClientRequest::JobStatus { .. }) => ClientResponse::Job(JobAnswer::Status(None)),
        (200, ClientRequest::Job(Command::Dispatch)) if body["job"].is_null() => {
            ClientResponse::Job(JobAnswer::Nothing)
        }
        (200, ClientRequest::Job(Command::Dispatch)) => {
            let attempt = body["job"]["attempt"]
                .as_u64()
                .and_then(|n| u32::try_from(n).ok());
            ClientResponse::Job(JobAnswer::Dispatched {
                id: text(&body["job"]["id"]),
                attempt: attempt.unwrap_or_else(|| panic!("a dispatch without attempt: {body}")),
            })
        }
        (200, _) => {
            let jobs = body["jobs"]
                .as_array()
                .unwrap_or_else(|| panic!("no jobs: {body}"));
            let jobs = jobs.iter().map(text).collect();
            ClientResponse::Job(JobAnswer::Accepted { jobs })
        }
        (409, ClientRequest::Job(command)) => ClientResponse::Job(JobAnswer::Refused {
            id: subject(command),
            reason: text(&body["error"]["message"]),
        }),
        _ if body["error"]["outcome"] == "not_done" => ClientResponse::Refused(body.to_string()),
        _ => ClientResponse::Unknown(body.to_string()),
    }
}

fn subject(command: &Command) -> String {
    match command {
        Command::Enqueue(specs) => specs[0].id.as_str().to_owned(),
        Command::Ack { id, .. } | Command::Fail { id, .. } => id.as_str().to_owned(),
        _ => String::new(),
    }
}

fn status(job: &Value) -> JobStatus {
    let ms = |field: &str| {
        job[field]
            .as_u64()
            .unwrap_or_else(|| panic!("no {field}: {job}"))
    };
    match job["status"].as_str().unwrap_or_default() {
        "pending" => JobStatus::Pending,
        "in flight" => JobStatus::InFlight {
            deadline_ms: ms("deadline_ms"),
        },
        "delayed" => JobStatus::Delayed {
            since_ms: ms("since_ms"),
            until_ms: ms("until_ms"),
        },
        "completed" => JobStatus::Completed,
        "dead" => JobStatus::Dead,
        "dropped" => JobStatus::Dropped,
        _ => panic!("no status: {job}"),
    }
}
