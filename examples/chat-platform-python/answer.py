"""Takes an answer of the model apart while it comes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import NamedTuple

TAG = re.compile(r'<(?:file path="([^"]+)"|/file|delete path="([^"]+)"/)>\n')


class Part(NamedTuple):
    """``kind``: text, started, chunk, finished, deleted."""

    kind: str
    text: str = ""
    path: str = ""


async def parts_of(tokens: AsyncIterator[str]) -> AsyncIterator[Part]:
    """``<file path="...">``, ``</file>`` and ``<delete path="..."/>`` have lines of their own."""
    path = ""
    async for line in lines_of(tokens):
        tag = TAG.fullmatch(line)
        if tag is None:
            yield Part("chunk" if path else "text", line, path)
        elif tag[1]:
            path = tag[1]
            yield Part("started", path=path)
        elif tag[2]:
            yield Part("deleted", path=tag[2])
        else:
            yield Part("finished", path=path)
            path = ""


async def lines_of(tokens: AsyncIterator[str]) -> AsyncIterator[str]:
    rest = ""
    async for token in tokens:
        *lines, rest = (rest + token).splitlines(keepends=True)
        if rest.endswith("\n"):
            lines, rest = [*lines, rest], ""
        for line in lines:
            yield line
    if rest:
        yield rest
