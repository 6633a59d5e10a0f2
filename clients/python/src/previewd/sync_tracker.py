"""The tracker for code without an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, TypeVar

from ._settings import Settings
from ._stream import StreamResult, TrackerOptions
from ._tracked_files import Content
from .aio_client import AsyncPreviewdClient
from .models import WaitPoint
from .tracker import StreamTracker

T = TypeVar("T")


class SyncStreamTracker:
    """What ``StreamTracker`` is, in a thread of its own, which ends with ``finish``."""

    def __init__(
        self, settings: Settings, project_id: str, options: TrackerOptions | None = None
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name=f"previewd-{project_id}", daemon=True
        )
        self._thread.start()
        self._result: StreamResult | None = None
        self._client, self._tracker = self._wait_for(_open(settings, project_id, options))

    def file_started(self, path: str) -> None:
        """The model begins a file; what it wrote of it before is forgotten."""
        self._tracker.file_started(path)

    def file_chunk(self, path: str, text: str) -> None:
        """The next piece of a file that was started."""
        self._tracker.file_chunk(path, text)

    def file_finished(self, path: str, content: Content | None = None) -> None:
        """The file is whole: what its chunks say, or ``content``."""
        self._tracker.file_finished(path, content)

    def file_deleted(self, path: str) -> None:
        """The file is to go; it does with the last batch."""
        self._tracker.file_deleted(path)

    def finish(self, *, wait: WaitPoint | None = None, timeout_ms: int = 30_000) -> StreamResult:
        """Sends what is left, and tells what became of everything. Never raises."""
        if self._result is None:
            self._result = self._wait_for(self._tracker.finish(wait=wait, timeout_ms=timeout_ms))
            self._wait_for(self._client.close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
        return self._result

    def __enter__(self) -> SyncStreamTracker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.finish()

    def _wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


async def _open(
    settings: Settings, project_id: str, options: TrackerOptions | None
) -> tuple[AsyncPreviewdClient, StreamTracker]:
    client = AsyncPreviewdClient(settings.url, settings.api_key)
    return client, client.projects.at(project_id).track_stream(options)
