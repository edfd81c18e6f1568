//! What happened, in order: the domain events that everything known is folded from.

use super::{ServiceName, SignalId, SourceId, Status, Timestamp};
use serde::{Deserialize, Serialize};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When the console learnt of it.
    pub at: Timestamp,
    /// What it is.
    pub kind: EventKind,
}

/// The kinds of things that happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    /// A service's verdict changed.
    ServiceChanged { service: ServiceName, from: Status, to: Status, reason: String },
    /// A check's counted status changed.
    CheckChanged { source: SourceId, from: Status, to: Status, reason: String },
    /// A signal's status changed.
    SignalChanged { signal: SignalId, from: Status, to: Status, reason: String },
    /// A source began or ceased to answer.
    SourceChanged { source: SourceId, answers: bool, reason: String },
    /// An alert began to fire.
    AlertFired { identity: u64, name: String, service: Option<ServiceName>, reason: String },
    /// An alert ended.
    AlertResolved { identity: u64, name: String, service: Option<ServiceName> },
    /// A backup's status changed.
    BackupChanged { source: SourceId, from: Status, to: Status, reason: String },
    /// Something new was brought out.
    Released { service: Option<ServiceName>, version: String, by: String, since: Timestamp },
    /// This host lost or found its network.
    NetworkChanged { online: bool },
    /// Somebody or something said so.
    Note { text: String },
}

impl EventKind {
    /// What happened in words, and the status that something changed to. They
    /// hold names and reasons from outside.
    pub fn words(&self) -> (Option<Status>, String) {
        let reason = |reason: &str| match reason {
            "" => String::new(),
            reason => format!(": {reason}"),
        };
        match self {
            EventKind::ServiceChanged { service, from, to, reason: why } => {
                (Some(*to), format!("{service} {from} to {to}{}", reason(why)))
            }
            EventKind::CheckChanged { source, from, to, reason: why }
            | EventKind::BackupChanged { source, from, to, reason: why } => {
                (Some(*to), format!("{source} {from} to {to}{}", reason(why)))
            }
            EventKind::SignalChanged { signal, from, to, reason: why } => {
                (Some(*to), format!("{signal} {from} to {to}{}", reason(why)))
            }
            EventKind::SourceChanged { source, answers: true, .. } => {
                (Some(Status::Ok), format!("{source} answers"))
            }
            EventKind::SourceChanged { source, answers: false, reason: why } => {
                (Some(Status::Unknown), format!("{source} does not answer{}", reason(why)))
            }
            EventKind::AlertFired { name, reason: why, .. } => {
                (None, format!("alert {name} fires{}", reason(why)))
            }
            EventKind::AlertResolved { name, .. } => (None, format!("alert {name} ended")),
            EventKind::Released { version, by, .. } if by.is_empty() => {
                (None, format!("release {version}"))
            }
            EventKind::Released { version, by, .. } => (None, format!("release {version} by {by}")),
            EventKind::NetworkChanged { online: true } => {
                (None, "this host is online again".into())
            }
            EventKind::NetworkChanged { online: false } => (None, "this host is offline".into()),
            EventKind::Note { text } => (None, text.clone()),
        }
    }
}
