"""A stream: the output of a call, as it is printed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, NamedTuple, TypeVar

from pyro_mcp._manager import OnOutput, StreamName, Wanted

R = TypeVar("R")
Run = Callable[[OnOutput, Wanted], R]

# How many chunks may wait for their reader before the command does.
_WAITING_CHUNKS = 64
_LOOK_SECONDS = 0.1


class Chunk(NamedTuple):
    """A piece of output."""

    stream: StreamName
    data: bytes


class _End(Generic[R]):
    """The end of a stream: the result or the error of the call."""

    def __init__(self, result: R | None, error: BaseException | None) -> None:
        self.result = result
        self.error = error


class Stream(Iterator[Chunk], Generic[R]):
    """Iterates over the output of a call, which runs on a separate thread. Once it is
    exhausted, `result` is what the call returned; if the call failed, iterating raises that.
    Closing it, or dropping it, cancels the call."""

    def __init__(self, run: Run[R]) -> None:
        self._chunks: queue.Queue[Chunk | _End[R]] = queue.Queue(_WAITING_CHUNKS)
        self._stop = threading.Event()
        self._end: _End[R] | None = None
        # The thread has no reference to the stream, so that dropping the stream is noticed.
        arguments = (run, self._chunks, self._stop)
        self._thread = threading.Thread(target=_pump, args=arguments, name="pyro-stream")
        self._thread.start()

    def __next__(self) -> Chunk:
        chunk = self.next()
        if chunk is None:
            raise StopIteration
        return chunk

    def next(self, wanted: Wanted | None = None) -> Chunk | None:
        """The next chunk; None after the last. Cancels the call once `wanted` returns False."""
        if self._end is not None:
            return None
        while True:
            try:
                item = self._chunks.get(timeout=_LOOK_SECONDS if wanted else None)
                break
            except queue.Empty:
                if wanted and not wanted():
                    self._stop.set()
        if isinstance(item, Chunk):
            return item
        self._end = item
        if item.error is not None:
            raise item.error
        return None

    @property
    def result(self) -> R:
        """The result of the call. Its `stdout` and `stderr` are empty: they were streamed."""
        if self._end is None or self._end.result is None:
            raise RuntimeError("the stream has no result before it is exhausted")
        return self._end.result

    def close(self) -> None:
        """Cancels the call unless it has ended, and waits until all that it started has ended."""
        self._stop.set()
        self._thread.join()

    def __enter__(self) -> Stream[R]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self._stop.set()


def _pump(run: Run[R], chunks: queue.Queue[Chunk | _End[R]], stop: threading.Event) -> None:
    def wanted() -> bool:
        # An interpreter that exits waits for this thread.
        return not stop.is_set() and threading.main_thread().is_alive()

    def put(item: Chunk | _End[R]) -> None:
        while wanted():
            try:
                return chunks.put(item, timeout=_LOOK_SECONDS)
            except queue.Full:
                pass
        # The reader is gone, or must be woken.
        if isinstance(item, _End):
            if chunks.full():
                chunks.get_nowait()
            chunks.put_nowait(item)

    end: _End[R]
    try:
        end = _End(run(lambda stream, data: put(Chunk(stream, data)), wanted), None)
    except BaseException as error:  # noqa: BLE001 - whoever reads the stream gets it
        end = _End(None, error)
    put(end)
