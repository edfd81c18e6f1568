//! Public conformance data, one module a set. The data is not part of the
//! project: `OPSROOM_CONFORMANCE` names its folder, and without it the sets are skipped.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod health;

use std::path::PathBuf;

/// The folder of a set, or `None` with a printed reason.
pub(crate) fn folder(set: &str) -> Option<PathBuf> {
    let Some(root) = std::env::var_os("OPSROOM_CONFORMANCE") else {
        println!("skipped: OPSROOM_CONFORMANCE does not name the folder of the {set} set");
        return None;
    };
    Some(PathBuf::from(root).join(set))
}
