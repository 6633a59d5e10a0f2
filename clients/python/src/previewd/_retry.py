"""When a call is sent again, and after which pause."""

from __future__ import annotations

import random
from dataclasses import dataclass

from ._answer import Answer
from ._call import Call

_BUSY = frozenset({429, 502, 503, 504})
#: Refused before anything was done, so that even a call that must not be repeated may be.
_REFUSED = frozenset({429, 503})


@dataclass(frozen=True)
class RetryPolicy:
    """``retries`` further attempts, with pauses that double from ``first_ms`` up to ``most_ms``.

    Each pause is shortened by chance by up to a half, so that clients that failed together do not
    come back together.
    """

    retries: int = 3
    first_ms: float = 200
    most_ms: float = 10_000

    def pause_ms(self, attempt: int, at_least_ms: float = 0) -> float:
        """Before the attempt with this number, counted from 1."""
        longest = min(self.most_ms, self.first_ms * 2.0 ** (attempt - 1))
        # Jitter, no secret.
        return max(at_least_ms, longest * random.uniform(0.5, 1))  # noqa: S311

    def after_answer(self, call: Call, answer: Answer, attempt: int) -> float | None:
        """Milliseconds to wait before attempt ``attempt``; None where the answer is to be taken."""
        if attempt > self.retries:
            return None
        if answer.status not in (_BUSY if call.can_repeat else _REFUSED):
            return None
        asked_ms = _retry_after_ms(answer)
        # A server that wants a longer pause is not served by asking earlier.
        return None if asked_ms > self.most_ms else self.pause_ms(attempt, asked_ms)

    def after_failure(self, call: Call, attempt: int) -> float | None:
        """The same for an attempt that got no answer."""
        if attempt > self.retries or not call.can_repeat:
            return None
        return self.pause_ms(attempt)


def _retry_after_ms(answer: Answer) -> float:
    value = answer.headers.get("retry-after", "")
    return float(value) * 1000 if value.isdecimal() else 0


def is_done_before(call: Call, answer: Answer, attempt: int) -> bool:
    """True for a repeated DELETE that finds nothing: the first one worked, its answer was lost."""
    return call.method == "DELETE" and answer.status == 404 and attempt > 1
