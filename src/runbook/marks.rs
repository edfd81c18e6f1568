//! What the attributes of a block say of its step.

use super::book::{Attribute, Block, Level, Remark};
use super::{front, given};
use crate::domain::runs::{CommandStep, Expect, Shell};
use crate::domain::units::read_duration;
use crate::domain::words::{listed, nearest};
use std::time::Duration;

/// Attributes of a command block.
const COMMAND: &[&str] = &[
    "reads", "name", "capture", "timeout", "confirm", "undo", "expect", "retry", "tty", "approve",
    "cwd",
];
/// Those that no other tool has: where one stands, the book was written for opsroom.
const OWN: &[&str] = &[
    "reads", "capture", "timeout", "confirm", "undo", "expect", "retry", "tty", "approve", "within",
];
/// Attributes of a `check` block.
const CHECK: &[&str] = &["within", "name"];
/// runme's, which are known and say nothing here.
const RUNME: &[&str] = &[
    "id",
    "closeTerminalOnSuccess",
    "mimetype",
    "promptEnv",
    "skipPrompts",
    "tag",
    "category",
    "terminalRows",
    "transform",
    "interactive",
    "background",
    "excludeFromRunAll",
    "ignore",
    "interpreter",
];
const MOST_RETRIES: u32 = 20;
const LONGEST: Duration = Duration::from_hours(24);

/// Whether an attribute of opsroom's stands in a block.
pub(super) fn has_own(block: &Block) -> bool {
    block.attributes.iter().any(|attribute| OWN.contains(&attribute.name.as_str()))
}

/// Whether an attribute of runme's stands in a block.
pub(super) fn is_runme(block: &Block) -> bool {
    let known = |name: &str| RUNME.contains(&name) || name == "name";
    block.info.contains('{')
        && block.attributes.iter().any(|attribute| known(attribute.name.as_str()))
}

/// Whether runme shows a block and does not run it.
pub(super) fn is_left_out(block: &Block) -> bool {
    let says = |name| flag(&block.attributes, name) == Some(true);
    says("ignore") || says("excludeFromRunAll")
}

/// The value of an attribute.
pub(super) fn get<'b>(attributes: &'b [Attribute], name: &str) -> Option<&'b str> {
    let found = attributes.iter().rev().find(|attribute| attribute.name == name)?;
    Some(found.value.trim())
}

/// A bare word is true.
fn flag(attributes: &[Attribute], name: &str) -> Option<bool> {
    match get(attributes, name)?.to_lowercase().as_str() {
        "" | "true" | "yes" | "1" | "always" => Some(true),
        "false" | "no" | "0" | "never" => Some(false),
        _ => None,
    }
}

/// What the attributes of a command block say.
pub(super) struct Marked {
    pub(super) step: CommandStep,
    pub(super) name: Option<String>,
    /// The name of the step that undoes it.
    pub(super) undo: Option<String>,
}

/// Reads the attributes of a command block. `strict`: an unknown one is an error.
pub(super) fn command(
    block: &Block,
    shell: Shell,
    strict: bool,
    remarks: &mut Vec<Remark>,
) -> Marked {
    let mut reader = Reader { block, strict, remarks };
    reader.known(COMMAND, "command");
    let changes = !reader.flag("reads");
    let step = CommandStep {
        shell,
        script: String::new(),
        changes,
        tty: reader.flag("tty") || flag(&block.attributes, "interactive") == Some(true),
        timeout: reader.duration("timeout"),
        confirm: reader.word("confirm", "`confirm=service`, `confirm=host` or `confirm=WORD`"),
        approve: reader.flag("approve"),
        capture: reader.capture(),
        undo: None,
        undoes: false,
        retry: reader.retry(changes),
        expect: reader.expect(),
        folder: reader.folder(),
        uses: Vec::new(),
        edit: None,
    };
    let name = reader.name();
    let undo = reader.word("undo", "`undo=NAME`, the name of the step that undoes this one");
    if undo.is_some() && !changes {
        reader.wrong("a step that only `reads` has nothing to undo".into());
    }
    if step.tty && step.capture.is_some() {
        reader.wrong("the output of a `tty` step is not captured; take one of the two out".into());
    }
    if step.tty && matches!(step.expect, Expect::Output(_)) {
        reader.wrong("a `tty` step is judged by its exit code, not by its output".into());
    }
    if flag(&block.attributes, "background") == Some(true) {
        reader.wrong(
            "a command in the background is not followed by anyone: start it as a service \
             (`systemd-run --unit=NAME …`) and take `background` out"
                .into(),
        );
    }
    if let Some(interpreter) = get(&block.attributes, "interpreter") {
        let shells = ["sh", "bash", "zsh", "env"];
        let program = interpreter.rsplit('/').next().unwrap_or_default();
        if !shells.contains(&program.split_whitespace().next().unwrap_or_default()) {
            reader.wrong(format!(
                "`{interpreter}` is no shell; put the text into a file and run that"
            ));
        }
    }
    Marked { step, name, undo }
}

