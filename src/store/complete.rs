//! What may stand at a place of an expression: asked while it is typed.

use crate::domain::EngineKind;
use serde::{Deserialize, Serialize};

/// So many names come at most; the best ones do.
pub const MOST_NAMES: usize = 50;

/// A question for names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complete {
    /// Grows with every question: what answers an older one is not shown.
    pub id: u64,
    /// Who knows the names.
    pub engine: EngineKind,
    /// Names of what.
    pub sought: Sought,
    /// What is typed of the name so far.
    pub typed: String,
    /// A metric that is to be described, too.
    pub about: Option<String>,
}

/// What names are sought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Sought {
    /// None.
    #[default]
    Nothing,
    /// Metrics.
    Metrics,
    /// Labels of these series.
    Labels(SeriesOf),
    /// Values of a label of these series.
    Values { label: String, of: SeriesOf },
}

/// Series, by what stands in the selector before the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SeriesOf {
    /// Of this metric; of any where none.
    pub metric: Option<String>,
    /// With these values of labels.
    pub given: Vec<(String, String)>,
}

/// A question for names was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completed {
    /// The question.
    pub id: u64,
    /// The names, or why there are none.
    pub outcome: Result<Names, String>,
}

/// Names that fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// The best ones, best first, [`MOST_NAMES`] at most.
    pub best: Vec<Named>,
    /// How many fit.
    pub of: usize,
    /// The metric that was to be described.
    pub about: Option<Named>,
}

/// A name, and for a metric what pages say of it: as it came from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The metric's type: `counter`; empty where it is not known.
    pub kind: String,
    /// What the metric is; cut off where it is long.
    pub help: String,
}
