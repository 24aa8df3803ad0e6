//! Waiting on a `tokio::sync::watch` channel, woken by its changes.
//!
//! What lives here: `until`, `holds`, and conditions as values. A watch channel shows the newest value only: what
//! flips and flips back between two looks is not seen. Put counters into the value (connections established,
//! connections dropped) where a flap must not pass.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::deadline::{Deadline, seconds};

/// The condition was not met in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedOut<T> {
    /// The last value seen.
    pub last: T,
    /// How long was waited.
    pub waited: Duration,
    /// How long it might have taken, and why.
    pub deadline: Deadline,
    /// True when the wait ended early because nobody can change the value any more.
    pub closed: bool,
}

impl<T> fmt::Display for TimedOut<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waited = seconds(self.waited);
        if self.closed {
            return write!(f, "not so after {waited}, when what was watched ended");
        }
        write!(f, "not so after {waited} (waited for: {})", self.deadline)
    }
}

impl<T: fmt::Debug> std::error::Error for TimedOut<T> {}

/// The condition did not last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broke<T> {
    /// How long it held; zero when it was not met to begin with.
    pub after: Duration,
    /// The value that broke it.
    pub value: T,
    /// True when the value still met the condition, but nobody can change it any more, so that it says nothing.
    pub closed: bool,
}

impl<T> fmt::Display for Broke<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.closed, self.after.is_zero()) {
            (true, _) => write!(f, "what was watched ended after {}", seconds(self.after)),
            (false, true) => f.write_str("it was not so to begin with"),
            (false, false) => write!(f, "it was so for {} only", seconds(self.after)),
        }
    }
}

impl<T: fmt::Debug> std::error::Error for Broke<T> {}

/// Waits until the value meets the condition; the value that did is returned. A value that meets it at once is
/// enough.
///
/// # Errors
/// [`TimedOut`] with the last value, after the deadline or as soon as the sender is gone.
pub async fn until<T, F>(
    receiver: &mut watch::Receiver<T>,
    deadline: &Deadline,
    mut condition: F,
) -> Result<T, TimedOut<T>>
where
    T: Clone,
    F: FnMut(&T) -> bool,
{
    let start = Instant::now();
    let met = timeout_at(start + deadline.budget, receiver.wait_for(|value| condition(value))).await;
    let closed = match met.map(|news| news.map(|value| value.clone())) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(_)) => true,
        Err(_) => false,
    };
    let last = receiver.borrow_and_update().clone();
    Err(TimedOut { last, waited: start.elapsed(), deadline: deadline.clone(), closed })
}

/// Watches that the value meets the condition now and with every change for the whole time.
///
/// # Errors
/// [`Broke`] with the first value that does not, or when the sender is gone before the time is over.
pub async fn holds<T, F>(
    receiver: &mut watch::Receiver<T>,
    whole: Duration,
    mut condition: F,
) -> Result<(), Broke<T>>
where
    T: Clone,
    F: FnMut(&T) -> bool,
{
    let start = Instant::now();
    let first = receiver.borrow_and_update().clone();
    if !condition(&first) {
        return Err(Broke { after: Duration::ZERO, value: first, closed: false });
    }
    let broken = timeout_at(start + whole, receiver.wait_for(|value| !condition(value))).await;
    let (value, closed) = match broken.map(|news| news.map(|value| value.clone())) {
        Err(_) => return Ok(()),
        Ok(Ok(value)) => (value, false),
        Ok(Err(_)) => (receiver.borrow_and_update().clone(), true),
    };
    Err(Broke { after: start.elapsed(), value, closed })
}

/// A condition as a value: a name and a test, to be kept, combined and printed.
pub struct Condition<T: ?Sized> {
    what: String,
    test: Arc<dyn Fn(&T) -> bool + Send + Sync>,
}

impl<T: ?Sized> Clone for Condition<T> {
    fn clone(&self) -> Self {
        Self { what: self.what.clone(), test: Arc::clone(&self.test) }
    }
}

