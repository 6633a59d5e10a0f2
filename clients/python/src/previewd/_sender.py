"""How the files of a stream reach previewd: in batches, one call at a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ._retry import RetryPolicy
from ._stream import Dropped, Progress, StreamResult, TrackerOptions
from ._tracked_files import Batch, Content, TrackedFiles
from .errors import PreviewdError
from .models import WaitPoint

if TYPE_CHECKING:
    from .aio_project import AsyncProject

logger = logging.getLogger("previewd")

_LONGEST_WAIT_MS = 120_000
#: Of what is left of the time, kept for the answer to come back.
_ANSWER_MS = 250
#: The server will say the same to the next call: only the last batch tries again.
_FINAL = frozenset({401, 403})
#: What was sent is not acceptable, whenever it is sent.
_REFUSED = frozenset({400, 409, 413, 422})


class Sender:
    """Sends what waits in ``files`` until it is told to finish."""

    def __init__(self, project: AsyncProject, options: TrackerOptions) -> None:
        self.files = TrackedFiles(options.max_buffered_chars)
        self.progress = Progress()
        self.wake = asyncio.Event()
        self.finishing = asyncio.Event()
        self._project = project
        self._options = options
        self._pauses = RetryPolicy(first_ms=250, most_ms=30_000)
        self._session_start: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Sends what fits together, while the stream goes on."""
        failures = 0
        while not self.finishing.is_set():
            self.wake.clear()
            try:
                if await self._send_what_fits():
                    failures = 0
                    continue
            except PreviewdError as error:
                self.tell(error)
                failures += 1
                final = error.status in _FINAL
                pause_s = None if final else self._pauses.pause_ms(failures) / 1000
                await _until(self.finishing, pause_s)
                continue
            except Exception:
                # A mistake of this client must not be one of the stream: the last batch remains.
                logger.exception("The files of %s wait for the end of the stream", self._project.id)
                await self.finishing.wait()
            await _until(self.wake, self.files.next_overdue_s(self._options.max_hold_ms))

    async def _send_what_fits(self) -> bool:
        """False where nothing may go yet."""
        if self.files.next_overdue_s(self._options.max_hold_ms) is None:
            return False
        if self.progress.known is None:
            self.progress.known = await self._load_known()
        known = self.progress.known
        batch = self.files.take_coherent(known.__contains__, self._options.max_hold_ms)
        if not batch:
            return False
        try:
            await self._apply(batch)
        except PreviewdError as error:
            # One that is refused waits for the end, when everything goes together.
            is_refused = _is_refusal(error)
            self.files.put_back(batch, aside=is_refused)
            if not is_refused:
                raise
            self.tell(error)
        except BaseException:
            self.files.put_back(batch)
            raise
        else:
            self._start_session()
        return True

    async def _load_known(self) -> set[str]:
        try:
            return {file.path for file in (await self._project.files()).files}
        except PreviewdError as error:
            if error.code == "PROJECT_NOT_FOUND":
                return set()
            raise

    async def _apply(self, batch: Batch, wait: WaitPoint | None = None, timeout_ms: int = 0) -> None:
        files, deleted = _split(batch)
        applied = await self._project.apply_changes(files, deleted, wait=wait, timeout_ms=timeout_ms)
        progress = self.progress
        progress.status = applied.status
        progress.known = (progress.known or set()).union(files).difference(deleted)
        progress.sent.update(dict.fromkeys(batch))
        if self._options.on_sent is not None:
            self._call(self._options.on_sent, applied)

    def _start_session(self) -> None:
        """As soon as there can be one, which takes a package.json; the files do not wait for it."""
        known = self.progress.known or ()
        has_manifest = any(path.rpartition("/")[2] == "package.json" for path in known)
        if self._options.live and self._session_start is None and has_manifest:
            self._session_start = asyncio.create_task(self._ask_for_session())

    async def _ask_for_session(self) -> None:
        try:
            await self._project.start_session()
        except PreviewdError as error:
            self.tell(error)

    async def finish(self, wait: WaitPoint | None, end: float) -> None:
        """Sends the rest. ``end`` is on the clock of ``time.monotonic``."""
        await self._send_rest(self.files.take_all())
        if wait is not None and self.progress.sent:
            left_ms = int((end - time.monotonic()) * 1000) - _ANSWER_MS
            # A batch of nothing makes no revision, and waits for the one that there is.
            await self._apply({}, wait, max(0, min(_LONGEST_WAIT_MS, left_ms)))

    async def _send_rest(self, batch: Batch) -> None:
        """In one batch; where that is refused in halves, until the unacceptable files are known."""
        if not batch:
            return
        try:
            await self._apply(batch)
        except PreviewdError as error:
            if not _is_refusal(error):
                self.files.put_back(batch)
                raise
            await self._send_halves(batch, error)
        except BaseException:
            self.files.put_back(batch)
            raise

    async def _send_halves(self, batch: Batch, error: PreviewdError) -> None:
        paths = list(batch)
        if len(paths) == 1:
            self.progress.dropped[paths[0]] = Dropped(paths[0], "refused", error)
            self.tell(error)
            return
        half = len(paths) // 2
        first, second = (
            {path: batch[path] for path in part} for part in (paths[:half], paths[half:])
        )
        try:
            await self._send_rest(first)
        except BaseException:
            self.files.put_back(second)
            raise
        await self._send_rest(second)

    async def close(self) -> None:
        """Ends what is still on its way beside the files."""
        if self._session_start is not None:
            self._session_start.cancel()
            await asyncio.gather(self._session_start, return_exceptions=True)

    def result(self) -> StreamResult:
        """What became of everything; takes what was not sent."""
        left = self.files.take_all()
        # An answer may have come for what was written anew meanwhile.
        sent = [path for path in self.progress.sent if path not in left]
        files, deleted = _split(left)
        dropped = list(self.progress.dropped.values())
        return StreamResult(sent, files, deleted, dropped, self.progress.status)

    def tell(self, error: PreviewdError) -> None:
        """Logs what failed. It is raised nowhere."""
        logger.warning("%s: %s", self._project.id, error)
        if self._options.on_error is not None:
            self._call(self._options.on_error, error)

    def _call(self, callback: Callable[..., None], argument: object) -> None:
        """What a callback raises is its own: it must not end the stream, nor what is sent of it."""
        try:
            callback(argument)
        except Exception:
            logger.exception("A callback of a stream tracker failed")


def _split(batch: Batch) -> tuple[dict[str, Content], list[str]]:
    files = {path: item.content for path, item in batch.items() if item.content is not None}
    return files, [path for path, item in batch.items() if item.content is None]


def _is_refusal(error: PreviewdError) -> bool:
    return error.status in _REFUSED or error.code == "INVALID_OPTIONS"


async def _until(event: asyncio.Event, timeout_s: float | None) -> None:
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(event.wait(), timeout_s)
