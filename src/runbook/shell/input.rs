//! Redirections and here-documents.

use super::expand::Context;
use super::lexer::{Lexer, List};
use super::{Around, Place, Word};

/// A heredoc whose text begins in the next line.
pub(super) struct Waiting {
    delimiter: String,
    quoted: bool,
    tabs: bool,
    around: Around,
    /// Where the command begins that reads it, and which of its inputs it is.
    command: (usize, usize),
}

impl Lexer<'_> {
    /// `> file`, `2>&1`, `<< END`, `<<< text`.
    pub(super) fn redirection(&mut self, list: &mut List) {
        list.begin(self.at);
        let rest = &self.text[self.at..self.limit];
        let reads = rest.starts_with('<');
        let operators = ["<<<", "<<-", "<<", ">>", ">&", ">|", "<&", "<>"];
        let operator = operators.iter().find(|operator| rest.starts_with(**operator));
        let operator = operator.copied().unwrap_or_default();
        self.at += operator.len().max(1);
        self.blanks();
        if operator == "<<" || operator == "<<-" {
            return self.heredoc(list, operator == "<<-");
        }
        let word = self.word();
        let number = word.text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        if word.range.is_empty() || (operator.ends_with('&') && number) {
            return;
        }
        if reads {
            list.command.input.push(word);
        } else {
            list.command.writes.push(word);
        }
    }

    /// `<<EOF`, `<<-'EOF'`: what ends the text that begins in the next line.
    fn heredoc(&mut self, list: &mut List, tabs: bool) {
        let start = self.at;
        let (mut delimiter, mut quoted) = (String::new(), false);
        while self.at < self.limit {
            match self.peek(0) {
                b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')' => break,
                quote @ (b'\'' | b'"') => {
                    quoted = true;
                    self.at += 1;
                    let length = self.run(&[quote]);
                    delimiter.push_str(&self.text[self.at..self.at + length]);
                    self.at = (self.at + length + 1).min(self.limit);
                }
                byte => {
                    quoted |= byte == b'\\';
                    self.at += usize::from(byte == b'\\');
                    let c = self.text[self.at..self.limit].chars().next();
                    delimiter.extend(c);
                    self.at += c.map_or(0, char::len_utf8);
                    // What is expanded elsewhere is not in here.
                    self.found.unsure |= matches!(byte, b'$' | b'`');
                }
            }
        }
        let command = (list.command.at, list.command.input.len());
        list.command.input.push(Word { range: start..self.at, ..Word::default() });
        if self.at == start {
            self.found.unsure = true;
            return;
        }
        let around = self.around;
        self.waiting.push_back(Waiting { delimiter, quoted, tabs, around, command });
    }

    /// The texts of heredocs, from the line on that begins here.
    pub(super) fn heredoc_texts(&mut self) {
        while let Some(waiting) = self.waiting.pop_front() {
            let (end, after) = self.heredoc_end(&waiting);
            let mut word = Word { range: self.at..end, quoted: true, ..Word::default() };
            if waiting.quoted {
                word.text.push_str(&self.text[self.at..end]);
                self.literal(end - self.at, Place::QuotedHeredoc);
            } else {
                let limit = std::mem::replace(&mut self.limit, end);
                let around =
                    std::mem::replace(&mut self.around, Around { heredoc: true, ..waiting.around });
                while self.at < self.limit {
                    match self.peek(0) {
                        b'$' => self.dollar(&mut word, Context::HEREDOC),
                        b'`' => self.backticks(&mut word, false),
                        b'\\' => self.escaped(&mut word, Place::Heredoc),
                        _ => self.plain(&mut word, b"$`\\", Place::Heredoc),
                    }
                }
                self.limit = limit;
                self.around = around;
            }
            self.at = after;
            let (begin, index) = waiting.command;
            let mut commands = self.found.commands.iter_mut().rev();
            let input = commands.find(|command| command.at == begin);
            if let Some(input) = input.and_then(|command| command.input.get_mut(index)) {
                *input = word;
            }
        }
    }

    /// Where the text ends that begins here, and where its delimiter's line does.
    fn heredoc_end(&mut self, waiting: &Waiting) -> (usize, usize) {
        let (mut line, mut continued) = (self.at, false);
        while line < self.limit {
            let rest = &self.bytes[line..self.limit];
            let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            let raw = &self.text[line..line + length];
            let text = if waiting.tabs { raw.trim_start_matches('\t') } else { raw };
            if text == waiting.delimiter && !continued {
                return (line, (line + length + 1).min(self.limit));
            }
            // A line that ends in a backslash goes on in the next.
            let slashes = raw.bytes().rev().take_while(|byte| *byte == b'\\').count();
            continued = !waiting.quoted && slashes % 2 == 1;
            line += length + 1;
        }
        self.found.open = true;
        (self.limit, self.limit)
    }
}
