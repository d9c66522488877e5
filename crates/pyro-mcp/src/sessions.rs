//! The *sessions* of an HTTP server are limited: each takes memory, and a client can open any
//! number in sequence.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::transport::streamable_http_server::SessionManager;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use tokio::time::Instant;

/// The limit; beyond it, the session that was idle the longest is closed.
const LIMIT: usize = 256;

/// Sessions, with the time of their last use.
#[derive(Clone, Default)]
pub(crate) struct Sessions {
    pub(crate) manager: Arc<LocalSessionManager>,
    used: Arc<Mutex<HashMap<Arc<str>, Instant>>>,
}

impl Sessions {
    /// Notes that a session is used, or was opened.
    pub(crate) async fn note(&self, id: &str) {
        let goes = {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            used.insert(id.into(), Instant::now());
            let oldest = used.iter().min_by_key(|(_, last)| **last);
            let oldest = oldest.map(|(id, _)| Arc::clone(id));
            oldest.filter(|_| used.len() > LIMIT).inspect(|id| {
                used.remove(id);
            })
        };
        if let Some(id) = goes
            && let Err(error) = self.manager.close_session(&id).await
        {
            tracing::debug!(%error, "a session was not there any more");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_one_that_was_idle_the_longest_goes() {
        let sessions = Sessions::default();
        for number in 0..LIMIT {
            sessions.note(&number.to_string()).await;
            tokio::time::advance(std::time::Duration::from_millis(1)).await;
        }
        sessions.note("0").await;
        sessions.note("new").await;
        let used = sessions.used.lock().unwrap();
        assert_eq!(used.len(), LIMIT);
        assert!(used.contains_key("0") && used.contains_key("new") && !used.contains_key("1"));
    }
}
