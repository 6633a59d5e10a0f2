"""Which preview a request means, and where previewd has it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from yarl import URL

_ID = r"(?!.{0,38}--)[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?"
_PROJECT = re.compile(_ID)
_LABEL = re.compile(rf"(?:[a-z0-9]{{12}}--)?{_ID}")
_MARKER = re.compile(rb"(?:^|&)previewd=([a-z0-9-]{1,40})(?=&|$)")


def is_project(text: str) -> bool:
    """Whether this can be a project's id: a DNS label, so never more than one segment of a path."""
    return _PROJECT.fullmatch(text) is not None


def below_path(base: str, scope: Mapping[str, Any], project: str) -> URL | None:
    """Where previewd has what a request for ``/preview/{project}/...`` means.

    None where the path would lead out of the preview, however it is spelled.
    """
    raw = raw_path(scope)
    at = raw.find(f"/preview/{project}".encode())
    rest = raw[at + len(f"/preview/{project}") :]
    if at == -1 or (rest and not rest.startswith(b"/")) or _leads_out(rest):
        return None
    return _url(f"{base}/preview/{project}", rest, scope)


def at_origin(base: str, scope: Mapping[str, Any]) -> URL | None:
    """The same for a request to a preview's own name, which previewd tells by the Host header."""
    path = raw_path(scope)
    # Anything else (``@host/``) would be read as another host.
    return _url(str(URL(base).origin()), path, scope) if path.startswith(b"/") else None


def origin_location(scope: Mapping[str, Any], domain: str) -> str | None:
    """Where a page below ``/preview/{project}/`` has a name of its own."""
    raw = raw_path(scope)
    found = re.match(rb"/preview/([a-z0-9-]{1,40})(/.*)?$", raw)
    if found is None or not is_project(found[1].decode()) or _leads_out(raw):
        return None
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    port = re.search(rb":[0-9]{1,5}$", host)
    query = scope.get("query_string", b"")
    place = _text((found[2] or b"/") + (b"?" + query if query else b""))
    name = f"{found[1].decode()}.{domain}{port[0].decode() if port else ''}"
    return f"{scope.get('scheme', 'http')}://{name}{place}"


def names_preview(scope: Mapping[str, Any], domain: str) -> bool:
    """Whether the Host is a project's, or a build's, below ``domain`` (whose port does not count)."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) != 1:
        return False
    name = re.sub(r":[0-9]{1,5}$", "", hosts[0].decode("latin-1").lower()).removesuffix(".")
    label, dot, rest = name.partition(".")
    return dot == "." and rest == domain and _LABEL.fullmatch(label) is not None


def marked_location(scope: Mapping[str, Any]) -> str | None:
    """Where a reload leads of an address that a page below a path made for its own router.

    Such an address lacks the path, and names the project in its query instead.
    """
    query: bytes = scope.get("query_string", b"")
    found = _MARKER.search(query)
    if found is None or scope["method"] not in ("GET", "HEAD"):
        return None
    project = found[1].decode()
    raw = raw_path(scope)
    if not is_project(project) or _leads_out(raw) or raw.startswith(b"//"):
        return None
    rest = b"&".join(part for part in query.split(b"&") if not part.startswith(b"previewd="))
    tail = f"?{_text(rest)}" if rest else ""
    return f"/preview/{project}{_text(raw)}{tail}"


def raw_path(scope: Mapping[str, Any]) -> bytes:
    """The path as it was sent: an encoded slash must stay one."""
    raw = scope.get("raw_path")
    if raw is None:
        return URL.build(path=scope["path"]).raw_path.encode()
    # Older uvicorns give a str for WebSockets, and some servers the query with it.
    return (raw.encode() if isinstance(raw, str) else bytes(raw)).split(b"?", 1)[0]


def _leads_out(path: bytes) -> bool:
    decoded = unquote_to_bytes(path).replace(b"\\", b"/")
    return b"\0" in decoded or any(part in (b".", b"..") for part in decoded.split(b"/"))


def _url(start: str, path: bytes, scope: Mapping[str, Any]) -> URL:
    query = _text(scope.get("query_string", b""))
    # As it is: what the client encoded, and how, is for previewd to judge.
    return URL(f"{start}{_text(path)}{f'?{query}' if query else ''}", encoded=True)


def _text(raw: bytes) -> str:
    """Visible ASCII; anything else is encoded, so that no header can be made of it."""
    return "".join(chr(byte) if 0x21 <= byte < 0x7F else f"%{byte:02X}" for byte in raw)
