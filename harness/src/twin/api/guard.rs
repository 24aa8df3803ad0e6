//! A connection's patience: a client that has been sent bytes must take them.
//!
//! What lives here: noticing that nothing of what is written has been taken for a while, and ending the connection. This is
//! what becomes of a watcher that stops reading: what it has not taken is bounded by the buffers in between, and its
//! place is free again. What does not: how long a client may take to ask (`endpoint`).

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A stream whose writes fail when the other side takes nothing for longer than the patience.
#[derive(Debug)]
pub(super) struct Guarded<S> {
    inner: S,
    patience: Duration,
    patient: Patient,
    /// Runs while a write waits for the other side.
    waiting: Option<Pin<Box<Sleep>>>,
}

/// Takes the limit off a guarded stream: a person who pauses the output of a command is not a client gone wrong.
#[derive(Debug, Clone, Default)]
pub(super) struct Patient(Arc<AtomicBool>);

impl Patient {
    /// From now on the other side may take as long as it likes.
    pub(super) fn for_ever(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_endless(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<S> Guarded<S> {
    /// Guards a stream.
    pub(super) fn new(inner: S, patience: Duration) -> Self {
        Self { inner, patience, patient: Patient::default(), waiting: None }
    }

    /// The handle that takes the limit off.
    pub(super) fn patient(&self) -> Patient {
        self.patient.clone()
    }

    /// Passes on what a write has come to, or fails when it has waited for too long.
    fn judge(&mut self, cx: &mut Context<'_>, done: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if done.is_ready() || self.patient.is_endless() {
            self.waiting = None;
            return done;
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(patience)));
        if waiting.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        let why = format!("the client took nothing for {} s", patience.as_secs());
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.judge(cx, done)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // That nothing is left to flush says nothing of what waits to be written: the time runs on.
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.inner).poll_write_vectored(cx, pieces);
        self.judge(cx, done)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn who_takes_nothing_is_cut_off_and_who_takes_a_little_is_not() {
        let (near, mut far) = duplex(8);
        let mut near = Guarded::new(near, PATIENCE);
        near.write_all(b"12345678").await.unwrap();
        let error = near.write_all(b"9").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(far.read(&mut [0; 4]).await.unwrap(), 4);
        near.write_all(b"9").await.unwrap();
    }

    #[tokio::test]
    async fn the_limit_can_be_taken_off() {
        let (near, mut far) = duplex(1);
        let mut near = Guarded::new(near, PATIENCE);
        near.patient().for_ever();
        let writing = tokio::spawn(async move { near.write_all(b"12").await });
        // Nothing tells that a limit did not strike but the time in which it would have.
        tokio::time::sleep(PATIENCE * 3).await;
        let mut taken = Vec::new();
        far.read_to_end(&mut taken).await.unwrap();
        assert_eq!(taken, b"12");
        writing.await.unwrap().unwrap();
    }
}
