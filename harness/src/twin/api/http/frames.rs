//! Long answers in pieces: what has been rendered is shared, not copied.
//!
//! What lives here: gathering small pieces and passing large ones on as they are, when their turn comes. What does not: what is written (`answer`,
//! `follow`).

use std::collections::VecDeque;

use axum::body::Body;
use bytes::{BufMut, Bytes, BytesMut};
use futures::stream;

/// Pieces below this size, in bytes, are gathered when they are sent; those above are sent as they are.
const LARGE: usize = 8 << 10;
/// About how many bytes are gathered.
const GATHERED: usize = 16 << 10;

/// The pieces of an answer, in order. They are shared with everyone else who is sent the same until their turn comes: an
/// answer that nobody reads holds no copy of them.
#[derive(Debug, Default)]
pub(super) struct Frames {
    pieces: VecDeque<Bytes>,
    size: usize,
}

impl Frames {
    /// Adds a piece.
    pub(super) fn push(&mut self, piece: Bytes) {
        self.size += piece.len();
        self.pieces.push_back(piece);
    }

    /// Adds text that is always the same.
    pub(super) fn put(&mut self, text: &'static str) {
        self.push(Bytes::from_static(text.as_bytes()));
    }

    /// How many bytes have been added altogether.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// What is to be sent next; `None` when nothing is left.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        let first = self.pieces.pop_front()?;
        if first.len() >= LARGE || self.pieces.is_empty() {
            return Some(first);
        }
        let mut gathered = BytesMut::with_capacity(GATHERED);
        gathered.put(first);
        while gathered.len() < GATHERED && self.pieces.front().is_some_and(|piece| piece.len() < LARGE) {
            gathered.extend(self.pieces.pop_front());
        }
        Some(gathered.freeze())
    }

    /// The pieces as a body: one, when they are few bytes, so that the client is told how many.
    pub(super) fn into_body(mut self) -> Body {
        if self.size > GATHERED {
            return Body::from_stream(stream::iter(
                std::iter::from_fn(move || self.next()).map(Ok::<_, std::convert::Infallible>),
            ));
        }
        let mut whole = BytesMut::with_capacity(self.size);
        while let Some(piece) = self.next() {
            whole.put(piece);
        }
        Body::from(whole.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_pieces_are_passed_on_and_small_ones_gathered_in_order() {
        let large = Bytes::from(vec![b'x'; LARGE]);
        let mut frames = Frames::default();
        frames.put("a");
        frames.put("b");
        frames.push(large.clone());
        frames.put("c");
        assert_eq!(frames.size(), LARGE + 3);
        assert_eq!(frames.next().unwrap(), "ab");
        assert_eq!(frames.next().unwrap().as_ptr(), large.as_ptr());
        assert_eq!(frames.next().unwrap(), "c");
        assert_eq!(frames.next(), None);
    }

    #[tokio::test]
    async fn a_body_is_the_pieces_whether_they_are_many_or_few() {
        for count in [3, 100] {
            let mut frames = Frames::default();
            let piece = Bytes::from(vec![b'y'; 1000]);
            (0..count).for_each(|_| frames.push(piece.clone()));
            let whole = axum::body::to_bytes(frames.into_body(), usize::MAX).await.unwrap();
            assert_eq!(whole.len(), count * 1000);
        }
    }
}
