"""A peer that answers as it is told, for what a healthy server never does."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class ScriptedServer:
    """Answers its connections with ``answers``, one each, and closes them; ``b""`` says nothing.

    It is gone after the last one. Without any, it takes connections and never answers.
    """

    url: str
    requests: list[bytes] = field(default_factory=list)


def http_answer(status: int, body: str = "", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@contextlib.contextmanager
def scripted_server(*answers: bytes) -> Iterator[ScriptedServer]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = ScriptedServer(f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread = threading.Thread(target=_serve, args=(listener, server, answers), daemon=True)
        thread.start()
        yield server
        # Where fewer came than were expected, this ends the wait for them.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _serve(listener: socket.socket, server: ScriptedServer, answers: tuple[bytes, ...]) -> None:
    for answer in answers:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            server.requests.append(_read_request(connection))
            if len(server.requests) == len(answers):
                listener.close()
            connection.sendall(answer)


def _read_request(connection: socket.socket) -> bytes:
    """What came of it, where the client went away."""
    text = b""
    while b"\r\n\r\n" not in text:
        piece = connection.recv(65536)
        if not piece:
            return text
        text += piece
    head, _, body = text.partition(b"\r\n\r\n")
    length = next(
        (
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        ),
        0,
    )
    while len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            break
        body += piece
    return head + b"\r\n\r\n" + body
