//! From the text of a runbook to a book. Never fails: mistakes are remarks.

use super::book::{Block, BlockKind, Book, Document, Front, Heading, Level, Remark};
use super::language::{Language, language};
use super::markdown::{self, Task};
use super::{commands, conditions, foreign, front, marks, placeholders, shell};
use crate::domain::runs::{BookId, CheckStep, CommandStep, Pin, Shell, Step, StepId, StepKind};
use std::sync::Arc;

/// Longer texts are not read.
const LONGEST_TEXT: usize = 4 << 20;
/// More remarks are not kept.
const MOST_REMARKS: usize = 200;

impl Book {
    /// Reads a runbook. `id` is the file's name without `.md`, `path` the file
    /// or `built in`. Every text is a book; what is wrong with it stands in its
    /// remarks, in the order of the text.
    pub fn read(id: &str, path: &str, text: &str) -> Self {
        let hash = sha256(text.as_bytes());
        let kept: Arc<str> = text.into();
        let mut book = Self {
            id: BookId::from(id),
            path: path.into(),
            title: id.into(),
            front: Front::default(),
            text: kept,
            hash,
            document: Document::default(),
            steps: Vec::new(),
            pins: Vec::new(),
            foreign: true,
            remarks: Vec::new(),
        };
        if text.len() > LONGEST_TEXT {
            let words = format!("the text has {} bytes; {LONGEST_TEXT} are read", text.len());
            book.remarks.push(Remark { level: Level::Error, line: 1, words });
            return book;
        }
        Reader::new(text).read(&mut book);
        book
    }
}

pub use crate::domain::runs::sha256;

/// A part of the text that can be a step.
enum Part {
    Block(Block),
    Task(Task),
}

impl Part {
    fn line(&self) -> u32 {
        match self {
            Self::Block(block) => block.line,
            Self::Task(task) => task.line,
        }
    }
}

struct Reader {
    front: front::Read,
    document: Document,
    parts: Vec<Part>,
    foreign: bool,
    /// runme's attributes or front matter stand in it.
    runme: bool,
    steps: Vec<Step>,
    pins: Vec<Pin>,
    remarks: Vec<Remark>,
    /// For each step, the name of the one that undoes it.
    undos: Vec<Option<String>>,
    /// The heading whose title was given away last.
    titled: Option<u32>,
}

impl Reader {
    fn new(text: &str) -> Self {
        let text = markdown::plain_lines(text);
        let mut front = front::read(&text);
        let read = markdown::read(&text);
        let remarks = std::mem::take(&mut front.remarks);
        let blocks = read.document.blocks.iter().cloned().map(Part::Block);
        let mut parts: Vec<Part> = blocks.chain(read.tasks.into_iter().map(Part::Task)).collect();
        parts.sort_by_key(Part::line);
        let foreign = !read.document.blocks.iter().any(is_own);
        let runme = front.runme || read.document.blocks.iter().any(marks::is_runme);
        Self {
            runme,
            front,
            document: read.document,
            parts,
            foreign,
            steps: Vec::new(),
            pins: Vec::new(),
            remarks,
            undos: Vec::new(),
            titled: None,
        }
    }

    fn read(mut self, book: &mut Book) {
        for part in std::mem::take(&mut self.parts) {
            match part {
                Part::Block(block) => self.block(&block),
                Part::Task(task) => {
                    let kind = StepKind::Manual { text: task.text.clone() };
                    self.push(task.line, None, task.text, kind, None);
                }
            }
        }
        if self.foreign {
            foreign::hand_on(&mut self.steps, &mut self.front.front.params);
        }
        self.link_undos();
        self.mark_proofs();
        self.hold_pins();
        self.remarks.sort_by_key(|remark| remark.line);
        self.remarks.truncate(MOST_REMARKS);
        for remark in &mut self.remarks {
            remark.words = crate::domain::harmless_within(&remark.words, 400);
        }
        let first_heading = self.document.headings.iter().find(|heading| !heading.text.is_empty());
        book.title = self
            .front
            .front
            .title
            .clone()
            .or_else(|| first_heading.map(|heading| heading.text.clone()))
            .unwrap_or_else(|| book.id.to_string());
        book.front = self.front.front;
        book.document = self.document;
        book.steps = self.steps;
        book.pins = self.pins;
        book.foreign = self.foreign;
        book.remarks = self.remarks;
    }

    fn remark(&mut self, level: Level, line: u32, words: impl Into<String>) {
        self.remarks.push(Remark { level, line, words: words.into() });
    }

