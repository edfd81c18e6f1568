//! stub
use super::Known;
/// stub
#[derive(Clone, Debug)]
pub struct Watch;
impl Known {}
