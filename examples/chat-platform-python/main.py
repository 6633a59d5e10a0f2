"""A chat platform: what the model writes is in the preview before the answer is over.

Browsers talk to this app alone. It sends the files to previewd, and serves the preview itself,
live session and hot updates included.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

from answer import Part, parts_of
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, StreamingResponse
from model import answer_to

from previewd import AsyncPreviewdClient, PreviewdError, StreamTracker
from previewd.fastapi import mount_previews

PROJECT = "chat-platform-python"
PAGE = Path(__file__).parent / "page.html"

app = FastAPI()
# http://chat-platform-python.localhost:8000/ is answered by this app, too.
mount_previews(app, domain="localhost")
messages: list[str] = []


@app.get("/")
async def page(request: Request) -> HTMLResponse:
    """Begins a new conversation about an empty project."""
    messages.clear()
    async with AsyncPreviewdClient() as previewd:
        try:
            await previewd.projects.delete(PROJECT)
        except PreviewdError as error:
            if error.code != "PROJECT_NOT_FOUND":
                raise
        project = await previewd.projects.create(PROJECT, {"name": "Chat platform"})
        link = await project.get_preview_url("editor")
    # The link names previewd's own port, unless PREVIEWD_PREVIEW_DOMAIN is set to this app's.
    query = link.partition("?")[2]
    preview = f"http://{PROJECT}.localhost:{request.url.port}/?{query}"
    return HTMLResponse(PAGE.read_text().replace("{{preview}}", preview))


@app.post("/chat")
async def chat(request: Request) -> StreamingResponse:
    """Answers a message: one JSON line for each thing that happens."""
    messages.append((await request.body()).decode())
    return StreamingResponse(answer(), media_type="application/x-ndjson")


async def answer() -> AsyncIterator[str]:
    async with AsyncPreviewdClient() as previewd:
        project = previewd.projects.at(PROJECT)
        tracker = project.track_stream()
        async for part in parts_of(answer_to(messages)):
            track(tracker, part)
            yield line(kind=part.kind, path=part.path, text=part.text)
        result = await tracker.finish(wait="built", timeout_ms=60_000)
        if result.status is not None and result.status.state == "error":
            # What a model would be given to mend its mistake.
            yield line(kind="problem", text=await project.diagnostics(format="prompt"))
        yield line(kind="done", text=f"In the preview: {', '.join(result.sent)}")


def track(tracker: StreamTracker, part: Part) -> None:
    if part.kind == "started":
        tracker.file_started(part.path)
    elif part.kind == "chunk":
        tracker.file_chunk(part.path, part.text)
    elif part.kind == "finished":
        tracker.file_finished(part.path)
    elif part.kind == "deleted":
        tracker.file_deleted(part.path)


def line(**happening: str) -> str:
    return json.dumps(happening) + "\n"