    fn block(&mut self, block: &Block) {
        if marks::is_left_out(block) {
            return;
        }
        if self.foreign {
            match foreign::judge(block) {
                foreign::Is::Commands => self.command(block, Shell::Bash),
                foreign::Is::Prose => {}
                foreign::Is::Mislabelled => {
                    let words =
                        format!("this is no `{}`, and nothing of it is run", block.language);
                    self.remark(Level::Warning, block.line, words);
                }
            }
            return;
        }
        match language(&block.language) {
            Language::Check if is_condition_block(block) => self.check(block),
            Language::Pin => self.pin(block),
            Language::Shell(shell) => self.command(block, shell),
            Language::Misspelt(_) => {
                let words = format!(
                    "`{}` is no language of a command block and nothing of it is run; did you mean `sh`?",
                    block.language
                );
                self.remark(Level::Warning, block.line, words);
            }
            _ => self.stray_attributes(block),
        }
    }

    /// Attributes of opsroom's on a block that is no step.
    fn stray_attributes(&mut self, block: &Block) {
        if block.kind == BlockKind::Fence && marks::has_own(block) {
            let words = format!(
                "a `{}` block is no step; commands stand in `sh` or `bash`",
                block.language
            );
            self.remark(Level::Error, block.line, words);
        }
    }

    fn check(&mut self, block: &Block) {
        let (lines, remarks) = conditions::check(&block.content, block.line + 1);
        let broken = !remarks.is_empty();
        self.remarks.extend(remarks);
        let (within, name) = marks::check(block, &mut self.remarks);
        if lines.is_empty() {
            if !broken {
                self.remark(Level::Error, block.line, "the check asks nothing");
            }
            return;
        }
        let title = lines[0].0.clone();
        let kind = StepKind::Check(CheckStep { lines, within, proof: false });
        self.push(block.line, name, title, kind, None);
    }

    fn pin(&mut self, block: &Block) {
        marks::pin(block, &mut self.remarks);
        let before = StepId(self.next_number());
        let (pins, remarks) = conditions::pins(&block.content, block.line + 1, before);
        self.remarks.extend(remarks);
        for pin in pins {
            if self.pins.iter().any(|known| known.name == pin.name) {
                let words = format!("the pin `{}` stands here twice", pin.name);
                self.remark(Level::Error, pin.line, words);
            } else {
                self.pins.push(pin);
            }
        }
    }

    fn command(&mut self, block: &Block, shell: Shell) {
        let mut marked = marks::command(block, shell, !self.foreign, &mut self.remarks);
        let some = if self.foreign {
            let params = &mut self.front.front.params;
            marked.undo = marked.undo.or_else(|| foreign::rollback(block));
            foreign::fill(block, self.runme, &mut marked.step, params)
        } else {
            self.own_command(block, &mut marked.step)
        };
        if !some {
            return;
        }
        if marked.step.script.contains('\u{fffd}') {
            self.remark(Level::Error, block.line, "a character of this block cannot be read");
        }
        let title = first_line(&marked.step.script);
        let kind = StepKind::Command(marked.step);
        self.push(block.line, marked.name, title, kind, marked.undo);
    }

    /// The script of a block that was written for opsroom. False where it is empty.
    fn own_command(&mut self, block: &Block, step: &mut CommandStep) -> bool {
        let typed = commands::typed(&block.content);
        if typed.script.trim().is_empty() {
            self.remark(Level::Warning, block.line, "nothing stands in this block");
            return false;
        }
        if let Some(placeholder) = placeholders::angle(&typed.script) {
            let words = format!(
                "`{placeholder}` means a redirection to the shell; make it a parameter: `\"${}\"`",
                placeholders::name_of(&placeholder)
            );
            self.remark(Level::Warning, block.line, words);
        }
        step.uses = shell::variables(&typed.script);
        step.script = typed.script;
        true
    }

    fn next_number(&self) -> u32 {
        u32::try_from(self.steps.len() + 1).unwrap_or(u32::MAX)
    }

    fn push(
        &mut self,
        line: u32,
        name: Option<String>,
        own_title: String,
        kind: StepKind,
        undo: Option<String>,
    ) {
        let name = match name {
            Some(name) if self.steps.iter().any(|step| step.name.as_ref() == Some(&name)) => {
                let level = if self.foreign { Level::Warning } else { Level::Error };
                self.remark(level, line, format!("the name `{name}` stands here twice"));
                None
            }
            name => name,
        };
        let title = if matches!(kind, StepKind::Manual { .. }) {
            own_title
        } else {
            match (self.fresh_heading(line), &name) {
                // `Do` says less than the name that somebody gave.
                (Some(heading), Some(name)) if is_section(&heading) => name.clone(),
                (Some(heading), _) => heading,
                (None, name) => name.clone().unwrap_or(own_title),
            }
        };
        let title = crate::domain::harmless_within(&title, 120);
        self.steps.push(Step { id: StepId(self.next_number()), name, title, line, kind });
        self.undos.push(undo);
    }

