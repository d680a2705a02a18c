//! A small HTTP client: one connection that is kept, JSON in and out.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// What a server answered.
#[derive(Debug)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum HttpFailure {
    /// The request was not sent: nothing was done.
    Unsent(io::Error),
    /// It may have been done.
    Unanswered(io::Error),
}

/// A client of one server.
#[derive(Debug)]
pub(crate) struct HttpClient {
    address: SocketAddr,
    limit: Duration,
    stream: Option<BufReader<TcpStream>>,
}

impl HttpClient {
    pub(crate) fn new(address: SocketAddr, limit: Duration) -> Self {
        HttpClient {
            address,
            limit,
            stream: None,
        }
    }

    pub(crate) fn get(&mut self, path: &str) -> Result<HttpAnswer, HttpFailure> {
        self.send("GET", path, "")
    }

    pub(crate) fn post(&mut self, path: &str, body: &str) -> Result<HttpAnswer, HttpFailure> {
        self.send("POST", path, body)
    }

    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<HttpAnswer, HttpFailure> {
        let mut stream = self.connection().map_err(HttpFailure::Unsent)?;
        let answer = exchange(&mut stream, method, path, body).map_err(HttpFailure::Unanswered)?;
        self.stream = Some(stream);
        Ok(answer)
    }

    fn connection(&mut self) -> io::Result<BufReader<TcpStream>> {
        if let Some(kept) = self.stream.take().filter(|kept| is_open(kept.get_ref())) {
            return Ok(kept);
        }
        let stream = TcpStream::connect_timeout(&self.address, self.limit)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(self.limit))?;
        stream.set_write_timeout(Some(self.limit))?;
        Ok(BufReader::new(stream))
    }
}

/// Whether the server has not ended a connection on which nothing is awaited.
fn is_open(stream: &TcpStream) -> bool {
    let peek = || {
        stream.set_nonblocking(true)?;
        let peeked = stream.peek(&mut [0]);
        stream.set_nonblocking(false)?;
        peeked
    };
    peek().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

fn exchange(
    stream: &mut BufReader<TcpStream>,
    method: &str,
    path: &str,
    body: &str,
) -> io::Result<HttpAnswer> {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: node\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.get_mut().write_all(request.as_bytes())?;
    let first = line(stream)?;
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("no HTTP: {first:?}")))?;
    let mut length = 0;
    loop {
        let header = line(stream)?.to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let body = serde_json::from_slice(&body)?;
    Ok(HttpAnswer { status, body })
}

fn line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let whole = line
        .strip_suffix("\r\n")
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(whole.to_owned())
}
