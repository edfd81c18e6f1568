//! Steps, plans and people for tests, with nothing in them that a test does not say.

use super::{BookRef, CommandStep, Expect, Plan, ProcessId, Shell, Step, StepId, StepKind, Who};
use std::collections::BTreeMap;
use std::time::Duration;

/// A changing block of bash.
pub(crate) fn command(script: &str) -> CommandStep {
    CommandStep {
        shell: Shell::Bash,
        script: script.into(),
        changes: true,
        tty: false,
        timeout: None,
        confirm: None,
        approve: false,
        capture: None,
        undo: None,
        undoes: false,
        retry: 0,
        expect: Expect::Codes(vec![0]),
        folder: None,
        uses: Vec::new(),
        edit: None,
    }
}

/// A step in the line of its number.
pub(crate) fn step(id: u32, title: &str, kind: StepKind) -> Step {
    Step { id: StepId(id), name: None, title: title.into(), line: id, kind }
}

/// The plan of a run on a service in production.
pub(crate) fn plan(steps: Vec<Step>) -> Plan {
    Plan {
        book: BookRef {
            id: "book".into(),
            title: "Book".into(),
            path: "/book.md".into(),
            hash: String::new(),
            foreign: false,
        },
        environment: "production".into(),
        armed_only: false,
        config: String::new(),
        host: "bastion".into(),
        user: "li".into(),
        folder: "/".into(),
        target: "service/api".into(),
        service: None,
        alert: None,
        values: Vec::new(),
        environ: BTreeMap::new(),
        steps,
        pins: Vec::new(),
        timeout: Duration::from_secs(1),
        warnings: Vec::new(),
    }
}

/// A process of this boot.
pub(crate) fn process(pid: u32) -> ProcessId {
    ProcessId { pid, start: 1, boot: "boot".into() }
}

/// A person who is logged in.
pub(crate) fn who() -> Who {
    Who { user: "li".into(), uid: 1000, login: Some(1000), host: "bastion".into(), from: None }
}
