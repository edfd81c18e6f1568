//! Asks another service over HTTP, on connections that are kept.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpStream;

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum NoAnswer {
    /// The connection was refused or broke.
    #[error("no connection")]
    Broken,
    /// It took too long.
    #[error("timed out")]
    Late,
}

/// How many idle connections are kept at most.
const KEPT: usize = 16;

/// Another service.
pub(super) struct Peer {
    address: SocketAddr,
    patience: Duration,
    idle: RefCell<Vec<SendRequest<Empty<Bytes>>>>,
}

impl Peer {
    /// At an address; asked for no longer than `patience`.
    pub(super) fn new(address: SocketAddr, patience: Duration) -> Self {
        Self { address, patience, idle: RefCell::default() }
    }

    /// Where it is.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The status of the answer to `GET path`.
    pub(super) async fn ask(&self, path: &str) -> Result<u16, NoAnswer> {
        match tokio::time::timeout(self.patience, self.ask_patiently(path)).await {
            Ok(answer) => answer,
            Err(_) => Err(NoAnswer::Late),
        }
    }

    async fn ask_patiently(&self, path: &str) -> Result<u16, NoAnswer> {
        // A kept connection may have been closed meanwhile; a fresh one tells.
        while let Some(connection) = self.take_idle() {
            if let Ok(status) = self.ask_on(connection, path).await {
                return Ok(status);
            }
        }
        let stream = TcpStream::connect(self.address).await.map_err(|_| NoAnswer::Broken)?;
        // Requests are small and wait for their answer.
        stream.set_nodelay(true).map_err(|_| NoAnswer::Broken)?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|_| NoAnswer::Broken)?;
        tokio::task::spawn_local(connection);
        self.ask_on(sender, path).await
    }

    fn take_idle(&self) -> Option<SendRequest<Empty<Bytes>>> {
        let mut idle = self.idle.borrow_mut();
        idle.retain(|connection| !connection.is_closed());
        idle.pop()
    }

    async fn ask_on(
        &self,
        mut connection: SendRequest<Empty<Bytes>>,
        path: &str,
    ) -> Result<u16, NoAnswer> {
        connection.ready().await.map_err(|_| NoAnswer::Broken)?;
        let request = hyper::Request::get(path)
            .header(HOST, self.address.to_string())
            .body(Empty::new())
            .map_err(|_| NoAnswer::Broken)?;
        let response = connection.send_request(request).await.map_err(|_| NoAnswer::Broken)?;
        let status = response.status().as_u16();
        response.into_body().collect().await.map_err(|_| NoAnswer::Broken)?;
        let mut idle = self.idle.borrow_mut();
        if idle.len() < KEPT {
            idle.push(connection);
        }
        Ok(status)
    }
}
