//! Runbooks, who may run them, and where runs are recorded.

use super::keys::{Key, Keys, Shape, key};
use super::table::Table;
use std::time::Duration;

const ARM: Shape = Shape::OneOf(&["auto", "always", "never"]);
const MINUTE: u64 = 60_000;

/// `[runbooks]`
pub(super) const RUNBOOKS: Keys = &[&[
    key("folders", Shape::OneOrMore(&Shape::Path), "Folders of runbooks, Markdown files. Beside them, `runbooks` next to this file is read.")
        .like(r#"["/etc/opsroom/runbooks", "~/runbooks"]"#),
    key("built_in", Shape::Bool, "Offer the runbooks that ship with opsroom, too.").or("true"),
    key("urls", Shape::Map(&Shape::Path), "Addresses of runbooks, by their beginnings, and the folder that holds what stands there. Only these are ever fetched.")
        .like(r#"{ "https://runbooks.example.com/" = "/etc/opsroom/runbooks" }"#),
    key("folder", Shape::Path, "Where commands run, unless the runbook says otherwise.").or("/"),
    key("path", Shape::OneOrMore(&Shape::Path), "Folders in which programs are looked for before the usual ones.")
        .like(r#"["/opt/deploy/bin"]"#),
    key("timeout", Shape::Duration { least: 1_000, most: 24 * 60 * MINUTE }, "Time for a step that names none.").or("10m"),
    key("arm", ARM, "Whether changes need `arm` first. `auto`: where the environment's name begins with prod or live.").or("auto"),
    key("yes", Shape::OneOrMore(&Shape::Name), "Runbooks that `opsroom run --yes` may carry past a `confirm`.")
        .like(r#"["restart-worker"]"#),
    key("approve", Shape::OneOrMore(&Shape::Name), "Runbooks of which a second person approves each changing step; `*` stands for any characters. Beside those whose steps say `approve`.")
        .like(r#"["swap-*"]"#),
    key("approve_within", Shape::Duration { least: 1_000, most: 24 * 60 * MINUTE }, "Nobody in this time is a no.").or("15m"),
]];

/// `[journal]`
pub(super) const JOURNAL: Keys = &[&[
    key("shared", Shape::Bool, "One journal for all users of this host, in /var/lib/opsroom and /run/opsroom, for the group `opsroom`. Only a config that root alone can write may say so.")
        .or("false"),
    key("folder", Shape::Path, "Where it lies instead.").like("/var/lib/opsroom"),
    key("sockets", Shape::Path, "Where the sockets of runs lie instead.").like("/run/opsroom"),
    key("group", Shape::Name, "The group that shares it.").or("opsroom"),
    key("syslog", Shape::Bool, "Tell syslog the heads of the chains: what is cut off here is noticed there.").or("false"),
    key("syslog_socket", Shape::Path, "The socket on which syslog takes them.").or("/dev/log"),
]];

/// `[role.NAME]`
pub(super) const ROLE: Keys = &[ROLE_KEYS];
const ROLE_KEYS: &[Key] = &[
    key("users", Shape::OneOrMore(&Shape::Name), "Users that have it.").like(r#"["li"]"#),
    key("groups", Shape::OneOrMore(&Shape::Name), "Groups whose users have it.")
        .like(r#"["oncall"]"#),
    key(
        "runbooks",
        Shape::OneOrMore(&Shape::Name),
        "What it is for; `*` stands for any characters.",
    )
    .or(r#"["*"]"#),
    key(
        "services",
        Shape::OneOrMore(&Shape::Name),
        "For which services; `*` stands for any characters.",
    )
    .or(r#"["*"]"#),
    key("may", Shape::OneOrMore(&Shape::OneOf(&["run", "approve", "arm"])), "What it allows.")
        .or(r#"["run", "arm"]"#),
];

/// Runbooks: where they are, and how they run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runbooks {
    /// Folders, `~/` still in them.
    pub folders: Vec<String>,
    /// Those that ship with opsroom are offered.
    pub built_in: bool,
    /// Beginnings of addresses, and the folder for each.
    pub urls: Vec<(String, String)>,
    /// Where commands run.
    pub folder: String,
    /// Before the usual folders of programs.
    pub path: Vec<String>,
    /// For a step that names no time.
    pub timeout: Duration,
    /// Changes need `arm` in this environment.
    pub armed_only: bool,
    /// `--yes` may pass their `confirm`.
    pub yes: Vec<String>,
    /// A second person approves each of their changing steps.
    pub approve: Vec<String>,
    /// Nobody in this time is a no.
    pub approve_within: Duration,
}

/// The journal: where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// All users of this host share it.
    pub shared: bool,
    /// Where it lies instead of the usual folder.
    pub folder: Option<String>,
    /// Where sockets lie instead of the usual folder.
    pub sockets: Option<String>,
    /// Who shares it.
    pub group: String,
    /// Heads go to syslog.
    pub syslog: bool,
    /// Its socket.
    pub syslog_socket: String,
}

/// Who may do what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Users that have it.
    pub users: Vec<String>,
    /// Groups whose users have it.
    pub groups: Vec<String>,
    /// Patterns of runbooks.
    pub runbooks: Vec<String>,
    /// Patterns of services.
    pub services: Vec<String>,
    /// `run`, `approve`, `arm`.
    pub may: Vec<String>,
}

pub(super) fn runbooks(root: &Table, environment: &str) -> Runbooks {
    let table = root.table_or_defaults("runbooks");
    let name = environment.to_ascii_lowercase();
    let armed_only = match table.text("arm").as_str() {
        "always" => true,
        "never" => false,
        _ => name.starts_with("prod") || name.starts_with("live"),
    };
    Runbooks {
        folders: table.texts("folders"),
        built_in: table.flag("built_in"),
        urls: table.text_map("urls"),
        folder: table.text("folder"),
        path: table.texts("path"),
        timeout: table.duration("timeout"),
        armed_only,
        yes: table.texts("yes"),
        approve: table.texts("approve"),
        approve_within: table.duration("approve_within"),
    }
}

pub(super) fn journal(root: &Table) -> Journal {
    let table = root.table_or_defaults("journal");
    Journal {
        shared: table.flag("shared"),
        folder: table.optional_text("folder"),
        sockets: table.optional_text("sockets"),
        group: table.text("group"),
        syslog: table.flag("syslog"),
        syslog_socket: table.text("syslog_socket"),
    }
}

pub(super) fn roles(root: &Table) -> Vec<Role> {
    let role = |table: &Table| Role {
        name: table.name().into(),
        users: table.texts("users"),
        groups: table.texts("groups"),
        runbooks: table.texts("runbooks"),
        services: table.texts("services"),
        may: table.texts("may"),
    };
    root.named("role").iter().map(role).collect()
}
