//! What clients say, in HTTP with JSON.
//!
//! | request | body | answer |
//! | --- | --- | --- |
//! | `POST /v1/jobs` | a job, or an array of them: all or none | what was enqueued |
//! | `POST /v1/dispatch` | | the job that was handed out, or `null` |
//! | `POST /v1/jobs/ID/ack`, `…/fail`, `…/heartbeat` | `{"attempt":1}` | what changed |
//! | `POST /v1/jobs/ID/revive`, `…/drop` | | what changed |
//! | `GET /v1/jobs/ID` | | the job |
//! | `GET /v1/stats` | | how many jobs stand where |
//! | `GET /v1/members` | | the members and the leader |
//! | `POST /v1/members` | `{"id":4,"address":"…"}` | the members |
//! | `POST /v1/members/ID/promote`, `DELETE /v1/members/ID` | | the members |
//! | `POST /v1/leader` | `{"to":2}` | the leader |
//! | `GET /v1/node` | | the node that was asked |
//! | `POST /v1/snapshot` | | the node that was asked begins a snapshot |
//!
//! With `?stale=true` a read is answered from what the asked node has. An error is
//! `{"error":{"code":…,"message":…,"retriable":…,"outcome":"not_done"|"unknown"}}`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use beaver::{Command, JobId, JobSpec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::call::{Call, CallAnswer, CallError};
use crate::service::Service;

/// The largest body of a request, in bytes: what is enqueued at once fits into one message between
/// nodes.
pub(crate) const MAX_BODY: usize = 1 << 20;

type ServiceState = State<Arc<Service>>;

/// The body of a request, or why it was not taken.
type Body = Result<Bytes, BytesRejection>;

/// The parts of a path, or why they are no text.
type PathParts<T> = Result<Path<T>, PathRejection>;

/// All routes.
pub(crate) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/v1/jobs", post(enqueue))
        .route("/v1/jobs/{id}", get(job))
        .route("/v1/jobs/{id}/{action}", post(act))
        .route("/v1/dispatch", post(dispatch))
        .route("/v1/stats", get(stats))
        .route("/v1/members", get(members).post(add_learner))
        .route("/v1/members/{id}", delete(remove))
        .route("/v1/members/{id}/promote", post(promote))
        .route("/v1/leader", post(transfer))
        .route("/v1/node", get(node))
        .route("/v1/snapshot", post(snapshot))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(service)
}

