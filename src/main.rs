//! Arguments, hooks, dispatch, exit code.
fn main() {}
