//! Mistakes as text: file, line, column, caret and what helps, as rustc does.

use super::mistakes::{Mistake, Mistakes, Span};
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use std::fmt::Write;
use std::path::Path;

/// How many mistakes are shown; the others are counted.
const SHOWN: usize = 20;
/// Longer lines are not repeated.
const LONGEST_LINE: usize = 500;
/// Names in front of a `=` behind which a secret may stand.
const SECRETIVE: &[&str] = &[
    "password",
    "passwd",
    "token",
    "bearer",
    "secret",
    "credential",
    "apikey",
    "api_key",
    "authorization",
    "private",
];

/// All mistakes of a file, or as many as one can read, then its advisories.
/// Nothing in it can act upon a terminal, and no secret is repeated.
pub fn render(path: &Path, text: &str, mistakes: &Mistakes, color: bool) -> String {
    let path = crate::domain::harmless(&path.to_string_lossy()).into_owned();
    let safe = safe_to_show(text, mistakes.hidden());
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let lines = Lines::new(&safe);
    let mut out = String::new();
    for mistake in mistakes.in_order().into_iter().take(SHOWN) {
        out.push_str(&renderer.render(&[group(&path, &lines, mistake)]));
        out.push_str("\n\n");
    }
    let all = mistakes.len() + mistakes.advisories();
    if all > SHOWN {
        let _ = writeln!(out, "and {} more\n", all - SHOWN);
    }
    match mistakes.len() {
        0 => {}
        1 => {
            let _ = writeln!(out, "{path}: 1 mistake");
        }
        many => {
            let _ = writeln!(out, "{path}: {many} mistakes");
        }
    }
    out
}

/// The first mistake in one line, for where there is room for one only.
pub fn in_one_line(path: &Path, text: &str, mistakes: &Mistakes) -> String {
    let path = crate::domain::harmless(&path.to_string_lossy()).into_owned();
    let all = mistakes.in_order();
    let Some(first) = all.first() else { return path };
    let (line, column) = Lines::new(text).place(first.span.start);
    let more = match mistakes.len() {
        0 | 1 => String::new(),
        many => format!(" (and {} more)", many - 1),
    };
    format!("{path}:{line}:{column}: {}{more}", first.message)
}

fn group<'g>(path: &'g str, lines: &Lines<'g>, mistake: &'g Mistake) -> Group<'g> {
    let level = if mistake.advisory { Level::WARNING } else { Level::ERROR };
    let title = level.primary_title(mistake.message.as_str());
    let (number, column) = lines.place(mistake.span.start);
    let (start, line) = lines.line(number);
    let group = if line.len() > LONGEST_LINE {
        title.element(Origin::path(path).line(number).char_column(column))
    } else {
        // Of a mistake that goes over several lines the first one is shown.
        let from = mistake.span.start.saturating_sub(start).min(line.len());
        let to = mistake.span.end.saturating_sub(start).clamp(from, line.len());
        title.element(
            Snippet::source(line)
                .line_start(number)
                .path(path)
                .annotation(AnnotationKind::Primary.span(from..to)),
        )
    };
    match &mistake.help {
        Some(help) => group.element(Level::HELP.message(help.as_str())),
        None => group,
    }
}

/// The file with neither secrets nor anything that acts upon a terminal in
/// it, each byte where it was.
fn safe_to_show(text: &str, hidden: &[Span]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut cover = |span: Span| {
        for byte in bytes.get_mut(span).into_iter().flatten() {
            if !matches!(*byte, b'\n' | b'"' | b'\'') {
                *byte = b'*';
            }
        }
    };
    hidden.iter().cloned().for_each(&mut cover);
    // Where the file is no TOML nobody knows which texts are secrets.
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        for span in secrets_in(line) {
            cover(start + span.start..start + span.end);
        }
        start += line.len();
    }
    let shown: String = String::from_utf8_lossy(&bytes).chars().flat_map(same_length).collect();
    // Byte for byte as long as before, or the carets would be off.
    if shown.len() == text.len() { shown } else { "?".repeat(text.len()) }
}

/// A character that acts upon a terminal, or shows nothing, becomes one or
/// more that do not, of the same length in bytes.
fn same_length(c: char) -> impl Iterator<Item = char> {
    let mut buffer = [0; 4];
    let text: &str = c.encode_utf8(&mut buffer);
    let harmful = c != '\n' && crate::domain::harmless(text) != text;
    let (shown, times) = match (harmful, c.len_utf8()) {
        (false, _) => (c, 1),
        (true, 3) => ('\u{fffd}', 1),
        (true, length) => ('?', length),
    };
    std::iter::repeat_n(shown, times)
}

