//! Users and groups of this host, as `/etc/passwd` and `/etc/group` have them,
//! and what the config's roles allow them.

use crate::config::Role;
use crate::domain::{glob, harmless};
use std::collections::BTreeSet;
use std::fs;

/// What a role can allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum May {
    /// To run a runbook.
    Run,
    /// To approve a step of another person's run.
    Approve,
    /// To arm the environment.
    Arm,
}

impl May {
    /// As the config has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Approve => "approve",
            Self::Arm => "arm",
        }
    }
}

/// Whether the roles allow a user this, for this runbook and service where there
/// is one; else why not. Without roles everybody may everything.
pub fn allowed(
    roles: &[Role],
    user: &str,
    groups: &BTreeSet<String>,
    what: May,
    book: Option<&str>,
    service: Option<&str>,
) -> Result<(), String> {
    if roles.is_empty() {
        return Ok(());
    }
    let has = |role: &&Role| {
        role.users.iter().any(|it| it == user) || role.groups.iter().any(|it| groups.contains(it))
    };
    let theirs: Vec<&Role> = roles.iter().filter(has).collect();
    let user = harmless(user);
    if theirs.is_empty() {
        return Err(format!("{user} has no role in the config"));
    }
    let allows = |role: &&Role| {
        role.may.iter().any(|it| it == what.word())
            && book.is_none_or(|book| role.runbooks.iter().any(|it| glob(it, book)))
            && service.is_none_or(|service| role.services.iter().any(|it| glob(it, service)))
    };
    if theirs.iter().any(allows) {
        return Ok(());
    }
    let names: Vec<&str> = theirs.iter().map(|role| role.name.as_str()).collect();
    let mut why = format!("{user} may not {}", what.word());
    for (word, name) in [(" ", book), (" for service ", service)] {
        if let Some(name) = name {
            why.push_str(word);
            why.push_str(&harmless(name));
        }
    }
    let roles = if names.len() == 1 { "role" } else { "roles" };
    Err(format!("{why} ({roles} {})", harmless(&names.join(", "))))
}

/// The names of the groups that a user is in, the one of `/etc/passwd` among them.
pub fn groups_of(uid: u32) -> BTreeSet<String> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let group = fs::read_to_string("/etc/group").unwrap_or_default();
    let mut groups = listed(&passwd, &group, uid);
    if uid == rustix::process::getuid().as_raw() {
        // What the login gave this process counts, too: it knows of directories
        // that no file lists.
        let own = rustix::process::getgroups().unwrap_or_default();
        let own = own.into_iter().chain([rustix::process::getegid()]);
        groups.extend(own.filter_map(|gid| name_of(&group, gid.as_raw())));
    }
    groups
}

/// The number of a group.
pub fn gid_of(name: &str) -> Option<u32> {
    let group = fs::read_to_string("/etc/group").ok()?;
    lines(&group).find(|fields| fields[0] == name)?.get(2)?.parse().ok()
}

fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(|line| line.split(':').collect())
}

fn name_of(group: &str, gid: u32) -> Option<String> {
    let mut groups = lines(group);
    let found = groups.find(|fields| fields.get(2).and_then(|it| it.parse().ok()) == Some(gid))?;
    Some(found[0].to_owned())
}

/// The groups of a user in the text of both files (passwd(5), group(5)).
fn listed(passwd: &str, group: &str, uid: u32) -> BTreeSet<String> {
    let of = |fields: &Vec<&str>| fields.get(2).and_then(|it| it.parse().ok()) == Some(uid);
    let Some(user) = lines(passwd).find(of) else { return BTreeSet::new() };
    let primary = user.get(3).and_then(|gid| gid.parse().ok());
    let mut groups: BTreeSet<String> =
        primary.and_then(|gid| name_of(group, gid)).into_iter().collect();
    let is_member = |fields: &Vec<&str>| {
        fields.get(3).is_some_and(|members| members.split(',').any(|it| it == user[0]))
    };
    groups.extend(lines(group).filter(is_member).map(|fields| fields[0].to_owned()));
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(name: &str, groups: &[&str], may: &[&str], books: &str, services: &str) -> Role {
        let owned = |texts: &[&str]| texts.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
        Role {
            name: name.into(),
            users: owned(&["li"]),
            groups: owned(groups),
            runbooks: owned(&[books]),
            services: owned(&[services]),
            may: owned(may),
        }
    }

    fn groups(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&it| it.to_owned()).collect()
    }

    #[test]
    fn without_roles_everybody_may() {
        let none = BTreeSet::new();
        assert_eq!(allowed(&[], "x", &none, May::Approve, Some("b"), None), Ok(()));
    }

    #[test]
    fn a_role_allows_what_it_names_and_nothing_else() {
        let roles = [
            role("oncall", &["ops"], &["run", "arm"], "restart-*", "*"),
            role("lead", &["leads"], &["approve"], "*", "pay*"),
        ];
        let ops = groups(&["ops"]);
        let ask = |what, book, service| allowed(&roles, "wang", &ops, what, book, service);
        assert_eq!(ask(May::Run, Some("restart-api"), Some("api")), Ok(()));
        assert_eq!(ask(May::Arm, None, None), Ok(()));
        let error = ask(May::Run, Some("swap-db"), Some("api")).unwrap_err();
        assert_eq!(error, "wang may not run swap-db for service api (role oncall)");
        let error = ask(May::Approve, Some("restart-api"), Some("pay")).unwrap_err();
        assert_eq!(error, "wang may not approve restart-api for service pay (role oncall)");
        // By name, both roles.
        let li = |service| allowed(&roles, "li", &groups(&[]), May::Approve, Some("x"), service);
        assert_eq!(li(Some("payments")), Ok(()));
        assert_eq!(
            li(Some("api")).unwrap_err(),
            "li may not approve x for service api (roles oncall, lead)"
        );
        let error = allowed(&roles, "eve\u{1b}[2J", &groups(&["x"]), May::Run, None, None);
        assert_eq!(error.unwrap_err(), "eve\u{fffd} has no role in the config");
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name, fits) in [
            ("*", "", true),
            ("*", "x", true),
            ("a*", "b", false),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*a", "a", false),
            ("*-db", "swap-db", true),
            ("*b*", "abc", true),
            ("a*b*c", "axbxc", true),
            ("a*b*b", "ab", false),
            ("abc", "abcd", false),
            ("**", "x", true),
        ] {
            assert_eq!(glob(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn groups_are_read_as_the_files_have_them() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nli:x:1000:1000::/home/li:/bin/sh\nbroken\n";
        let group = "root:x:0:\nli:x:1000:\nops:x:50:wang,li\nopsx:x:51:lili\nodd\nadm:x:4:li\n";
        assert_eq!(listed(passwd, group, 1000), groups(&["adm", "li", "ops"]));
        assert_eq!(listed(passwd, group, 0), groups(&["root"]));
        assert_eq!(listed(passwd, group, 7), groups(&[]));
        assert_eq!(gid_of("root"), Some(0));
        assert_eq!(gid_of("no such group"), None);
    }
}
