//! Public conformance data, one module a set. The data lies outside of the
//! repository: `OPSROOM_CONFORMANCE` names its folder, and without it each set
//! says that it was skipped.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![expect(clippy::print_stdout, reason = "how many cases passed is what a set is run for")]

mod api;
mod exposition;
mod health;
mod promql;
mod rules;
mod runbooks;

use std::path::PathBuf;

/// The folder of a set, or `None` with words where it is not there.
fn folder(set: &str) -> Option<PathBuf> {
    let Some(root) = std::env::var_os("OPSROOM_CONFORMANCE") else {
        println!("set {set}: skipped, OPSROOM_CONFORMANCE names no folder");
        return None;
    };
    let folder = PathBuf::from(root).join(set);
    if !folder.is_dir() {
        println!("set {set}: skipped, there is no folder {}", folder.display());
        return None;
    }
    Some(folder)
}

/// Prints how a set went: `set NAME: 12 passed, 1 failed, 13 in all`, and each failure.
fn tell(set: &str, total: usize, failures: &[String]) {
    for failure in failures {
        println!("set {set}: FAILED {failure}");
    }
    let passed = total - failures.len();
    println!("set {set}: {passed} passed, {} failed, {total} in all", failures.len());
}
