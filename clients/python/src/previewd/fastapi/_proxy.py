"""Passes requests on to previewd and its answers back, as they stream, in plain ASGI."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import aiohttp
from yarl import URL

from ._headers import to_client, to_upstream
from ._pages import away_answer

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_CONNECT_S = 5.0
#: A dev server may take long for its first page; event streams say something every 15 seconds.
_SILENCE_S = 150.0
_CHUNK_BYTES = 64 * 1024
_CONNECTIONS = 256


class Connections:
    """The connections to one server, for the event loop that asks; they end with that loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: aiohttp.ClientSession | None = None
        self._keeper: asyncio.Task[None] | None = None

    def session(self) -> aiohttp.ClientSession:
        """Cookies are not kept, redirects not followed, bodies not unpacked."""
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            self._loop = loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(sock_connect=_CONNECT_S, sock_read=_SILENCE_S),
            )
            self._keeper = loop.create_task(_close_at_the_end(self._session))
        return self._session


async def _close_at_the_end(session: aiohttp.ClientSession) -> None:
    """A loop that ends cancels what runs in it, and lets it finish."""
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await session.close()


async def proxy_http(
    session: aiohttp.ClientSession,
    url: URL,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    host: str | None,
) -> None:
    """Answers a request with what ``url`` answers. ``host``: see ``to_upstream``."""
    body = RequestBody(receive)
    headers = to_upstream(scope, host=host)
    sent = body if "Content-Length" in headers or _is_chunked(scope) else None
    if sent is None:
        body.skip()
    gone = asyncio.create_task(body.client_gone())
    try:
        passing = asyncio.create_task(_pass_on(session, url, scope, send, headers, sent, host))
        try:
            await asyncio.wait({gone, passing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not passing.done():
                passing.cancel()
            # Who went away is told nothing; everything else is raised here.
            with contextlib.suppress(asyncio.CancelledError):
                await passing
    finally:
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)


async def _pass_on(
    session: aiohttp.ClientSession,
    url: URL,
    scope: Scope,
    send: Send,
    headers: Any,
    body: RequestBody | None,
    host: str | None,
) -> None:
    has_begun = False
    try:
        async with session.request(
            scope["method"],
            url,
            headers=headers,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            data=None if body is None else body.chunks(),
            allow_redirects=False,
        ) as answer:
            passed = to_client(answer.raw_headers, below_path=host is not None)
            await send({"type": "http.response.start", "status": answer.status, "headers": passed})
            has_begun = True
            # Each piece as it comes: an event stream must not wait for more.
            while chunk := await answer.content.readany():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError):
        # Where the answer has begun, only the connection can say that it failed.
        if has_begun:
            raise
        status, away, text = away_answer(scope)
        await send({"type": "http.response.start", "status": status, "headers": away})
        await send({"type": "http.response.body", "body": text})


class RequestBody:
    """What the client sends. Its end, and that the client went away, come the same way."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_read = asyncio.Event()

    def skip(self) -> None:
        """There is no body: what comes next is that the client went away."""
        self._is_read.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body in pieces, at the pace at which it is taken."""
        try:
            more = True
            while more:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise ConnectionResetError
                more = message.get("more_body", False)
                if chunk := message.get("body", b""):
                    yield chunk
        finally:
            self._is_read.set()

    async def client_gone(self) -> None:
        """Returns when the client is gone."""
        await self._is_read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _is_chunked(scope: Scope) -> bool:
    return any(name == b"transfer-encoding" for name, _ in scope["headers"])
