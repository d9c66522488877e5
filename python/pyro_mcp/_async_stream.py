"""Work on other threads, for tasks of asyncio, and streams that wait for it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Generic, TypeVar

from pyro_mcp._manager import Wanted
from pyro_mcp._stream import Chunk, Stream
from pyro_mcp.errors import PyroRuntimeError

R = TypeVar("R")


async def on_thread(
    work: Callable[[Wanted], R], discard: Callable[[R], object] | None = None
) -> R:
    """Does the work on a separate thread, so that any number of calls can wait. If the task is
    cancelled, `discard` gets the result of work that was already done."""
    _require_asyncio()
    cancelled = threading.Event()
    delivering = threading.Lock()
    future: concurrent.futures.Future[R] = concurrent.futures.Future()

    def wanted() -> bool:
        # An interpreter that exits waits for this thread.
        return not cancelled.is_set() and threading.main_thread().is_alive()

    def run() -> None:
        try:
            result = work(wanted)
            with delivering:
                delivered = not cancelled.is_set()
                if delivered:
                    future.set_result(result)
            if not delivered:
                if discard is not None:
                    discard(result)
                future.set_result(result)
        except BaseException as error:  # noqa: BLE001 - the awaiting task gets it
            future.set_exception(error)

    threading.Thread(target=run, name="pyro-call").start()
    waiting = asyncio.wrap_future(future)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        with delivering:
            cancelled.set()
            delivered = future.done()
        if delivered and discard is not None and future.exception() is None:
            result = future.result()
            await on_thread(lambda _: discard(result))
        while not waiting.done():
            # anyio repeats the cancellation until it comes out.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([waiting])
        # The task is cancelled, so the outcome is not reported.
        waiting.exception()
        raise


def _require_asyncio() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise PyroRuntimeError(
            "AsyncPyro needs asyncio, and no event loop of asyncio is running",
            "not_asyncio",
            remedy="with trio, call the methods of `Pyro` with `trio.to_thread.run_sync`",
            retry_safe=True,
        ) from None


class AsyncStream(AsyncIterator[Chunk], Generic[R]):
    """Iterates over the output of a call, as `Stream` does."""

    def __init__(self, stream: Stream[R]) -> None:
        self._stream = stream

    async def __anext__(self) -> Chunk:
        chunk = await on_thread(self._stream.next)
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    @property
    def result(self) -> R:
        """The result of the call, once the stream is exhausted."""
        return self._stream.result

    async def close(self) -> None:
        """Cancels the call unless it has ended, and waits until all that it started has ended."""
        await on_thread(lambda _: self._stream.close())

    async def __aenter__(self) -> AsyncStream[R]:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