/// What the attributes of a `check` block say: its time and its name.
pub(super) fn check(
    block: &Block,
    remarks: &mut Vec<Remark>,
) -> (Option<Duration>, Option<String>) {
    let mut reader = Reader { block, strict: true, remarks };
    reader.known(CHECK, "check");
    (reader.duration("within"), reader.name())
}

/// A `pin` block has no attributes.
pub(super) fn pin(block: &Block, remarks: &mut Vec<Remark>) {
    Reader { block, strict: true, remarks }.known(&[], "pin");
}

struct Reader<'b> {
    block: &'b Block,
    strict: bool,
    remarks: &'b mut Vec<Remark>,
}

impl Reader<'_> {
    fn wrong(&mut self, words: String) {
        self.remarks.push(Remark { level: Level::Error, line: self.block.line, words });
    }

    /// Names that are not known, and those that stand there twice.
    fn known(&mut self, names: &[&str], kind: &str) {
        let attributes = &self.block.attributes;
        for (i, attribute) in attributes.iter().enumerate() {
            let name = attribute.name.as_str();
            if attributes[..i].iter().any(|before| before.name == name) {
                self.wrong(format!("`{name}` stands here twice"));
            } else if self.strict && !names.contains(&name) && !RUNME.contains(&name) {
                let help = match nearest(name, names.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None if names.is_empty() => "it has none".into(),
                    None => format!("known are {}", listed(names)),
                };
                self.wrong(format!("unknown attribute `{name}` of a {kind} block; {help}"));
            }
        }
        if self.strict && self.block.info.contains('{') && !is_closed(&self.block.info) {
            self.wrong("the brace or a quote in the line of the fence is not closed".into());
        }
    }

    fn flag(&mut self, name: &str) -> bool {
        if get(&self.block.attributes, name).is_none() {
            return false;
        }
        flag(&self.block.attributes, name).unwrap_or_else(|| {
            self.wrong(format!("`{name}` stands alone, without a value"));
            false
        })
    }

    fn word(&mut self, name: &str, help: &str) -> Option<String> {
        let value = get(&self.block.attributes, name)?;
        if value.is_empty() {
            self.wrong(format!("`{name}` needs a value: {help}"));
            return None;
        }
        Some(value.to_owned())
    }

    fn name(&mut self) -> Option<String> {
        let name = self.word("name", "`name=restart`")?;
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        if self.strict && !name.chars().all(plain) {
            self.wrong(format!("`{name}` is no name: letters, digits, `-`, `_` and `.`"));
            return None;
        }
        Some(name)
    }

    fn duration(&mut self, name: &str) -> Option<Duration> {
        let text = self.word(name, &format!("`{name}=2m`"))?;
        match read_duration(&text) {
            Some(time) if !time.is_zero() && time <= LONGEST => Some(time),
            Some(_) => {
                self.wrong(format!("`{name}` is more than nothing and at most 24h, not `{text}`"));
                None
            }
            None => {
                self.wrong(format!("`{text}` is no time; `{name}` is written like `90s` or `2m`"));
                None
            }
        }
    }

    fn capture(&mut self) -> Option<String> {
        let name = self.word("capture", "`capture=NAME`, the variable that keeps the last line")?;
        if let Some(words) = given::refused(&name) {
            self.wrong(words);
            return None;
        }
        Some(name)
    }

    fn retry(&mut self, changes: bool) -> u32 {
        let Some(text) = self.word("retry", "`retry=3`") else { return 0 };
        match text.parse() {
            Ok(times) if times <= MOST_RETRIES => {
                if changes && times > 0 {
                    self.wrong(
                        "only a step that `reads` is tried again by itself; a change is retried by a person"
                            .into(),
                    );
                    return 0;
                }
                times
            }
            _ => {
                self.wrong(format!("`retry` is a number up to {MOST_RETRIES}, not `{text}`"));
                0
            }
        }
    }

    fn expect(&mut self) -> Expect {
        let ends_well = || Expect::Codes(vec![0]);
        let Some(text) = self.word("expect", "`expect=0,2` or `expect=/regular expression/`")
        else {
            return ends_well();
        };
        if let Some(pattern) = text.strip_prefix('/') {
            let Some(pattern) = pattern.strip_suffix('/').filter(|pattern| !pattern.is_empty())
            else {
                self.wrong("the expression of `expect` is not closed: `expect=/…/`".into());
                return ends_well();
            };
            return match regex::Regex::new(pattern) {
                Ok(_) => Expect::Output(pattern.into()),
                Err(error) => {
                    let why = error.to_string();
                    let why = why.lines().last().unwrap_or_default();
                    let why = why.trim_start_matches("error: ").to_owned();
                    self.wrong(format!("`expect` is no regular expression: {why}"));
                    ends_well()
                }
            };
        }
        let codes: Option<Vec<i32>> =
            text.split(',').map(|code| code.trim().parse::<u8>().ok().map(i32::from)).collect();
        codes.map_or_else(
            || {
                self.wrong(format!(
                    "`expect` is exit codes, `0,2`, or a regular expression, `/…/`, not `{text}`"
                ));
                ends_well()
            },
            Expect::Codes,
        )
    }

    fn folder(&mut self) -> Option<String> {
        let folder = self.word("cwd", "`cwd=/srv/app`")?;
        if front::is_folder(&folder) {
            return Some(folder);
        }
        if self.strict {
            self.wrong(format!("`cwd` is a folder from the root, `/srv/app`, not `{folder}`"));
        }
        None
    }
}

