//! A command block to the script that a person would type: prompts dropped,
//! output not run.

/// What is run of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Typed {
    /// The script, without an empty line at its ends.
    pub(super) script: String,
    /// Lines had prompts.
    pub(super) prompts: bool,
}

/// Reads what a person would type.
pub(super) fn typed(content: &str) -> Typed {
    let mut script = String::new();
    let prompts = content.lines().any(|line| line.trim_start().starts_with("$ "));
    for line in content.lines() {
        if !prompts {
            script.push_str(line);
            script.push('\n');
        } else if let Some(command) = line.trim_start().strip_prefix("$ ") {
            script.push_str(command);
            script.push('\n');
        }
    }
    Typed { script: script.trim_matches('\n').to_owned(), prompts }
}
