//! The *body* of a request that is read with patience, and not more: a client that stops in the
//! middle is given up.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

/// How long each part of it may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A body, and when it is given up.
pub(crate) struct Limited {
    inner: Incoming,
    limit: Pin<Box<Sleep>>,
}

/// Why there is no more of a body.
#[derive(Debug)]
pub(crate) enum Broken {
    TooSlow,
    Incoming(hyper::Error),
}

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooSlow => write!(formatter, "nothing came for {} s", PATIENCE.as_secs()),
            Self::Incoming(error) => error.fmt(formatter),
        }
    }
}

impl std::error::Error for Broken {}

impl Limited {
    pub(crate) fn new(inner: Incoming) -> Self {
        Self {
            inner,
            limit: Box::pin(sleep(PATIENCE)),
        }
    }
}

impl Body for Limited {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.limit.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(Broken::TooSlow)));
        }
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        self.limit.as_mut().reset(Instant::now() + PATIENCE);
        Poll::Ready(frame.map(|frame| frame.map_err(Broken::Incoming)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
