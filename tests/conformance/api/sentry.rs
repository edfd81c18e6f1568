//! Bodies of Sentry's API and of those that speak it.

use super::Case;

/// What differs between the facts and what is read, if anything does.
pub(super) fn difference(case: &Case<'_>) -> Option<String> {
    case.facts.keys().next().map(|name| Case::unknown(name))
}