/// Whether the braces and quotes of an info string are closed.
fn is_closed(info: &str) -> bool {
    info.trim_end().ends_with('}') && info.matches('"').count().is_multiple_of(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::markdown;

    fn read(info: &str) -> (CommandStep, Vec<String>) {
        let block = markdown::document(&format!("```{info}\nx\n```\n")).blocks.remove(0);
        let mut remarks = Vec::new();
        let marked = command(&block, Shell::Bash, true, &mut remarks);
        (marked.step, remarks.into_iter().map(|remark| remark.words).collect())
    }

    #[test]
    fn every_attribute_says_its_part() {
        let (step, remarks) = read(
            r"sh {name=a reads capture=X timeout=2m confirm=service expect=0,2 retry=3 approve cwd=/srv}",
        );
        assert_eq!(remarks, Vec::<String>::new());
        assert!(!step.changes && step.approve && !step.tty);
        assert_eq!(step.capture.as_deref(), Some("X"));
        assert_eq!(step.timeout, Some(Duration::from_mins(2)));
        assert_eq!(step.confirm.as_deref(), Some("service"));
        assert_eq!(step.expect, Expect::Codes(vec![0, 2]));
        assert_eq!((step.retry, step.folder.as_deref()), (3, Some("/srv")));
        let (step, remarks) = read(r"sh {expect=/^v[0-9]+ ok\.$/ tty=false}");
        assert_eq!(remarks, Vec::<String>::new());
        assert_eq!(step.expect, Expect::Output(r"^v[0-9]+ ok\.$".into()));
        assert!(step.changes);
        assert!(read(r#"sh {"interactive":"true","id":"x"}"#).0.tty);
    }

    #[test]
    fn mistakes_are_errors_with_what_helps() {
        for (info, words) in [
            ("sh {raeds}", "unknown attribute `raeds` of a command block; did you mean `reads`?"),
            ("sh {reads reads}", "`reads` stands here twice"),
            ("sh {timeout=soon}", "`soon` is no time; `timeout` is written like `90s` or `2m`"),
            ("sh {timeout}", "`timeout` needs a value: `timeout=2m`"),
            ("sh {capture=PATH reads}", "`PATH` is reserved: it steers the shell or programs"),
            (
                "sh {retry=3}",
                "only a step that `reads` is tried again by itself; a change is retried by a person",
            ),
            (
                "sh {expect=x}",
                "`expect` is exit codes, `0,2`, or a regular expression, `/…/`, not `x`",
            ),
            (
                "sh {expect=256}",
                "`expect` is exit codes, `0,2`, or a regular expression, `/…/`, not `256`",
            ),
            ("sh {cwd=srv}", "`cwd` is a folder from the root, `/srv/app`, not `srv`"),
            ("sh {reads undo=x}", "a step that only `reads` has nothing to undo"),
            ("sh {reads=maybe}", "`reads` stands alone, without a value"),
            ("sh {reads", "the brace or a quote in the line of the fence is not closed"),
        ] {
            assert_eq!(read(info).1, [words], "{info}");
        }
        assert!(read("sh {background=true}").1[0].contains("systemd-run"));
        assert!(read("sh {expect=/[/}").1[0].contains("no regular expression"));
        assert!(read("sh {interpreter=python3}").1[0].contains("no shell"));
    }
}