/// Values behind names that sound like a secret's, and `user:password@` of URLs.
fn secrets_in(line: &str) -> Vec<Span> {
    let mut found = Vec::new();
    let lower = line.to_ascii_lowercase();
    for name in SECRETIVE {
        for (at, _) in lower.match_indices(name) {
            let Some(equals) = line[at..].find('=') else { continue };
            let value = at + equals + 1;
            let reference = line[value..].trim_start().trim_start_matches(['"', '\'']);
            if !["env:", "file:", "cmd:"].iter().any(|kind| reference.starts_with(kind)) {
                found.push(value_behind(line, value));
            }
        }
    }
    for (at, _) in line.match_indices("://") {
        let rest = &line[at + 3..];
        let end = rest.find(['/', '?', '#', '"', '\'', ' ']).unwrap_or(rest.len());
        if let Some(sign) = rest[..end].rfind('@') {
            found.push(at + 3..at + 3 + sign);
        }
    }
    found
}

/// The value that begins behind the `=` before `from`: exactly what stands in
/// its quotes, and where its end is in doubt the rest of the line.
fn value_behind(line: &str, from: usize) -> Span {
    let to = line.trim_end().len().max(from);
    let start = to - line[from..to].trim_start().len();
    let rest = &line[start..to];
    // `"http://host/?token=...": the quote that ends the value stands before it.
    let before = |quote: char| line[..from].matches(quote).count() % 2 == 1;
    let (start, quote) = match rest.chars().next() {
        Some(quote @ ('"' | '\'')) if !before(quote) => (start + 1, quote),
        _ => match ['"', '\''].into_iter().find(|quote| before(*quote)) {
            Some(quote) => (start, quote),
            None => return start..to,
        },
    };
    let end = end_of_text(&line[start..to], quote).map_or(to, |end| start + end);
    // Another quote that has no fellow may belong to the secret itself.
    let behind = line.get(end + 1..to).unwrap_or_default();
    let delimited =
        behind.trim_start().is_empty() || behind.trim_start().starts_with([',', '}', ']', '#']);
    if delimited && behind.matches(quote).count() % 2 == 0 { start..end } else { start..to }
}

/// Where the quote is that ends a text of a single line.
fn end_of_text(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let ends = c == quote && !escaped;
        escaped = quote == '"' && c == '\\' && !escaped;
        ends.then_some(at)
    })
}

