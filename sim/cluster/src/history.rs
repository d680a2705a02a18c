//! What clients asked and learned, in order.

use crate::operation::{ClientRequest, ClientResponse, Operation};

/// The operations of a run so far.
#[derive(Debug, Default)]
pub(crate) struct RunHistory {
    pub(crate) operations: Vec<Operation>,
    last_moment: u64,
    last_client: u64,
    last_value: u64,
    last_job: u64,
}

impl RunHistory {
    /// A moment after all others, as near to `now` (nanoseconds of virtual time) as can be.
    fn moment(&mut self, now: u64) -> u64 {
        self.last_moment = now.max(self.last_moment + 1);
        self.last_moment
    }

    /// The number of a client that there was not yet.
    pub(crate) fn new_client(&mut self) -> u64 {
        self.last_client += 1;
        self.last_client
    }

    /// A value that nobody has used yet.
    pub(crate) fn new_value(&mut self) -> u64 {
        self.last_value += 1;
        self.last_value
    }

    /// The number of a job that nobody has used yet.
    pub(crate) fn new_job(&mut self) -> u64 {
        self.last_job += 1;
        self.last_job
    }

    /// The number of the newest job; 0: there is none.
    pub(crate) fn newest_job(&self) -> u64 {
        self.last_job
    }

    /// An operation begins; its place in the history.
    pub(crate) fn begin(&mut self, now: u64, client: u64, request: ClientRequest) -> usize {
        let start = self.moment(now);
        self.operations.push(Operation {
            client,
            start,
            end: None,
            request,
            response: None,
        });
        self.operations.len() - 1
    }

    /// An operation has its answer, or none.
    pub(crate) fn end(&mut self, now: u64, place: usize, response: Option<ClientResponse>) {
        let known = !matches!(response, None | Some(ClientResponse::Unknown(_)));
        let end = known.then(|| self.moment(now));
        let operation = &mut self.operations[place];
        operation.end = end;
        operation.response = response;
    }
}
