"""An HTTP and WebSocket server that tells what it got, in the place of previewd."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web


@dataclass
class EchoServer:
    url: str = ""
    #: Set by a test where a stream is to go on.
    go_on: threading.Event = field(default_factory=threading.Event)
    #: Set where a client of a stream went away.
    was_left: threading.Event = field(default_factory=threading.Event)
    #: Of the sockets that are closed, in order.
    close_codes: queue.Queue[int | None] = field(default_factory=queue.Queue)
    paths: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.paths.append(request.path)
        if request.headers.get("upgrade") == "websocket":
            return await self._talk(request)
        if request.path.endswith("/stream"):
            return await self._stream(request)
        body = await request.read()
        got = {
            "method": request.method,
            "path": request.raw_path,
            "headers": [[name.lower(), value] for name, value in request.headers.items()],
            "body": body.decode(),
        }
        answer = web.json_response(got, status=207)
        for name, value in (
            ("Connection", "X-Hop"),
            ("X-Hop", "1"),
            ("Keep-Alive", "timeout=5"),
            ("Set-Cookie", "a=1; Path=/"),
            ("Set-Cookie", "__Host-previewd-demo=t; Secure"),
            ("Clear-Site-Data", '"*"'),
            ("X-Own", "kept"),
        ):
            answer.headers.add(name, value)
        return answer

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"first ")
        while not self.go_on.is_set():
            await asyncio.sleep(0.01)
            if request.transport is None or request.transport.is_closing():
                self.was_left.set()
                return answer
        await answer.write(b"second")
        return answer

    async def _talk(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("echo",))
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT and message.data == "leave":
                await socket.close(code=4001)
            elif message.type is WSMsgType.TEXT:
                await socket.send_str(message.data)
            else:
                await socket.send_bytes(message.data)
        self.close_codes.put(socket.close_code)
        return socket


@contextlib.contextmanager
def echo_server() -> Iterator[EchoServer]:
    server, loop, started = EchoServer(), asyncio.new_event_loop(), threading.Event()

    async def start() -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", server.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        address: Any = runner.addresses[0]
        server.url = f"http://127.0.0.1:{address[1]}"
        return runner

    def run() -> None:
        runner = loop.run_until_complete(start())
        started.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    started.wait()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