/// `?stale=true`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Freshness {
    #[serde(default)]
    stale: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attempt {
    attempt: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMember {
    id: u64,
    address: SocketAddr,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLeader {
    to: u64,
}

async fn enqueue(State(service): ServiceState, body: Body) -> Response {
    let start = body
        .as_ref()
        .map_or(&[][..], |body| body.trim_ascii_start());
    let is_list = start.first() == Some(&b'[');
    let specs = if is_list {
        parse::<Vec<JobSpec>>(&body)
    } else {
        parse::<JobSpec>(&body).map(|spec| vec![spec])
    };
    let call = specs.map(|specs| Call::Command(Command::Enqueue(specs)));
    carry_out(&service, call).await
}

async fn dispatch(State(service): ServiceState) -> Response {
    carry_out(&service, Ok(Call::Command(Command::Dispatch))).await
}

async fn act(
    State(service): ServiceState,
    path: PathParts<(String, String)>,
    body: Body,
) -> Response {
    let command = parts(path).and_then(|(id, action)| {
        let id = job_id(&id)?;
        let attempt = || parse::<Attempt>(&body).map(|body| body.attempt);
        match action.as_str() {
            "ack" => attempt().map(|attempt| Command::Ack { id, attempt }),
            "fail" => attempt().map(|attempt| Command::Fail { id, attempt }),
            "heartbeat" => attempt().map(|attempt| Command::Heartbeat { id, attempt }),
            "revive" => Ok(Command::Revive(id)),
            "drop" => Ok(Command::Drop(id)),
            _ => {
                let known = "ack, fail, heartbeat, revive or drop";
                let text = format!("a job has no action {action:?}; it has {known}");
                Err(CallError::NotFound(text))
            }
        }
    });
    carry_out(&service, command.map(Call::Command)).await
}

async fn job(
    State(service): ServiceState,
    path: PathParts<String>,
    query: Result<Query<Freshness>, QueryRejection>,
) -> Response {
    let id = parts(path).and_then(|id| job_id(&id));
    read(&service, id.map(Call::Job), query).await
}

async fn stats(
    State(service): ServiceState,
    query: Result<Query<Freshness>, QueryRejection>,
) -> Response {
    read(&service, Ok(Call::Stats), query).await
}

async fn members(
    State(service): ServiceState,
    query: Result<Query<Freshness>, QueryRejection>,
) -> Response {
    read(&service, Ok(Call::Members), query).await
}

async fn add_learner(State(service): ServiceState, body: Body) -> Response {
    let member = parse::<NewMember>(&body);
    let call = member.map(|NewMember { id, address }| Call::AddLearner { id, address });
    carry_out(&service, call).await
}

async fn promote(State(service): ServiceState, path: PathParts<String>) -> Response {
    carry_out(&service, member_id(path).map(Call::Promote)).await
}

async fn remove(State(service): ServiceState, path: PathParts<String>) -> Response {
    carry_out(&service, member_id(path).map(Call::Remove)).await
}

async fn transfer(State(service): ServiceState, body: Body) -> Response {
    let call = parse::<NewLeader>(&body).map(|body| Call::Transfer(body.to));
    carry_out(&service, call).await
}

async fn node(State(service): ServiceState) -> Response {
    respond(service.describe_node())
}

async fn snapshot(State(service): ServiceState) -> Response {
    respond(service.snapshot().await)
}

async fn no_route(uri: Uri) -> Response {
    let text = format!("there is no {}; see the table in the README", uri.path());
    respond(Err(CallError::NotFound(text)))
}

async fn no_method(method: Method, uri: Uri) -> Response {
    let text = format!("{} does not take {method}", uri.path());
    let mut response = respond(Err(CallError::Invalid(text)));
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

async fn carry_out(service: &Service, call: Result<Call, CallError>) -> Response {
    match call {
        Ok(call) => respond(service.answer(call).await),
        Err(error) => respond(Err(error)),
    }
}

async fn read(
    service: &Service,
    call: Result<Call, CallError>,
    query: Result<Query<Freshness>, QueryRejection>,
) -> Response {
    let invalid = |error: QueryRejection| CallError::Invalid(error.body_text());
    match (call, query.map_err(invalid)) {
        (Ok(call), Ok(Query(Freshness { stale: true }))) => respond(service.answer_stale(&call)),
        (Ok(call), Ok(_)) => respond(service.answer(call).await),
        (Err(error), _) | (_, Err(error)) => respond(Err(error)),
    }
}

fn parse<T: DeserializeOwned>(body: &Body) -> Result<T, CallError> {
    let invalid = |reason: &dyn std::fmt::Display| {
        CallError::Invalid(format!("the body of the request: {reason}"))
    };
    match body {
        Ok(body) if body.is_empty() => Err(invalid(&"it is empty; JSON is expected")),
        Ok(body) => serde_json::from_slice(body).map_err(|error| invalid(&error)),
        Err(_) => Err(invalid(&format!(
            "it breaks off, or has more than {MAX_BODY} bytes"
        ))),
    }
}

fn parts<T>(path: PathParts<T>) -> Result<T, CallError> {
    match path {
        Ok(Path(parts)) => Ok(parts),
        Err(error) => Err(CallError::Invalid(error.body_text())),
    }
}

fn job_id(text: &str) -> Result<JobId, CallError> {
    JobId::new(text).map_err(|error| CallError::Invalid(error.to_string()))
}

fn member_id(path: PathParts<String>) -> Result<u64, CallError> {
    let text = parts(path)?;
    text.parse()
        .map_err(|_| CallError::Invalid(format!("{text:?} is not the number of a node")))
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: ErrorText<'a>,
}

#[derive(Serialize)]
struct ErrorText<'a> {
    code: &'static str,
    message: &'a str,
    retriable: bool,
    outcome: &'static str,
}

fn respond(answer: CallAnswer) -> Response {
    let (status, json) = match answer {
        Ok(json) => (StatusCode::OK, json.get().to_owned()),
        Err(error) => {
            let status = StatusCode::from_u16(error.http_status());
            let body = ErrorBody {
                error: ErrorText {
                    code: error.code(),
                    message: &error.to_string(),
                    retriable: error.is_retriable(),
                    outcome: error.outcome(),
                },
            };
            let json = serde_json::to_string(&body).unwrap_or_default();
            (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), json)
        }
    };
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, json + "\n").into_response()
}
