"""Calls over ``http.client``: one connection each, so that any thread may call."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Generator, Iterator
from urllib.parse import urlsplit

from ._answer import Answer
from ._call import Call
from ._retry import RetryPolicy, is_done_before
from ._settings import Settings
from ._subscription import Subscription
from ._version import USER_AGENT
from .errors import PreviewdConnectionError, PreviewdTimeout
from .models import Event

_CHUNK_BYTES = 64 * 1024


class Transport:
    """Sends calls, and sends them again where that is safe."""

    def __init__(self, settings: Settings, policy: RetryPolicy) -> None:
        self.settings = settings
        self.policy = policy

    def send(self, call: Call) -> Answer:
        """Raises ``PreviewdError`` where the server refuses, or does not answer."""
        attempt = 1
        while True:
            pause_ms: float | None
            try:
                answer = self._attempt(call)
            except PreviewdConnectionError:
                pause_ms = self.policy.after_failure(call, attempt)
                if pause_ms is None:
                    raise
            else:
                if answer.is_ok or is_done_before(call, answer, attempt):
                    return answer
                pause_ms = self.policy.after_answer(call, answer, attempt)
                if pause_ms is None:
                    raise answer.to_error()
            time.sleep(pause_ms / 1000)
            attempt += 1

    def follow(
        self, call: Call, timeout_ms: int | None = None, after: int | None = None
    ) -> Generator[Event, None, None]:
        """Events as they come, over as many connections as it takes."""
        subscription = Subscription(call, self.policy, timeout_ms, after)
        while True:
            try:
                for chunk in self._stream(subscription):
                    yield from subscription.read(chunk)
            except (PreviewdConnectionError, PreviewdTimeout):
                pass  # The pause below counts it, and raises where this was one too many.
            time.sleep(subscription.pause_ms() / 1000)

    def _attempt(self, call: Call) -> Answer:
        with self._opened(call, call.timeout_ms / 1000) as (_, response):
            return _to_answer(response, response.read())

    def _stream(self, subscription: Subscription) -> Iterator[bytes]:
        call = subscription.next_call()
        with self._opened(call, subscription.silence_s()) as (connection, response):
            if response.status != 200:
                answer = _to_answer(response, response.read())
                if self.policy.after_answer(call, answer, 1) is not None:
                    return
                raise answer.to_error()
            while chunk := response.read1(_CHUNK_BYTES):
                yield chunk
                if connection.sock is not None:
                    connection.sock.settimeout(subscription.silence_s())

    @contextlib.contextmanager
    def _opened(
        self, call: Call, timeout_s: float
    ) -> Iterator[tuple[http.client.HTTPConnection, http.client.HTTPResponse]]:
        base = urlsplit(self.settings.url)
        secure = base.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(base.hostname or "", base.port, timeout=timeout_s)
        try:
            connection.request(
                call.method,
                base.path + call.target,
                call.body,
                {"User-Agent": USER_AGENT, **call.headers, **self.settings.authorization},
            )
            with connection.getresponse() as response:
                yield connection, response
        except TimeoutError:
            raise PreviewdTimeout(f"{self.settings.url} did not answer in time.") from None
        except (OSError, http.client.HTTPException) as error:
            # Not the error's own words: those of http.client may quote what was sent.
            reason = error.strerror if isinstance(error, OSError) else None
            raise PreviewdConnectionError(
                f"{self.settings.url} cannot be reached: {reason or type(error).__name__}."
            ) from None
        finally:
            connection.close()


def _to_answer(response: http.client.HTTPResponse, body: bytes) -> Answer:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, body)
