from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Literal

__version__: str

class Engine:
    def __new__(
        cls,
        variables: Mapping[str, str],
        methods: dict[str, str],
        *,
        base_dir: str | PathLike[str] | None = None,
        cache_dir: str | PathLike[str] | None = None,
        active_limit: int | None = None,
        program: str | PathLike[str] | None = None,
    ) -> Engine: ...
    def call(
        self,
        operation: str,
        request: str,
        *,
        on_output: Callable[[Literal["stdout", "stderr"], bytes], object] | None = None,
        on_news: Callable[[Literal["info", "warning"], str], object] | None = None,
        wanted: Callable[[], bool] | None = None,
    ) -> str: ...
    def discard(self, operation: str, response: str) -> None: ...
    @property
    def cache_dir(self) -> Path: ...
    @property
    def base_dir(self) -> Path: ...
    @property
    def active_limit(self) -> int: ...
