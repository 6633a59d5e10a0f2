"""Server-sent events (WHATWG HTML, 9.2) out of bytes as they come."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .models import Event

#: A longer event is no event of previewd's.
_MOST_CHARACTERS = 16 * 1024 * 1024


class BrokenStream(Exception):
    """What came is no stream of events."""


@dataclass
class EventParser:
    """``feed`` it what arrives. ``last_id`` is where a new connection has to go on."""

    last_id: int | None = None
    _line: str = ""
    _type: str = ""
    _id: int | None = None
    _data: list[str] = field(default_factory=list)
    _size: int = 0
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Gives the events that are whole now. Raises ``BrokenStream``."""
        *lines, self._line = (self._line + self._decoder.decode(chunk)).split("\n")
        for line in lines:
            event = self._take(line.removesuffix("\r"))
            if event is not None:
                yield event
        if len(self._line) + self._size > _MOST_CHARACTERS:
            raise BrokenStream

    def _take(self, line: str) -> Event | None:
        if line == "":
            return self._finish()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
            self._size += len(value)
        elif name == "event":
            self._type = value
        elif name == "id":
            # An id that is no number is none of previewd's.
            self._id = int(value) if value.isdecimal() else None
        return None

    def _finish(self) -> Event | None:
        text, kind, number = "\n".join(self._data), self._type, self._id
        self._data, self._type, self._id, self._size = [], "", None, 0
        if text == "":
            return None
        event = Event(kind or "message", _parsed(text), number)
        self.last_id = self.last_id if number is None else number
        return event


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise BrokenStream from None
