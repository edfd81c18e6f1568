//! What the tools of a practice do: `shopctl` looks after the shop's processes,
//! `deployctl` after their releases. Both really act on them.

use super::control::{Answer, Asked};
use super::practice::PracticeError;
use super::processes::{Processes, Start};
use super::releases;
use super::shop::Member;
use std::fmt::Write as _;

/// In which unit `/proc` tells of processes: 100 on every Linux of today (`USER_HZ`, proc(5)).
const TICKS_PER_S: u64 = 100;

const SHOPCTL: &str = "\
usage: shopctl status [SERVICE]     which processes run, with pid, age in seconds and release
       shopctl pid SERVICE          its pid
       shopctl restart SERVICE      ends its process and starts it anew
       shopctl queries [--short]    what the database works on
       shopctl cancel QUERY         ends a query of the database
";

const DEPLOYCTL: &str = "\
usage: deployctl list SERVICE [--short]        what was deployed; short: what can be gone back to
       deployctl current SERVICE               the release that runs
       deployctl rollback SERVICE RELEASE      goes back to a release
       deployctl promote SERVICE RELEASE       goes forward to a release
";

/// Does what a tool was called for.
pub(super) fn run(processes: &Processes, asked: &Asked) -> Answer {
    let words: Vec<&str> = asked.words.iter().map(String::as_str).collect();
    let done = match asked.tool.as_str() {
        "shopctl" => shopctl(processes, &words),
        "deployctl" => deployctl(processes, &words, &asked.by),
        _ => Err("there is no such tool\n".into()),
    };
    match done {
        Ok(text) => (0, text),
        Err(text) => (1, text),
    }
}

fn member(name: &str) -> Result<Member, String> {
    let known = Member::named(name).filter(|member| *member != Member::Visitors);
    known.ok_or_else(|| format!("the shop has no {name}\n"))
}

fn words(error: &PracticeError) -> String {
    format!("{error}\n")
}

fn shopctl(processes: &Processes, asked: &[&str]) -> Result<String, String> {
    match asked {
        ["status"] => {
            let shown = Member::ALL.into_iter().filter(|member| *member != Member::Visitors);
            Ok(shown.map(|member| status(processes, member)).collect())
        }
        ["status", name] => Ok(status(processes, member(name)?)),
        ["pid", name] => match processes.pid(member(name)?) {
            Some(pid) => Ok(format!("{pid}\n")),
            None => Err(format!("{name} does not run\n")),
        },
        ["restart", name] => {
            let member = member(name)?;
            let old = processes.pid(member);
            let new = processes.restart(member, Start::default()).map_err(|why| words(&why))?;
            let before = old.map_or("it did not run".into(), |pid| format!("pid {pid} was ended"));
            Ok(format!("{name}: {before}, pid {new} runs\n"))
        }
        ["queries", "--short"] => {
            Ok(processes.query().map_or_else(String::new, |query| format!("{query}\n")))
        }
        ["queries"] => Ok(processes.query().map_or_else(
            || "no query takes long\n".into(),
            |query| {
                format!("{query}  of reports  select * from orders, events  others wait for it\n")
            },
        )),
        ["cancel", query] => {
            let query = query.parse().map_err(|_| format!("{query} is no number of a query\n"))?;
            processes.cancel(query).map_err(|why| words(&why))?;
            Ok(format!("query {query} was cancelled\n"))
        }
        _ => Err(SHOPCTL.into()),
    }
}

fn status(processes: &Processes, member: Member) -> String {
    let name = member.name();
    let release = releases::current(&processes.folder, member);
    match processes.pid(member) {
        Some(pid) => {
            let age = age_s(pid).map_or_else(|| "?".into(), |age| age.to_string());
            format!("{name:<9} running  pid {pid:<8} up {age:>5} s  {release}\n")
        }
        None => format!("{name:<9} GONE\n"),
    }
}

/// For how many seconds a process has been there.
fn age_s(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything; the start is the 20th field after it.
    let ticks: u64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let uptime: u64 = uptime.split('.').next()?.parse().ok()?;
    uptime.checked_sub(ticks / TICKS_PER_S)
}

fn deployctl(processes: &Processes, asked: &[&str], by: &str) -> Result<String, String> {
    let current = |member| releases::current(&processes.folder, member);
    match asked {
        ["list", name] => {
            let member = member(name)?;
            let mut text = String::new();
            for (place, one) in releases::all(&processes.folder, member).iter().enumerate() {
                let now = if place == 0 { "  runs now" } else { "" };
                // Writing to a String cannot fail.
                let _ = writeln!(
                    text,
                    "{}  {}  by {}, before {}{now}",
                    one.at, one.version, one.by, one.before
                );
            }
            Ok(text)
        }
        ["list", name, "--short"] => {
            let member = member(name)?;
            let mut known = Vec::new();
            for one in releases::all(&processes.folder, member) {
                known.extend([one.version, one.before]);
            }
            let current = current(member);
            let mut shown = Vec::new();
            for release in known {
                if release != current && !shown.contains(&release) {
                    shown.push(release);
                }
            }
            Ok(shown.iter().flat_map(|release| [release, "\n"]).collect())
        }
        ["current", name] => Ok(format!("{}\n", current(member(name)?))),
        [what @ ("rollback" | "promote"), name, release] => {
            let member = member(name)?;
            let Some(release) = member.release(release) else {
                return Err(format!("{name} has no release {release}\n"));
            };
            let before = current(member);
            let start = Start { release_after: None, deploy: Some((release, by)) };
            let pid = processes.restart(member, start).map_err(|why| words(&why))?;
            written(processes, member, release)?;
            Ok(format!("{what} of {name} by {by}: {before} > {release}, pid {pid}\n"))
        }
        _ => Err(DEPLOYCTL.into()),
    }
}

/// Waits until the new process has written down that it runs this release.
fn written(processes: &Processes, member: Member, release: &str) -> Result<(), String> {
    for _ in 0..200 {
        if releases::current(&processes.folder, member) == release {
            return Ok(());
        }
        // The tool waits, not the console.
        std::thread::park_timeout(std::time::Duration::from_millis(25));
    }
    Err(format!("{} does not come up with {release}\n", member.name()))
}
