"""Follows a model while it writes files, and sends them on their way while it writes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from types import TracebackType
from typing import TYPE_CHECKING

from ._sender import Sender, logger
from ._stream import Dropped, StreamResult, TrackerOptions
from ._tracked_files import Content
from .errors import PreviewdError, PreviewdTimeout
from .models import WaitPoint

if TYPE_CHECKING:
    from .aio_project import AsyncProject


class StreamTracker:
    """Sends each file on its way as soon as the project can be shown with it.

    A file waits for those that it imports, and what is finished while a call is under way goes
    with the next one. The ``file_...`` methods never raise and never wait, whatever happens to
    previewd, and any thread may call them: what fails is logged (``previewd``), calls pause ever
    longer, files wait in memory within a bound, and ``finish`` says what did not arrive.

    Made inside a running event loop, by ``project.track_stream()``.
    """

    def __init__(self, project: AsyncProject, options: TrackerOptions | None = None) -> None:
        self._project_id = project.id
        self._sender = Sender(project, options or TrackerOptions())
        self._loop = asyncio.get_running_loop()
        self._is_over = False
        self._result: StreamResult | None = None
        self._worker = self._loop.create_task(self._sender.run())

    def file_started(self, path: str) -> None:
        """The model begins a file; what it wrote of it before is forgotten."""
        if self._accepts(path):
            self._sender.progress.dropped.pop(path, None)
            self._sender.files.start(path)

    def file_chunk(self, path: str, text: str) -> None:
        """The next piece of a file that was started."""
        if self._accepts(path, text) and not self._sender.files.append(path, text):
            self._drop(path)

    def file_finished(self, path: str, content: Content | None = None) -> None:
        """The file is whole: what its chunks say, or ``content``."""
        if not self._accepts(path, "" if content is None else content):
            return
        written = self._sender.files.end(path) if content is None else content
        if written is not None:
            self._put(path, written)
        elif path not in self._sender.progress.dropped:
            self._sender.tell(PreviewdError("INVALID_OPTIONS", f"{path} was not started."))

    def file_deleted(self, path: str) -> None:
        """The file is to go; it does with the last batch, when nothing names it any more."""
        if self._accepts(path):
            self._put(path, None)

    async def finish(
        self, *, wait: WaitPoint | None = None, timeout_ms: int = 30_000
    ) -> StreamResult:
        """Sends what is left, deletions too, and tells what became of everything. Never raises.

        It has to be called for each tracker; ``async with`` does.

        ``wait`` until the last files reached this point; ``timeout_ms`` bounds all of it.
        """
        if self._result is not None:
            return self._result
        self._is_over = True
        end = time.monotonic() + timeout_ms / 1000
        for path in self._sender.files.open_paths():
            self._sender.progress.dropped[path] = Dropped(path, "unfinished")
        try:
            await asyncio.wait_for(self._finish(wait, end), timeout_ms / 1000)
        except asyncio.TimeoutError:
            detail = f"The stream of {self._project_id} was not sent within {timeout_ms} ms."
            self._sender.tell(PreviewdTimeout(detail))
        except PreviewdError as error:
            self._sender.tell(error)
        except Exception:
            # A mistake of this client must not be one of the stream.
            logger.exception("The stream of %s was not sent", self._project_id)
        finally:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
            await self._sender.close()
        self._result = self._sender.result()
        return self._result

    async def __aenter__(self) -> StreamTracker:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.finish()

    def _accepts(self, path: str, content: object = "") -> bool:
        if not isinstance(path, str) or not isinstance(content, (str, bytes)):
            self._sender.tell(
                PreviewdError("INVALID_OPTIONS", "A path is a str, content str or bytes.")
            )
        elif self._is_over:
            detail = f"{path} came after the end of the stream."
            self._sender.tell(PreviewdError("INVALID_OPTIONS", detail))
        else:
            return True
        return False

    def _put(self, path: str, content: Content | None) -> None:
        self._sender.progress.dropped.pop(path, None)
        self._sender.progress.sent.pop(path, None)
        if not self._sender.files.put(path, content):
            self._drop(path)
            return
        # The loop may have ended before the stream did.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._sender.wake.set)

    def _drop(self, path: str) -> None:
        self._sender.progress.dropped[path] = Dropped(path, "no_room")
        detail = f"{path} was dropped: too much waits to be sent."
        self._sender.tell(PreviewdError("INVALID_OPTIONS", detail))

    async def _finish(self, wait: WaitPoint | None, end: float) -> None:
        self._sender.finishing.set()
        self._sender.wake.set()
        await asyncio.shield(self._worker)
        await self._sender.finish(wait, end)
