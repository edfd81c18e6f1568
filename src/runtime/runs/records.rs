//! What the journal and the output file tell of a run, for those who only look.

use super::output;
use crate::domain::runs::{Entry, OutputRange, Record, RunId, RunRecord, StepId};
use crate::journal::{JournalError, Place, Reader};
use crate::runbook::{Run, Told};

/// So many bytes of output are told together.
const TOGETHER: usize = 64 * 1024;

/// The newest runs, the newest first.
pub async fn runs(reader: &Reader, most: usize) -> Result<Vec<Run>, JournalError> {
    let all = reader.runs(most).await?;
    Ok(all.iter().filter_map(|entries| Run::of(entries)).collect())
}

/// What a run would have told of itself: its records behind the place `after`, and
/// before the end of each step its output, as far as it stands behind
/// `output_from` in the output file.
pub async fn told(
    reader: &Reader,
    run: &RunId,
    after: i64,
    output_from: u64,
) -> Result<Vec<Told>, JournalError> {
    let entries = reader.of_run(run, after).await?;
    let (place, run) = (reader.place().clone(), run.clone());
    let told = tokio::task::spawn_blocking(move || with_output(&place, &run, entries, output_from));
    told.await.map_err(|error| JournalError::Read(error.to_string()))
}

fn with_output(place: &Place, run: &RunId, entries: Vec<Entry>, from: u64) -> Vec<Told> {
    let mut told = Vec::new();
    let mut from = from;
    let mut running = None;
    for entry in entries {
        match &entry.record {
            Record::Run { what: RunRecord::StepStarted { step, .. }, .. } => running = Some(*step),
            Record::Run { what: RunRecord::StepEnded { step, end, .. }, .. } => {
                if let Some(range) = end.output {
                    from = from.max(range.from);
                    push_output(&mut told, place, run, *step, OutputRange { from, ..range });
                    from = from.max(range.to);
                }
                running = None;
            }
            _ => {}
        }
        told.push(Told::Entry(entry));
    }
    // What a step has put out that nobody saw end.
    if let Some(step) = running {
        let all = OutputRange { from, to: u64::MAX, dropped: 0 };
        push_output(&mut told, place, run, step, all);
    }
    told
}

fn push_output(told: &mut Vec<Told>, place: &Place, run: &RunId, step: StepId, all: OutputRange) {
    let path = place.run(run).join("output");
    let mut from = all.from;
    while from < all.to {
        let most = usize::try_from(all.to - from).unwrap_or(TOGETHER).min(TOGETHER);
        match output::read(&path, from, most) {
            Ok(piece) if !piece.text.is_empty() => {
                let end = piece.from.saturating_add(piece.text.len() as u64);
                if end <= from {
                    return;
                }
                from = end;
                told.push(Told::Output { step, from: piece.from, text: piece.text });
            }
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%run, %error, "a run's output cannot be read");
                return;
            }
        }
    }
}
