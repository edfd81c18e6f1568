//! What is written into a file for other programs.

use super::Answer;
use crate::domain::Labels;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// An answer as it is seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Export {
    /// The answer.
    pub answer: Arc<Answer>,
    /// The series of it that are shown, in their order.
    pub series: Vec<Labels>,
}