/// The lines of a text by their numbers.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self { text, starts: std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect() }
    }

    /// Line and column, counted from 1, the column in characters.
    fn place(&self, at: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= at).max(1);
        let start = self.starts[line - 1];
        let before = self.text.get(start..at.min(self.text.len())).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    /// Where a line begins, and its text without its end.
    fn line(&self, number: usize) -> (usize, &'t str) {
        let start = self.starts[number - 1];
        let end = self.starts.get(number).map_or(self.text.len(), |next| next - 1);
        (start, self.text[start..end].trim_end_matches('\r'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn rendered(text: &str) -> String {
        let mut mistakes = Mistakes::default();
        Config::read(text, &[], &mut mistakes);
        render(Path::new("/etc/opsroom/config.toml"), text, &mistakes, false)
    }

    #[test]
    fn a_mistake_is_shown_with_line_column_caret_and_help() {
        insta::assert_snapshot!(rendered("site = \"shop\"\nenviroment = \"x\"\n[poll]\nevery = 10\n"), @r#"
        error: unknown key `enviroment`
         --> /etc/opsroom/config.toml:2:1
          |
        2 | enviroment = "x"
          | ^^^^^^^^^^
          |
          = help: did you mean `environment`?

        error: `poll.every` is a whole number
         --> /etc/opsroom/config.toml:4:9
          |
        4 | every = 10
          |         ^^
          |
          = help: expected a time with its unit, such as "10s" or "1h30m"

        /etc/opsroom/config.toml: 2 mistakes
        "#);
    }

    #[test]
    fn a_file_that_is_not_toml_is_shown_in_the_same_form() {
        insta::assert_snapshot!(rendered("site = \"shop\n[poll]\nevery = \"10s\"\n"), @r#"
        error: not TOML: invalid basic string, expected `"`
         --> /etc/opsroom/config.toml:1:13
          |
        1 | site = "shop
          |             ^

        /etc/opsroom/config.toml: 1 mistake
        "#);
    }

    #[test]
    fn escape_sequences_in_a_file_do_not_reach_the_terminal() {
        let text =
            "\"\\u001b[31m\u{202e}x\" = 1\nsite = [\"\u{1b}]0;x\u{7}\u{9b}31m\"]\nü\u{200b} = 1";
        let shown = rendered(text);
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
        assert!(!shown.contains(['\u{202e}', '\u{200b}']), "{shown:?}");
    }

    #[test]
    fn a_secret_is_not_repeated() {
        let shown = rendered(
            "prometheus = { url = \"http://u:hunter1@h\", auth = { bearer = \"hunter2\", x = 1 } }\n\
             [service.a]\npasword = \"hunter3\"\nhealth = \"ftp://u:hunter4@h/\"\n",
        );
        assert!(!shown.contains("hunter"), "{shown}");
        let broken = rendered("token = \"hunter1\" x\npassword = hunter2\napi_key=\"hunter3");
        assert!(!broken.contains("hunter"), "{broken}");
        // References are no secrets, and it helps to see them.
        assert!(
            rendered("prometheus.auth = { bearer = \"env:TOKEN\", x = 1 }").contains("env:TOKEN")
        );
    }

    #[test]
    fn a_mask_covers_the_value_and_nothing_beside_it() {
        for (line, shown) in [
            ("bearer = \"hunter\"\n", "bearer = \"******\"\n"),
            ("x = { bearer = \"hunter\", y = \"a\" }", "x = { bearer = \"******\", y = \"a\" }"),
            ("token='hunter' # ours", "token='******' # ours"),
            ("token = \"hun\\\"ter\"", "token = \"****\"***\""),
            ("url = \"http://h/?token=hunter\"", "url = \"http://h/?token=******\""),
            ("password = hunter\r\n", "password = ******?\n"),
            // What may go on behind a quote is covered to the line's end.
            ("password = \"hun\"ter\"", "password = \"***\"***\""),
            ("password = \"hun\"#ter\"", "password = \"***\"****\""),
            ("token = \"\"\"hunter\"\"\"", "token = \"\"\"******\"\"\""),
            ("token = \"env:TOKEN\"", "token = \"env:TOKEN\""),
            ("token =", "token ="),
        ] {
            assert_eq!(safe_to_show(line, &[]), shown);
        }
        let text = "prometheus = { url = \"http://h\", auth = { bearer = \"hunter\", x = 1 } }";
        // Nobody knows what an unknown key holds: that is covered, too.
        assert!(rendered(text).contains("bearer = \"******\", x = * } }"), "{}", rendered(text));
    }

    #[test]
    fn ten_thousand_mistakes_are_counted_and_not_all_shown() {
        let text: String = (0..10_000)
            .flat_map(|i| format!("key{i} = {i}\n").into_bytes())
            .map(char::from)
            .collect();
        let shown = rendered(&text);
        assert!(shown.len() < 20_000, "{}", shown.len());
        assert!(shown.ends_with("and 9980 more\n\n/etc/opsroom/config.toml: 10000 mistakes\n"));
    }

    #[test]
    fn a_line_without_end_is_not_repeated() {
        let shown = rendered(&format!("site = [\"{}\"]", "a".repeat(500_000)));
        assert!(shown.len() < 1_000, "{}", shown.len());
        assert!(shown.contains("config.toml:1:8"), "{shown}");
    }

    #[test]
    fn one_line_names_the_first_place() {
        let text = "site = 1\nfoo = 2";
        let mut mistakes = Mistakes::default();
        Config::read(text, &[], &mut mistakes);
        let line = in_one_line(Path::new("c.toml"), text, &mistakes);
        assert_eq!(line, "c.toml:1:8: `site` is a whole number (and 1 more)");
    }

    proptest::proptest! {
        #[test]
        fn no_file_makes_the_report_fall_over(text in "(?s)(\\PC|[\\x00-\\x20=\\[\\]\"'.{}@:/]|site|token|poll){0,60}") {
            let shown = rendered(&text);
            proptest::prop_assert!(shown.chars().all(|c| c == '\n' || !c.is_control()));
        }
    }
}
