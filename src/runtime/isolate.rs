//! A mistake in one source or one evaluation ends that alone, not the console.

use crate::domain::harmless_within;
use futures_util::FutureExt;
use std::any::Any;
use std::panic::AssertUnwindSafe;

/// Waits for `future`; the words of its panic, if it panics.
pub async fn isolated<T>(future: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(future).catch_unwind().await.map_err(|panic| words(panic.as_ref()))
}

/// Calls `work`; the words of its panic, if it panics.
pub fn isolated_call<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(work)).map_err(|panic| words(panic.as_ref()))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no reason given");
    harmless_within(text, 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_its_words() {
        assert_eq!(isolated(async { 1 }).await, Ok(1));
        assert_eq!(
            isolated(async { panic!("out of {}", "range") }).await,
            Err::<(), _>("out of range".into())
        );
        assert_eq!(isolated_call(|| panic!("no")), Err::<(), _>("no".into()));
    }
}
