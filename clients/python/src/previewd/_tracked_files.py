"""The files of one stream: those being written, and those that wait to be sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from ._references import coherent, references_of

#: More are not weighed against each other: that takes time, and the stream goes on meanwhile.
_MOST_WEIGHED = 500

Content = str | bytes


@dataclass(frozen=True)
class Waiting:
    """A file to send. ``content`` None: it is deleted.

    ``is_aside``: the server refused the batch that it was in, so it goes with the last one.
    """

    content: Content | None
    references: list[str] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)
    is_aside: bool = False

    @property
    def size(self) -> int:
        return 0 if self.content is None else len(self.content)

    @property
    def may_go(self) -> bool:
        return self.content is not None and not self.is_aside


Batch = dict[str, Waiting]


class TrackedFiles:
    """Holds no more than ``most_chars``; any thread may call."""

    def __init__(self, most_chars: int) -> None:
        self._most = most_chars
        self._size = 0
        self._open: dict[str, list[str]] = {}
        self._waiting: Batch = {}
        self._lock = threading.Lock()

    def open_paths(self) -> list[str]:
        """Files that were begun and not finished."""
        with self._lock:
            return list(self._open)

    def start(self, path: str) -> None:
        with self._lock:
            self._close(path)
            self._open[path] = []

    def append(self, path: str, text: str) -> bool:
        """False where there is no room for it: the file is dropped."""
        with self._lock:
            chunks = self._open.get(path)
            if chunks is None:
                return True
            if self._size + len(text) > self._most:
                self._close(path)
                return False
            chunks.append(text)
            self._size += len(text)
            return True

    def end(self, path: str) -> str | None:
        """What was written of it; None where the file was not begun."""
        with self._lock:
            return "".join(self._close(path)) if path in self._open else None

    def put(self, path: str, content: Content | None) -> bool:
        """False where there is no room for it. ``content`` None: the file is deleted."""
        references = references_of(path, content) if isinstance(content, str) else []
        waiting = Waiting(content, references)
        with self._lock:
            self._close(path)
            self._remove(path)
            if self._size + waiting.size > self._most:
                return False
            self._add(path, waiting)
            return True

    def take_coherent(self, has: Callable[[str], bool], hold_ms: int) -> Batch:
        """Takes what can be shown, and what waited for longer than ``hold_ms``.

        Shown can be what needs nothing but each other and what is there. Deletions stay until the
        end, since what names the file may be rewritten only then.
        """
        oldest = time.monotonic() - hold_ms / 1000
        with self._lock:
            ready = {path: item for path, item in self._waiting.items() if item.may_go}
            if len(ready) > _MOST_WEIGHED:
                return self._take(ready)
            needs = {
                path: item.references if item.since > oldest else [] for path, item in ready.items()
            }
            group = coherent(needs, has)
            return self._take(path for path in ready if path in group)

    def take_all(self) -> Batch:
        with self._lock:
            return self._take(self._waiting)

    def put_back(self, batch: Batch, *, aside: bool = False) -> None:
        """What was not sent waits again, unless there is something newer."""
        with self._lock:
            for path, item in batch.items():
                if path not in self._waiting:
                    self._add(path, replace(item, is_aside=item.is_aside or aside))

    def next_overdue_s(self, hold_ms: int) -> float | None:
        """Seconds until a file will have waited for ``hold_ms``; None where none waits."""
        with self._lock:
            since = [item.since for item in self._waiting.values() if item.may_go]
        return max(0.0, min(since) + hold_ms / 1000 - time.monotonic()) if since else None

    def _take(self, paths: Iterable[str]) -> Batch:
        batch = {path: self._waiting[path] for path in paths}
        for path in batch:
            self._remove(path)
        return batch

    def _add(self, path: str, item: Waiting) -> None:
        self._waiting[path] = item
        self._size += item.size

    def _close(self, path: str) -> list[str]:
        chunks = self._open.pop(path, [])
        self._size -= sum(map(len, chunks))
        return chunks

    def _remove(self, path: str) -> None:
        item = self._waiting.pop(path, None)
        self._size -= item.size if item else 0
