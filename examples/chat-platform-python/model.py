"""Stands for a language model: what it says is in answers/, one file for each message."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

ANSWERS = sorted((Path(__file__).parent / "answers").glob("*.txt"))
TOKEN_S = float(os.environ.get("TOKEN_MS", "15")) / 1000


async def answer_to(messages: list[str]) -> AsyncIterator[str]:
    """Streams the answer to the last of the messages, token by token."""
    known = len(messages) <= len(ANSWERS)
    text = ANSWERS[len(messages) - 1].read_text() if known else "That was all I know.\n"
    for token in re.findall(r"\s*\S{1,8}\s?", text):
        await asyncio.sleep(TOKEN_S)
        yield token
