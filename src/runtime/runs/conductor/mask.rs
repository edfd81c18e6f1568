//! Keeps the values of secrets out of what a run records, tells and keeps.

use crate::domain::runs::{Finding, PinAsked, ProofLine, RunRecord, StepEnd};
use crate::runtime::runs::masking::Masker;

/// The values that may not be seen.
#[derive(Clone, Default)]
pub(super) struct Mask {
    values: Vec<String>,
    masker: Masker,
}

impl Mask {
    /// From now on these are hidden, too. Fails where there are too many.
    pub(super) fn learn<'a>(
        &mut self,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Result<bool, String> {
        let known = self.values.len();
        for value in values {
            if !self.values.iter().any(|known| known == value) {
                self.values.push(value.to_owned());
            }
        }
        let has_grown = self.values.len() > known;
        if has_grown {
            self.masker = Masker::new(self.values.iter().map(String::as_str))?;
        }
        Ok(has_grown)
    }

    /// For those who write by themselves.
    pub(super) fn masker(&self) -> Masker {
        self.masker.clone()
    }

    /// The text without any of it.
    pub(super) fn text(&self, text: &str) -> String {
        self.masker.mask(text).into_owned()
    }

    /// Whether it holds something that may not be seen.
    pub(super) fn hides(&self, text: &str) -> bool {
        self.masker.mask(text) != text
    }

    fn hide(&self, text: &mut String) {
        let shown = self.text(text);
        *text = shown;
    }

    fn hide_in_result(&self, told: &mut Result<String, String>) {
        match told {
            Ok(text) | Err(text) => self.hide(text),
        }
    }

    /// A record without any of it. The plan stays as it is: what holds a secret
    /// in it is a secret by name.
    pub(super) fn record(&self, record: &mut RunRecord) {
        match record {
            RunRecord::Started { before, .. } | RunRecord::Seen { before } => self.lines(before),
            RunRecord::PinsAsked { pins, .. } => self.pins(pins),
            RunRecord::Edited { script: text, .. }
            | RunRecord::StepStarted { preview: text, .. }
            | RunRecord::Ticked { note: text, .. }
            | RunRecord::Skipped { reason: text, .. }
            | RunRecord::Decided { reason: text, .. } => self.hide(text),
            RunRecord::StepEnded { end, .. } => self.end(end),
            RunRecord::Ended { reason, proof, .. } => {
                self.hide(reason);
                if let Some(proof) = proof {
                    self.lines(&mut proof.after);
                }
            }
            RunRecord::TakenUp { .. }
            | RunRecord::Confirmed { .. }
            | RunRecord::Approved { .. } => {}
        }
    }

    /// Answers of pins without any of it.
    pub(super) fn pins(&self, pins: &mut [PinAsked]) {
        for pin in pins {
            self.hide(&mut pin.was);
            self.hide_in_result(&mut pin.is);
        }
    }

    /// Lines of a proof without any of it.
    pub(super) fn lines(&self, lines: &mut [ProofLine]) {
        for line in lines {
            self.finding(&mut line.finding);
        }
    }

    pub(super) fn finding(&self, finding: &mut Finding) {
        self.hide(&mut finding.words);
    }

    fn end(&self, end: &mut StepEnd) {
        self.hide(&mut end.words);
        if let Some(captured) = &mut end.captured {
            self.hide(captured);
        }
        for finding in &mut end.findings {
            self.finding(finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::runs::{RunOutcome, StepId, Who};

    #[test]
    fn what_people_write_into_records_tells_no_secret() {
        let mut mask = Mask::default();
        assert_eq!(mask.learn(["swordfish"]), Ok(true));
        assert_eq!(mask.learn(["swordfish"]), Ok(false));
        let said = "it said swordfish".to_owned();
        let mut records = [
            RunRecord::Ticked { step: StepId(1), who: Who::default(), note: said.clone() },
            RunRecord::Skipped { step: StepId(1), who: Who::default(), reason: said.clone() },
            RunRecord::Ended { outcome: RunOutcome::Failed, reason: said.clone(), proof: None },
            RunRecord::PinsAsked {
                step: StepId(1),
                pins: vec![PinAsked { name: "a".into(), was: said.clone(), is: Err(said) }],
            },
        ];
        for record in &mut records {
            mask.record(record);
            let text = format!("{record:?}");
            assert!(text.contains("(hidden)") && !text.contains("swordfish"), "{text}");
        }
    }
}