impl<T: ?Sized + 'static> Condition<T> {
    /// A condition; `what` reads as a statement ("net0 is Established").
    pub fn new(what: impl Into<String>, test: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        Self { what: what.into(), test: Arc::new(test) }
    }

    /// Whether the value meets it.
    pub fn is_met(&self, value: &T) -> bool {
        (self.test)(value)
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let what = format!("{} and {}", self.what, other.what);
        Self::new(what, move |value| self.is_met(value) && other.is_met(value))
    }

    /// Either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let what = format!("{} or {}", self.what, other.what);
        Self::new(what, move |value| self.is_met(value) || other.is_met(value))
    }

    /// The opposite.
    #[must_use]
    pub fn negated(self) -> Self {
        Self::new(format!("not ({})", self.what), move |value| !self.is_met(value))
    }
}

impl<T: ?Sized> fmt::Display for Condition<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl<T: ?Sized> fmt::Debug for Condition<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.what).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_value_that_is_right_at_once_is_enough() {
        let (_sender, mut receiver) = watch::channel(12);
        assert_eq!(until(&mut receiver, &Deadline::default(), |n| *n == 12).await, Ok(12));
    }

    #[tokio::test]
    async fn a_change_wakes_the_waiter() {
        let (sender, mut receiver) = watch::channel(8);
        let waiter =
            tokio::spawn(async move { until(&mut receiver, &Deadline::within(LONG), |n| *n == 12).await });
        for n in 9..=12 {
            sender.send_replace(n);
            tokio::task::yield_now().await;
        }
        assert_eq!(waiter.await.unwrap(), Ok(12));
    }

    #[tokio::test]
    async fn a_timeout_tells_the_last_value_and_the_timers() {
        let (_sender, mut receiver) = watch::channel(8);
        let deadline = Deadline::of("first connect", Duration::from_millis(5));
        let late = until(&mut receiver, &deadline, |n| *n == 12).await.unwrap_err();
        assert_eq!((late.last, late.closed), (8, false));
        assert!(late.waited >= deadline.budget);
        assert!(late.to_string().contains("0.005 s first connect"), "{late}");
    }

    #[tokio::test]
    async fn a_sender_that_left_ends_the_wait() {
        let (sender, mut receiver) = watch::channel(8);
        sender.send_replace(9);
        drop(sender);
        let late = until(&mut receiver, &Deadline::within(LONG), |n| *n == 12).await.unwrap_err();
        assert_eq!((late.last, late.closed), (9, true));
    }

    #[tokio::test]
    async fn what_holds_holds_to_the_end() {
        let (sender, mut receiver) = watch::channel(12);
        sender.send_replace(12);
        assert_eq!(holds(&mut receiver, Duration::from_millis(5), |n| *n == 12).await, Ok(()));
    }

    #[tokio::test]
    async fn what_breaks_tells_when_and_how() {
        let (sender, mut receiver) = watch::channel(8);
        let never = holds(&mut receiver, LONG, |n| *n == 12).await.unwrap_err();
        assert_eq!((never.after, never.value), (Duration::ZERO, 8));
        sender.send_replace(12);
        let watcher = tokio::spawn(async move { holds(&mut receiver, LONG, |n| *n == 12).await });
        tokio::task::yield_now().await;
        sender.send_replace(11);
        let broke = watcher.await.unwrap().unwrap_err();
        assert_eq!((broke.value, broke.closed), (11, false));
    }

    #[tokio::test]
    async fn a_value_nobody_feeds_is_no_proof() {
        let (sender, mut receiver) = watch::channel(12);
        drop(sender);
        let broke = holds(&mut receiver, LONG, |n| *n == 12).await.unwrap_err();
        assert!(broke.closed);
    }

    #[test]
    fn conditions_combine_and_say_so() {
        let many = Condition::new("more than 8", |n: &i32| *n > 8);
        let even = Condition::new("even", |n: &i32| n % 2 == 0);
        let both = many.clone().and(even.clone());
        assert!(both.is_met(&12) && !both.is_met(&9) && !both.is_met(&8));
        assert_eq!(both.to_string(), "more than 8 and even");
        let either = many.or(even.negated());
        assert!(either.is_met(&12) && either.is_met(&7) && !either.is_met(&2));
        assert_eq!(either.to_string(), "more than 8 or not (even)");
    }
}
