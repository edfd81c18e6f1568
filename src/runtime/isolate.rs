//! A mistake in one source or one evaluation ends that alone, not the console.

use crate::domain::harmless_within;
use std::any::Any;
use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::task::Poll;

thread_local! {
    static ISOLATED: Cell<bool> = const { Cell::new(false) };
}

/// Whether what runs now ends alone when it panics.
pub fn is_isolated() -> bool {
    ISOLATED.get()
}

/// Waits for `future`; the words of its panic, if it panics.
pub async fn isolated<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| match isolated_call(|| future.as_mut().poll(cx)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Err(words) => Poll::Ready(Err(words)),
    })
    .await
}

/// Calls `work`; the words of its panic, if it panics.
pub fn isolated_call<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let outer = ISOLATED.replace(true);
    let done = std::panic::catch_unwind(AssertUnwindSafe(work));
    ISOLATED.set(outer);
    done.map_err(|panic| words(panic.as_ref()))
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
