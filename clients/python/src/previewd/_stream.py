"""What a stream is sent with, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from ._tracked_files import Content
from .errors import PreviewdError
from .models import AppliedChanges, Status


@dataclass(frozen=True)
class Dropped:
    """A file that is held no longer. ``reason``: why; ``error``: what the server said."""

    path: str
    reason: Literal["unfinished", "refused", "no_room"]
    error: PreviewdError | None = None


@dataclass(frozen=True)
class StreamResult:
    """What became of a stream.

    ``sent``: paths whose last content, or deletion, was applied. ``unsent`` and ``deleted``: what
    was not; give them to ``apply_changes`` later, or ``sync``. ``dropped`` is neither.
    ``status``: how the project stood after the last batch.
    """

    sent: list[str]
    unsent: dict[str, Content]
    deleted: list[str]
    dropped: list[Dropped]
    status: Status | None

    @property
    def is_complete(self) -> bool:
        """Whether previewd has everything that the model wrote."""
        return not (self.unsent or self.deleted or self.dropped)


@dataclass(frozen=True)
class TrackerOptions:
    """How a stream is sent.

    ``live`` starts a live session with the first files, so that each further one shows at once.
    ``max_hold_ms`` is how long a file waits for those that it imports, ``max_buffered_chars`` what
    may wait in memory. ``on_error`` and ``on_sent`` are called on the event loop.
    """

    live: bool = True
    max_hold_ms: int = 30_000
    max_buffered_chars: int = 32_000_000
    on_error: Callable[[PreviewdError], None] | None = None
    on_sent: Callable[[AppliedChanges], None] | None = None


@dataclass
class Progress:
    """What is known of the project, and of the files that are no longer held."""

    #: Paths that the project has; None until the server told.
    known: set[str] | None = None
    sent: dict[str, None] = field(default_factory=dict)
    dropped: dict[str, Dropped] = field(default_factory=dict)
    status: Status | None = None
