"""The example platform, whose model stops in the middle of its first answer until it is told."""

import asyncio
from collections.abc import AsyncIterator

import main
from fastapi import FastAPI

gate = asyncio.Event()
answer_to = main.answer_to
app: FastAPI = main.app


async def gated_answer_to(messages: list[str]) -> AsyncIterator[str]:
    async for token in answer_to(messages):
        if token.strip() == "There":
            await gate.wait()
        yield token


main.answer_to = gated_answer_to


@app.post("/go-on")
async def go_on() -> None:
    gate.set()
