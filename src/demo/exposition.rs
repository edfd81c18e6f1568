//! Writes the text format that Prometheus scrapes, version 0.0.4.

use std::fmt::Write as _;

/// The Content-Type of such a page.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page that is being written.
#[derive(Default)]
pub(super) struct Writer {
    text: String,
}

impl Writer {
    /// Begins a metric family: `counter`, `gauge`, `histogram`.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail, here and below.
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// One sample.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.text.push_str(name);
        for (i, (label, content)) in labels.iter().enumerate() {
            self.text.push(if i == 0 { '{' } else { ',' });
            self.text.push_str(label);
            self.text.push_str("=\"");
            for c in content.chars() {
                match c {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    c => self.text.push(c),
                }
            }
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    /// The whole page.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_are_escaped_and_numbers_written_plainly() {
        let mut page = Writer::default();
        page.family("jobs_total", "counter", "Jobs.");
        page.sample("jobs_total", &[("path", "C:\\\"a\"\n"), ("b", "")], 3.0);
        page.sample("jobs_total", &[], 0.25);
        assert_eq!(
            page.finish(),
            "# HELP jobs_total Jobs.\n# TYPE jobs_total counter\n\
             jobs_total{path=\"C:\\\\\\\"a\\\"\\n\",b=\"\"} 3\njobs_total 0.25\n"
        );
    }
}
