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


#: Connections without an event between them, once there was one: minutes of a server that is away.
_RECONNECTS = 20
_LONGEST_PAUSE_MS = 15_000


@dataclass
class Subscription:
    """Reads one connection after the other: each goes on after the last event of the one before.

    ``timeout_ms`` bounds it as a whole; ``after`` is the id of the event to go on after.
    """

    call: Call
    policy: RetryPolicy
    timeout_ms: int | None = None
    after: int | None = None
    _parser: EventParser = field(default_factory=EventParser)
    _failures: int = 0
    _was_connected: bool = False
    _started: float = field(default_factory=time.monotonic)

    def next_call(self) -> Call:
        """The request that opens the next connection."""
        self._parser = EventParser(self.after)
        headers = {"Accept": "text/event-stream"}
        if self.after is not None:
            headers["Last-Event-ID"] = str(self.after)
        return replace(self.call, headers=headers)

    def read(self, chunk: bytes) -> Iterator[Event]:
        """The events that are whole with this chunk."""
        try:
            for event in self._parser.feed(chunk):
                self._failures, self._was_connected = 0, True
                if event.type == "error":
                    # This reader fell behind: the next connection begins anew, with the status.
                    self.after = None
                    return
                self.after = self._parser.last_id
                yield event
        except BrokenStream:
            raise PreviewdConnectionError("What the server sent is no stream of events.") from None

    def pause_ms(self) -> float:
        """Before the next connection. Raises where the time is over, or too many were in vain."""
        self.silence_s()
        self._failures += 1
        if self._failures > (_RECONNECTS if self._was_connected else self.policy.retries):
            raise PreviewdConnectionError("The stream of events broke for good.")
        return min(_LONGEST_PAUSE_MS, self.policy.pause_ms(self._failures))

    def silence_s(self) -> float:
        """Seconds to wait for the next bytes. Raises ``PreviewdTimeout``."""
        if self.timeout_ms is None:
            return _SILENCE_S
        left = self._started + self.timeout_ms / 1000 - time.monotonic()
        if left <= 0:
            raise PreviewdTimeout(f"It did not happen within {self.timeout_ms} ms.")
        return min(_SILENCE_S, left)
