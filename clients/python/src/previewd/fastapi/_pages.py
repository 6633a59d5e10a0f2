"""What a browser is told while previewd is away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PAGE = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>The preview is away</title>
<style>
  body { display: grid; place-content: center; min-height: 100vh; margin: 0; text-align: center;
         font: 16px/1.5 system-ui, sans-serif; color: #333; background: #fafafa }
  @media (prefers-color-scheme: dark) { body { color: #ccc; background: #16181d } }
  h1 { font-size: 1.25rem }
</style>
<main role="status">
  <h1>The preview server does not answer</h1>
  <p>This page asks again by itself.</p>
</main>
"""
_POLICY = b"default-src 'none'; style-src 'unsafe-inline'; sandbox"


def away_answer(scope: Mapping[str, Any]) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of a 502: a page that reloads itself where a page is wanted."""
    common = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
    if not is_navigation(scope):
        text = b"The preview server does not answer.\n"
        plain = [(b"content-type", b"text/plain; charset=utf-8"), (b"retry-after", b"2")]
        return 502, [*common, *plain, _length(text)], text
    page = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", _POLICY),
        (b"refresh", b"2"),
    ]
    return 502, [*common, *page, _length(_PAGE)], _PAGE


def is_navigation(scope: Mapping[str, Any]) -> bool:
    """Whether a browser would show the answer as a page."""
    headers = dict(scope["headers"])
    mode = headers.get(b"sec-fetch-mode")
    if mode is not None:
        return bool(mode == b"navigate")
    return b"text/html" in headers.get(b"accept", b"")


def _length(body: bytes) -> tuple[bytes, bytes]:
    return b"content-length", str(len(body)).encode()
