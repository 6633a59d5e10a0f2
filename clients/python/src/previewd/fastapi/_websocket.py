"""WebSockets between a page and its preview: hot updates, and what the app itself opens."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
from yarl import URL

from ._headers import to_upstream
from ._proxy import Receive, Scope, Send

_MOST_BYTES = 16 * 1024 * 1024
#: Codes that an endpoint must not send (RFC 6455, 7.4.1).
_RESERVED = frozenset({1004, 1005, 1006, 1015})
_NORMAL, _GOING_AWAY = 1000, 1001


async def proxy_websocket(
    session: aiohttp.ClientSession, url: URL, scope: Scope, receive: Receive, send: Send
) -> None:
    """Joins a WebSocket of a preview's own origin with the one at ``url``."""
    if (await receive())["type"] != "websocket.connect":
        return
    try:
        # Its type has parameters in newer versions of aiohttp, and none in older ones.
        upstream: Any = await session.ws_connect(
            url,
            headers=to_upstream(scope, host=None),
            protocols=scope.get("subprotocols", ()),
            max_msg_size=_MOST_BYTES,
        )
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError):
        # Before it is accepted, this answers 403: a client learns no more of a refusal anyway.
        await send({"type": "websocket.close", "code": _GOING_AWAY})
        return
    tasks: list[asyncio.Task[None]] = []
    try:
        await send({"type": "websocket.accept", "subprotocol": upstream.protocol})
        tasks.append(asyncio.create_task(_to_server(upstream, receive)))
        tasks.append(asyncio.create_task(_to_page(upstream, send)))
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await upstream.close(code=_GOING_AWAY)


async def _to_server(upstream: aiohttp.ClientWebSocketResponse, receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            await upstream.close(code=_sendable(message.get("code")))
            return
        text = message.get("text")
        if text is not None:
            await upstream.send_str(text)
        else:
            await upstream.send_bytes(message.get("bytes") or b"")


async def _to_page(upstream: aiohttp.ClientWebSocketResponse, send: Send) -> None:
    async for message in upstream:
        content: dict[str, Any]
        if message.type is aiohttp.WSMsgType.TEXT:
            content = {"text": message.data}
        elif message.type is aiohttp.WSMsgType.BINARY:
            content = {"bytes": message.data}
        else:
            break
        await send({"type": "websocket.send", **content})
    await send({"type": "websocket.close", "code": _sendable(upstream.close_code)})


def _sendable(code: int | None) -> int:
    if code is None or code == 1005:
        return _NORMAL
    return _GOING_AWAY if code in _RESERVED else code
