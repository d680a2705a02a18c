//! One port for clients and nodes: the first byte of a connection tells which it is.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// How long a connection may take to say its first byte.
const FIRST_BYTE: Duration = Duration::from_secs(30);

/// How many connections of a kind wait to be taken.
const WAITING: usize = 128;

/// Connections of one kind.
#[derive(Debug)]
pub(crate) struct Connections {
    streams: mpsc::Receiver<(TcpStream, SocketAddr)>,
    local: SocketAddr,
}

/// The two kinds of connections that come in at `listener`: of clients, and of nodes.
///
/// # Errors
/// The listener has no address.
pub(crate) fn split(listener: TcpListener) -> io::Result<(Connections, Connections)> {
    let local = listener.local_addr()?;
    let (clients, clients_end) = mpsc::channel(WAITING);
    let (nodes, nodes_end) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, from)) => {
                    let (clients, nodes) = (clients.clone(), nodes.clone());
                    tokio::spawn(sort(stream, from, clients, nodes));
                }
                // Out of descriptors, most likely: it goes by when connections end.
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    });
    let kind = |streams| Connections { streams, local };
    Ok((kind(clients_end), kind(nodes_end)))
}

async fn sort(
    stream: TcpStream,
    from: SocketAddr,
    clients: mpsc::Sender<(TcpStream, SocketAddr)>,
    nodes: mpsc::Sender<(TcpStream, SocketAddr)>,
) {
    let mut first = [0; 1];
    let Ok(Ok(1)) = timeout(FIRST_BYTE, stream.peek(&mut first)).await else {
        return;
    };
    let delayed = stream.set_nodelay(true);
    let kind = if first == [0] { nodes } else { clients };
    if delayed.is_ok() {
        // Nobody takes it any more when the node ends.
        kind.send((stream, from)).await.ok();
    }
}

impl Connections {
    /// The next one. `None`: there will be none.
    pub(crate) async fn next(&mut self) -> Option<(TcpStream, SocketAddr)> {
        self.streams.recv().await
    }
}

impl axum::serve::Listener for Connections {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        match self.next().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}
