"""What came back, read the same way by both clients."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ._decode import MalformedAnswer, decode
from .errors import PreviewdError

T = TypeVar("T")

_PROBLEM_MEMBERS = frozenset({"type", "title", "status", "detail", "code", "error"})


@dataclass(frozen=True)
class Answer:
    """A whole answer; the names of ``headers`` are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300

    def to_error(self) -> PreviewdError:
        """The refusal as an exception. An answer that is no problem of previewd's is not quoted."""
        try:
            problem = json.loads(self.body)
            code, detail = problem["code"], problem["detail"]
        except (ValueError, KeyError, TypeError):
            return PreviewdError(
                _foreign_code(self.status),
                f"The server answered with status {self.status}, and not as previewd does.",
                status=self.status,
            )
        extra = {name: problem[name] for name in problem if name not in _PROBLEM_MEMBERS}
        return PreviewdError(str(code), str(detail), status=self.status, extra=extra)

    def read(self, model: type[T]) -> T:
        """Raises ``PreviewdError`` where this is no such model."""
        try:
            return decode(model, json.loads(self.body))
        except MalformedAnswer as error:
            raise self._unexpected(str(error)) from None
        except ValueError:
            raise self._unexpected("the body is not JSON") from None

    def read_page(self, model: type[T]) -> tuple[list[T], str | None]:
        """The items of a page, and the cursor of the next one."""
        try:
            page: Any = json.loads(self.body)
            items = [decode(model, item) for item in page["items"]]
            cursor = page["nextCursor"]
        except (ValueError, KeyError, TypeError) as error:
            raise self._unexpected(f"no page of {model.__name__}") from error
        return items, None if cursor is None else str(cursor)

    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def _unexpected(self, what: str) -> PreviewdError:
        detail = f"The server's answer is not what this client knows: {what}."
        return PreviewdError("INVALID_ANSWER", detail, status=self.status)


def _foreign_code(status: int) -> str:
    return "REDIRECTED" if 300 <= status < 400 else "INVALID_ANSWER"
