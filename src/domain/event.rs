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
