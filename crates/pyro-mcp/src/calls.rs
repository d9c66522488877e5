//! *Calls* are the running operations. They have a thread of their own: a VMM dies with the thread
//! that started it, so this thread lives as long as the server, and an operation that blocks there
//! does not delay the handling of messages.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use pyro_engine::operation::Entry;
use pyro_engine::{Config, Context, Engine, Error, Listener, Permissions};
use serde_json::Value;
use tokio::runtime::{Builder, Handle};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// How long cancelled operations may take to end their machines and processes.
const END_LIMIT: Duration = Duration::from_secs(5);

/// All calls of one server.
#[derive(Debug)]
pub(crate) struct Calls {
    engine: Arc<Engine>,
    thread: Handle,
    under_way: TaskTracker,
    cancel: CancellationToken,
    /// On drop, ends the thread, and with it the remaining operations.
    _end: DropGuard,
}

/// One call. The operation is cancelled when this is dropped.
pub(crate) struct Call {
    result: JoinHandle<Result<Value, Error>>,
    cancel: DropGuard,
    background: CancellationToken,
}

impl Calls {
    pub(crate) fn start(config: Config) -> Result<Self, crate::Error> {
        let engine = Arc::new(Engine::open(config)?);
        Self::start_with(engine).map_err(|source| crate::Error::Resource {
            action: "start a thread",
            source,
        })
    }

    fn start_with(engine: Arc<Engine>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let thread = runtime.handle().clone();
        let end = CancellationToken::new();
        let ended = end.clone();
        std::thread::Builder::new()
            .name("calls".into())
            .spawn(move || {
                runtime.block_on(ended.cancelled());
                runtime.shutdown_background();
            })?;
        Ok(Self {
            engine,
            thread,
            under_way: TaskTracker::new(),
            cancel: CancellationToken::new(),
            _end: end.drop_guard(),
        })
    }

    /// Starts an operation.
    pub(crate) fn call(
        &self,
        entry: &'static Entry,
        request: Value,
        listener: Listener,
        permissions: Permissions,
    ) -> Call {
        let cancel = self.cancel.child_token();
        // A command has no input: standard input carries the client's messages.
        let background = CancellationToken::new();
        let context = Context {
            listener,
            permissions,
            cancel: cancel.clone(),
            background: background.clone(),
            ..Context::default()
        };
        let engine = Arc::clone(&self.engine);
        let work = async move { engine.call(entry, request, context).await };
        Call {
            result: self.under_way.spawn_on(work, &self.thread),
            cancel: cancel.drop_guard(),
            background,
        }
    }

    /// Cancels all calls and waits until all their machines and processes have ended.
    pub(crate) async fn end(&self) {
        self.cancel.cancel();
        self.under_way.close();
        let ended = tokio::time::timeout(END_LIMIT, self.under_way.wait()).await;
        if ended.is_err() {
            tracing::warn!("operations did not end within {END_LIMIT:?}");
        }
    }
}

impl Call {
    /// Waits for the result; there is none if the operation panicked.
    pub(crate) async fn result(&mut self) -> Option<Result<Value, Error>> {
        let result = (&mut self.result).await;
        result
            .inspect_err(|error| tracing::error!(%error, "an operation broke off"))
            .ok()
    }

    /// Has the command of a workspace go on without the call, which then returns.
    pub(crate) fn send_to_background(&self) {
        self.background.cancel();
    }

    /// Cancels the operation and waits until its machines and processes have ended.
    pub(crate) async fn cancel(self) {
        drop(self.cancel);
        // The result of a cancelled call is dropped.
        let _ = self.result.await;
    }
}
