"""Where a stream of events stands across its connections."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ._call import Call
from ._retry import RetryPolicy
from ._sse import BrokenStream, EventParser
from .errors import PreviewdConnectionError, PreviewdTimeout
from .models import Event

#: The server says something every 15 seconds; a connection that is silent for longer is dead.
_SILENCE_S = 45.0


@dataclass
class Subscription:
    """Reads one connection after the other: each goes on after the last event of the one before.

    ``timeout_ms`` bounds it as a whole.
    """

    call: Call
    policy: RetryPolicy
    timeout_ms: int | None = None
    _parser: EventParser = field(default_factory=EventParser)
    _failures: int = 0
    _started: float = field(default_factory=time.monotonic)

    def next_call(self) -> Call:
        """The request that opens the next connection."""
        last_id = self._parser.last_id
        self._parser = EventParser(last_id)
        headers = {"Accept": "text/event-stream"}
        if last_id is not None:
            headers["Last-Event-ID"] = last_id
        return replace(self.call, headers=headers)

    def read(self, chunk: bytes) -> Iterator[Event]:
        """The events that are whole with this chunk."""
        try:
            for event in self._parser.feed(chunk):
                self._failures = 0
                # What was missed is gone: the next connection begins with the status of then.
                if event.type == "error":
                    self._parser.last_id = None
                yield event
        except BrokenStream:
            raise PreviewdConnectionError("What the server sent is no stream of events.") from None

    def pause_ms(self) -> float:
        """Before the next connection. Raises where the time is over, or too many were in vain."""
        self.silence_s()
        self._failures += 1
        if self._failures > self.policy.retries:
            raise PreviewdConnectionError("The stream of events broke, and could not be opened anew.")
        return self.policy.pause_ms(self._failures)

    def silence_s(self) -> float:
        """Seconds to wait for the next bytes. Raises ``PreviewdTimeout``."""
        if self.timeout_ms is None:
            return _SILENCE_S
        left = self._started + self.timeout_ms / 1000 - time.monotonic()
        if left <= 0:
            raise PreviewdTimeout(f"It did not happen within {self.timeout_ms} ms.")
        return min(_SILENCE_S, left)
