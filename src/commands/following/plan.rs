//! A plan as text.

use crate::domain::harmless;
use crate::domain::runs::Plan;

/// The plan, as it is shown before the start and by `--dry-run`.
pub(super) fn text(plan: &Plan) -> String {
    format!("{}\n", harmless(&plan.book.title))
}
