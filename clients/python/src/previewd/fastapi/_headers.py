"""Which headers a proxy passes on (RFC 9110, 7.6.1), and which are nobody else's business."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from multidict import CIMultiDict

RawHeaders = Iterable[tuple[bytes, bytes]]

_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer"
    b" transfer-encoding upgrade".split()
)
#: Whatever a Connection header names: a body without its length is read as another request.
_KEPT = frozenset({b"host", b"content-length"})
#: The server in front has answered it already.
_ANSWERED = frozenset({b"expect"})
#: The server in front says its own.
_SAID_ANEW = frozenset({b"date", b"server"})
#: Agreed on anew for the next connection.
_WEBSOCKET = b"sec-websocket-"

#: What answers below a path of the platform's own origin could do to the platform.
_BEYOND_PATH = frozenset(
    {
        b"clear-site-data",
        b"service-worker-allowed",
        b"strict-transport-security",
        b"alt-svc",
        b"nel",
        b"report-to",
        b"reporting-endpoints",
    }
)
_OWN_COOKIE = b"__host-previewd-"


def to_upstream(scope: Mapping[str, Any], *, host: str | None) -> CIMultiDict[str]:
    """The headers of a request as they are sent on.

    ``host`` names the server itself, for previews below a path: then neither the platform's
    cookies nor its credentials go along. None keeps the preview's own name, whose cookies are its.
    """
    raw: list[tuple[bytes, bytes]] = list(scope["headers"])
    dropped = _dropped(raw) | _ANSWERED
    if any(name == b"transfer-encoding" for name, _ in raw):
        # Of two lengths the one that is not counted would make a request of the rest.
        dropped |= {b"content-length"}
    sent: CIMultiDict[str] = CIMultiDict()
    for name, value in raw:
        if name in dropped or name.startswith(_WEBSOCKET):
            continue
        if host is not None and name in (b"host", b"authorization"):
            continue
        if host is not None and name == b"cookie":
            value = _own_cookies(value)
            if not value:
                continue
        sent.add(name.decode("latin-1"), value.decode("latin-1"))
    own_host = next((value for name, value in raw if name == b"host"), b"").decode("latin-1")
    if host is not None:
        sent["Host"] = host
    _add_forwarded(sent, scope, own_host)
    return sent


def to_client(raw: RawHeaders, *, below_path: bool) -> list[tuple[bytes, bytes]]:
    """The headers of an answer as they are sent on. ``below_path``: on the platform's origin."""
    headers = [(name.lower(), value) for name, value in raw]
    dropped = _dropped(headers) | _SAID_ANEW | (_BEYOND_PATH if below_path else frozenset())
    return [
        (name, value)
        for name, value in headers
        if name not in dropped
        and not (below_path and name == b"set-cookie" and not _is_own_cookie(value))
    ]


def _add_forwarded(sent: CIMultiDict[str], scope: Mapping[str, Any], host: str) -> None:
    client = scope.get("client") or ("unknown", 0)
    before = sent.get("X-Forwarded-For")
    sent["X-Forwarded-For"] = f"{before}, {client[0]}" if before else str(client[0])
    secure = scope.get("scheme") in ("https", "wss")
    sent["X-Forwarded-Proto"] = "https" if secure else "http"
    sent["X-Forwarded-Host"] = host


def _dropped(headers: RawHeaders) -> frozenset[bytes]:
    named = (
        token.strip().lower()
        for name, value in headers
        if name == b"connection"
        for token in value.split(b",")
    )
    return _HOP_BY_HOP.union(named) - _KEPT


def _own_cookies(value: bytes) -> bytes:
    return b"; ".join(pair.strip() for pair in value.split(b";") if _is_own_cookie(pair))


def _is_own_cookie(pair: bytes) -> bool:
    return pair.strip().lower().startswith(_OWN_COOKIE)
