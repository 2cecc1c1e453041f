//! HTTP bodies: a request's, read whole; an answer's, sent whole or in drips.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::limits::MAX_BODY_BYTES;

/// Why a request body was not read to its end.
pub(crate) enum Unread {
    TooLarge,
    Disconnected,
}

pub(crate) async fn read_whole(mut body: Incoming) -> Result<Vec<u8>, Unread> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > MAX_BODY_BYTES {
        return Err(Unread::TooLarge);
    }
    let mut bytes = Vec::with_capacity(announced);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Disconnected)?.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > MAX_BODY_BYTES {
            return Err(Unread::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// An answer's body: pieces in order, with an optional pause before each.
pub(crate) struct ReplyBody {
    pieces: std::vec::IntoIter<Bytes>,
    bytes_left: u64,
    pause: Option<Interval>,
    at_end: Option<Arc<AtomicBool>>,
}

impl ReplyBody {
    pub(crate) fn new(pieces: impl IntoIterator<Item = Bytes>) -> ReplyBody {
        let mut pieces: Vec<Bytes> = pieces.into_iter().collect();
        // An empty piece would pass for the end of a body sent in chunks.
        pieces.retain(|piece| !piece.is_empty());
        ReplyBody {
            bytes_left: pieces.iter().map(|piece| piece.len() as u64).sum(),
            pieces: pieces.into_iter(),
            pause: None,
            at_end: None,
        }
    }

    /// The same bytes, one at a time, with this much time between two.
    pub(crate) fn dripping(self, pause: Duration) -> ReplyBody {
        let bytes = self.pieces.flat_map(|piece| {
            (0..piece.len())
                .map(|index| piece.slice(index..index + 1))
                .collect::<Vec<_>>()
        });
        let mut interval = interval(pause.max(Duration::from_millis(1)));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ReplyBody {
            pause: Some(interval),
            ..ReplyBody::new(bytes)
        }
    }

    /// Sets the flag when the last byte is handed over to be sent.
    pub(crate) fn telling_its_end(self, at_end: Arc<AtomicBool>) -> ReplyBody {
        ReplyBody {
            at_end: Some(at_end),
            ..self
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.poll_tick(context));
        }
        let piece = self.pieces.next();
        self.bytes_left -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
        if self.bytes_left == 0
            && let Some(at_end) = &self.at_end
        {
            at_end.store(true, Ordering::Relaxed);
        }
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes_left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes_left)
    }
}
