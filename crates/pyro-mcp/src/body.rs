//! The *body* of a request, read with limits on time and size: a client that stops in the middle is
//! disconnected.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use crate::id::IdFinder;
use crate::message::MESSAGE_LIMIT_BYTES;

/// How long each part of the body may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much of a body that is too long is read, to find the id for the answer.
const SKIPPED_LIMIT_BYTES: usize = 16 * MESSAGE_LIMIT_BYTES;

/// Reads a body. If it is too long, only the id is kept.
pub(crate) async fn read(body: Incoming) -> Result<Result<Bytes, IdFinder>, Broken> {
    let mut body = Limited::new(body);
    let (mut read, mut finder, mut length) = (Vec::new(), IdFinder::default(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        length += data.len();
        finder.read(&data);
        if length <= MESSAGE_LIMIT_BYTES {
            read.extend_from_slice(&data);
        } else {
            read = Vec::new();
        }
        if length > SKIPPED_LIMIT_BYTES {
            break;
        }
    }
    Ok(if length > MESSAGE_LIMIT_BYTES {
        Err(finder)
    } else {
        Ok(read.into())
    })
}

/// A body with a limit on its time.
struct Limited {
    inner: Incoming,
    limit: Pin<Box<Sleep>>,
}

/// Why reading a body failed.
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
    fn new(inner: Incoming) -> Self {
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
