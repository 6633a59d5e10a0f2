"""Calls over aiohttp."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

import aiohttp
from yarl import URL

from ._answer import Answer
from ._call import Call
from ._retry import RetryPolicy, is_done_before
from ._settings import Settings
from ._subscription import Subscription
from ._version import USER_AGENT
from .errors import PreviewdConnectionError, PreviewdError, PreviewdTimeout
from .models import Event

_CONNECT_S = 10.0


class AioTransport:
    """Sends calls, and sends them again where that is safe. It opens at its first call."""

    def __init__(self, settings: Settings, policy: RetryPolicy) -> None:
        self.settings = settings
        self.policy = policy
        self._session: aiohttp.ClientSession | None = None
        self._is_closed = False

    async def send(self, call: Call) -> Answer:
        """Raises ``PreviewdError`` where the server refuses, or does not answer."""
        attempt = 1
        while True:
            pause_ms: float | None
            try:
                answer = await self._attempt(call)
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
            await asyncio.sleep(pause_ms / 1000)
            attempt += 1

    async def follow(
        self, call: Call, timeout_ms: int | None = None, after: int | None = None
    ) -> AsyncGenerator[Event, None]:
        """Events as they come, over as many connections as it takes."""
        subscription = Subscription(call, self.policy, timeout_ms, after)
        while True:
            try:
                async with contextlib.aclosing(self._stream(subscription)) as chunks:
                    async for chunk in chunks:
                        for event in subscription.read(chunk):
                            yield event
            except (PreviewdConnectionError, PreviewdTimeout):
                pass  # The pause below counts it, and raises where this was one too many.
            await asyncio.sleep(subscription.pause_ms() / 1000)

    async def close(self) -> None:
        """Ends the connections; no call is made afterwards."""
        self._is_closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _attempt(self, call: Call) -> Answer:
        timeout = aiohttp.ClientTimeout(total=call.timeout_ms / 1000, sock_connect=_CONNECT_S)
        async with self._opened(call, timeout) as response:
            return _to_answer(response, await response.read())

    async def _stream(self, subscription: Subscription) -> AsyncGenerator[bytes, None]:
        call = subscription.next_call()
        silence_s = subscription.silence_s()
        timeout = aiohttp.ClientTimeout(sock_connect=_CONNECT_S, sock_read=silence_s)
        async with self._opened(call, timeout) as response:
            if response.status != 200:
                answer = _to_answer(response, await response.read())
                if self.policy.after_answer(call, answer, 1) is not None:
                    return
                raise answer.to_error()
            while chunk := await asyncio.wait_for(
                response.content.readany(), subscription.silence_s()
            ):
                yield chunk

    @contextlib.asynccontextmanager
    async def _opened(
        self, call: Call, timeout: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._is_closed:
            raise PreviewdError("INVALID_OPTIONS", "The client is closed.")
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
            # Newer versions repeat calls by themselves, behind the policy's back.
            setattr(self._session, "_retry_connection", False)  # noqa: B010
        base = self.settings.url
        # Encoded by us: a path that is a file's name must arrive as it is.
        url = URL(base + call.target, encoded=True)
        headers = {"User-Agent": USER_AGENT, **call.headers, **self.settings.authorization}
        try:
            async with self._session.request(
                call.method,
                url,
                data=call.body,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                yield response
        except asyncio.TimeoutError:
            raise PreviewdTimeout(f"{base} did not answer in time.") from None
        except (aiohttp.ClientError, OSError) as error:
            # Not the error's own words: they may quote what was sent.
            reason = error.strerror if isinstance(error, OSError) else None
            raise PreviewdConnectionError(
                f"{base} cannot be reached: {reason or type(error).__name__}."
            ) from None


def _to_answer(response: aiohttp.ClientResponse, body: bytes) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, headers, body)