    /// The nearest heading above, where it was not given to another step yet.
    fn fresh_heading(&mut self, line: u32) -> Option<String> {
        let headings = &self.document.headings;
        let index = headings.partition_point(|heading| heading.line < line).checked_sub(1)?;
        let Heading { text, line, .. } = &headings[index];
        if self.titled == Some(*line) || text.is_empty() {
            return None;
        }
        self.titled = Some(*line);
        Some(text.clone())
    }

    fn link_undos(&mut self) {
        let undos = std::mem::take(&mut self.undos);
        for (index, undo) in undos.into_iter().enumerate() {
            let Some(wanted) = undo else { continue };
            let line = self.steps[index].line;
            let found =
                self.steps.iter().position(|step| step.name.as_deref() == Some(wanted.as_str()));
            let Some(found) = found else {
                let names = self.steps.iter().filter_map(|step| step.name.as_deref());
                let help = match crate::domain::words::nearest(&wanted, names) {
                    Some(meant) => format!("; did you mean `{meant}`?"),
                    None => String::new(),
                };
                self.remark(Level::Error, line, format!("no step is called `{wanted}`{help}"));
                continue;
            };
            if found == index {
                self.remark(Level::Error, line, "a step cannot undo itself");
                continue;
            }
            let id = self.steps[found].id;
            if let StepKind::Command(undoing) = &mut self.steps[found].kind {
                undoing.undoes = true;
            } else {
                let words = format!("`{wanted}` is no command block and undoes nothing");
                self.remark(Level::Error, line, words);
                continue;
            }
            if let StepKind::Command(step) = &mut self.steps[index].kind {
                step.undo = Some(id);
            }
        }
        let mut wrong = Vec::new();
        for step in &self.steps {
            if let StepKind::Command(command) = &step.kind {
                if command.undoes && command.undo.is_some() {
                    wrong.push((step.line, "a step that undoes another cannot be undone itself"));
                }
                if command.undoes && command.capture.is_some() {
                    wrong.push((step.line, "a step that undoes another captures nothing"));
                }
            }
        }
        for (line, words) in wrong {
            self.remark(Level::Error, line, words);
        }
    }

    /// Checks after the last changing step are the proof.
    fn mark_proofs(&mut self) {
        let changes = |step: &Step| match &step.kind {
            StepKind::Command(command) => command.changes && !command.undoes,
            _ => false,
        };
        let last = self.steps.iter().rposition(changes);
        for step in self.steps.iter_mut().skip(last.map_or(0, |last| last + 1)) {
            if let StepKind::Check(check) = &mut step.kind {
                check.proof = true;
            }
        }
    }

    /// A pin after the last step holds nothing.
    fn hold_pins(&mut self) {
        let steps = self.next_number();
        let idle: Vec<(u32, String)> = self
            .pins
            .iter()
            .filter(|pin| pin.before.0 >= steps)
            .map(|pin| (pin.line, pin.name.clone()))
            .collect();
        for (line, name) in idle {
            self.remark(
                Level::Warning,
                line,
                format!("the pin `{name}` stands after the last step and holds nothing"),
            );
        }
    }
}

/// Whether a block says that the book was written for opsroom.
fn is_own(block: &Block) -> bool {
    match language(&block.language) {
        Language::Check => is_condition_block(block),
        Language::Pin => true,
        Language::Shell(_) => marks::has_own(block),
        _ => block.info.contains('{') && marks::has_own(block),
    }
}

/// A `check` block of another tool has its name without braces and holds a script.
fn is_condition_block(block: &Block) -> bool {
    language(&block.language) == Language::Check
        && block.kind == BlockKind::Fence
        && (block.attributes.is_empty() || block.info.contains('{'))
}

fn first_line(script: &str) -> String {
    let plain =
        script.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    plain.or_else(|| script.lines().next()).unwrap_or_default().to_owned()
}

/// Whether a heading is only the name of a part that every runbook has.
fn is_section(heading: &str) -> bool {
    const SECTIONS: [&str; 4] = ["Do", "Proof", "Is it this?", "Undo"];
    SECTIONS.iter().any(|section| heading.eq_ignore_ascii_case(section))
}
