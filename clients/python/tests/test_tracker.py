"""Streams of files, against the real server, and against one that is busy, away or gone."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from conftest import PAGE
from previewd import (
    AsyncPreviewdClient,
    AsyncProject,
    PreviewdClient,
    PreviewdError,
    TrackerOptions,
)
from previewd._references import coherent, references_of
from scripted_server import http_answer, scripted_server

pytestmark = pytest.mark.anyio
QUIET = TrackerOptions(live=False)
EXAMPLES = Path(__file__).parents[3] / "protocol" / "examples"


async def paths_of(project: AsyncProject) -> set[str]:
    return {file.path for file in (await project.files()).files}


async def test_the_preview_grows_while_the_model_still_writes(
    aio_client: AsyncPreviewdClient, project_id: str
) -> None:
    project = aio_client.projects.at(project_id)
    sent: asyncio.Queue[int] = asyncio.Queue()
    options = TrackerOptions(live=False, on_sent=lambda applied: sent.put_nowait(applied.revision))
    tracker = project.track_stream(options)
    tracker.file_started("index.html")
    for piece in (PAGE[:9], PAGE[9:], '<script type="module" src="/app.js"></script>'):
        tracker.file_chunk("index.html", piece)
    tracker.file_finished("index.html")
    tracker.file_finished("other.css", "h1 { color: teal }")
    assert await asyncio.wait_for(sent.get(), 20) == 1
    assert await paths_of(project) == {"other.css"}, "the page waits for its script"

    tracker.file_finished("app.js", "console.log(1)")
    assert await asyncio.wait_for(sent.get(), 20) == 2
    assert await paths_of(project) == {"index.html", "app.js", "other.css"}

    tracker.file_deleted("other.css")
    result = await tracker.finish(wait="built")
    assert result.is_complete
    assert result.status is not None
    assert (result.status.state, result.status.revision) == ("ready", 3)
    assert await paths_of(project) == {"index.html", "app.js"}
    assert set(result.sent) == {"index.html", "app.js", "other.css"}
    assert await tracker.finish() is result


async def test_what_is_finished_while_a_call_is_under_way_goes_with_the_next_one(
    aio_client: AsyncPreviewdClient, project_id: str
) -> None:
    project = aio_client.projects.at(project_id)
    batches: list[int] = []
    options = TrackerOptions(live=False, on_sent=lambda sent: batches.append(len(sent.changed)))
    async with project.track_stream(options) as tracker:
        for number in range(40):
            tracker.file_finished(f"text/{number}.txt", "first")
            tracker.file_finished(f"text/{number}.txt", f"file {number}")
    assert sum(batches) == 40
    assert len(batches) <= 2
    assert await project.read_file("text/39.txt") == b"file 39"


async def test_many_threads_may_feed_it(aio_client: AsyncPreviewdClient, project_id: str) -> None:
    project = aio_client.projects.at(project_id)
    tracker = project.track_stream(QUIET)

    def write(worker: int) -> None:
        for number in range(25):
            path = f"{worker}/{number}.txt"
            tracker.file_started(path)
            tracker.file_chunk(path, f"{worker} ")
            tracker.file_chunk(path, f"{number}")
            tracker.file_finished(path)

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    await asyncio.gather(*(asyncio.to_thread(thread.join) for thread in threads))
    assert (await tracker.finish()).is_complete
    assert len(await paths_of(project)) == 200
    assert await project.read_file("7/24.txt") == b"7 24"


async def test_files_that_the_server_refuses_do_not_keep_the_others_back(
    aio_client: AsyncPreviewdClient, project_id: str
) -> None:
    project = aio_client.projects.at(project_id)
    async with project.track_stream(QUIET) as tracker:
        for path in ("a.txt", "node_modules/x.js", "b.txt", "../c.txt", "d.txt"):
            tracker.file_finished(path, "content")
        tracker.file_finished("half.txt", "\ud83d")
    result = await tracker.finish()
    assert await paths_of(project) == {"a.txt", "b.txt", "d.txt"}
    refused = {item.path: item.error.code for item in result.dropped if item.error}
    assert refused == {
        "node_modules/x.js": "INVALID_PATH",
        "../c.txt": "INVALID_PATH",
        "half.txt": "INVALID_OPTIONS",
    }
    assert (result.unsent, result.deleted) == ({}, [])


async def test_a_file_does_not_wait_for_ever_for_those_that_it_imports(
    aio_client: AsyncPreviewdClient, project_id: str
) -> None:
    project = aio_client.projects.at(project_id)
    sent = asyncio.Event()
    options = TrackerOptions(live=False, max_hold_ms=50, on_sent=lambda _: sent.set())
    async with project.track_stream(options) as tracker:
        tracker.file_finished("app.js", "import './never.js'")
        await asyncio.wait_for(sent.wait(), 20)
    assert await paths_of(project) == {"app.js"}


async def test_a_server_that_is_away_neither_breaks_nor_delays_the_stream(
    dead_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    errors: list[PreviewdError] = []
    options = TrackerOptions(on_error=errors.append)
    async with AsyncPreviewdClient(dead_url, "secret-key-of-the-test", max_retries=0) as client:
        tracker = client.projects.at("demo").track_stream(options)
        for number in range(100):
            tracker.file_finished(f"{number}.txt", "content")
            await asyncio.sleep(0)
        tracker.file_deleted("old.txt")
        tracker.file_started("open.txt")
        result = await tracker.finish(timeout_ms=20_000)
    assert not result.is_complete
    assert (len(result.unsent), result.deleted) == (100, ["old.txt"])
    assert [(item.path, item.reason) for item in result.dropped] == [("open.txt", "unfinished")]
    assert {error.code for error in errors} == {"CONNECTION_FAILED"}
    assert "CONNECTION_FAILED" in caplog.text
    assert "secret-key" not in caplog.text


async def test_a_server_that_hangs_is_not_waited_for_beyond_the_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        async with AsyncPreviewdClient(f"http://127.0.0.1:{hanging.getsockname()[1]}") as client:
            tracker = client.projects.at("demo").track_stream()
            tracker.file_finished("a.txt", "content")
            await asyncio.sleep(0.05)
            result = await tracker.finish(timeout_ms=300)
    assert result.unsent == {"a.txt": "content"}


async def test_files_arrive_once_the_server_is_back() -> None:
    applied = json.loads((EXAMPLES / "apply-changes.json").read_text())["response"]["body"]
    busy = http_answer(503, '{"code":"SHUTTING_DOWN","detail":"."}', "Retry-After: 60")
    new = http_answer(404, '{"code":"PROJECT_NOT_FOUND","detail":"."}')
    sent = asyncio.Event()
    with scripted_server(busy, b"", new, b"", http_answer(200, json.dumps(applied))) as server:
        async with AsyncPreviewdClient(server.url, max_retries=0) as client:
            options = TrackerOptions(live=False, on_sent=lambda _: sent.set())
            tracker = client.projects.at("demo").track_stream(options)
            tracker.file_finished("a.txt", "content")
            await asyncio.wait_for(sent.wait(), 20)
            assert (await tracker.finish()).sent == ["a.txt"]
    assert b'"a.txt":"content"' in server.requests[-1]


async def test_memory_is_bounded_and_what_has_no_room_is_told(dead_url: str) -> None:
    async with AsyncPreviewdClient(dead_url, max_retries=0) as client:
        options = TrackerOptions(max_buffered_chars=1000)
        tracker = client.projects.at("demo").track_stream(options)
        tracker.file_finished("kept.txt", "x" * 900)
        tracker.file_started("long.txt")
        for _ in range(5):
            tracker.file_chunk("long.txt", "x" * 50)
        tracker.file_finished("long.txt")
        tracker.file_finished("whole.txt", "x" * 101)
        result = await tracker.finish(timeout_ms=500)
    assert set(result.unsent) == {"kept.txt"}
    assert {(item.path, item.reason) for item in result.dropped} == {
        ("long.txt", "no_room"),
        ("whole.txt", "no_room"),
    }


async def test_mistakes_of_the_caller_and_of_callbacks_are_logged_and_not_raised(
    aio_client: AsyncPreviewdClient, project_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Any) -> None:
        raise RuntimeError("of the caller")

    options = TrackerOptions(live=False, on_sent=fail, on_error=fail)
    tracker = aio_client.projects.at(project_id).track_stream(options)
    tracker.file_finished("never-started.txt")
    tracker.file_chunk("a.txt", None)  # type: ignore[arg-type]
    tracker.file_started(7)  # type: ignore[arg-type]
    tracker.file_finished("a.txt", "content")
    assert (await tracker.finish()).sent == ["a.txt"]
    tracker.file_finished("late.txt", "content")
    for words in ("was not started", "A path is a str", "after the end", "A callback"):
        assert words in caplog.text


async def test_a_stream_that_is_cancelled_leaves_nothing_behind(
    aio_client: AsyncPreviewdClient, project_id: str
) -> None:
    before = asyncio.all_tasks()
    tracker = aio_client.projects.at(project_id).track_stream(QUIET)
    tracker.file_finished("a.txt", "content")
    task = asyncio.create_task(tracker.finish(wait="built"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert asyncio.all_tasks() == before


def test_without_an_event_loop_it_is_used_the_same_way(
    client: PreviewdClient, project_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    project = client.projects.at(project_id)
    with project.track_stream(QUIET) as tracker:
        tracker.file_started("index.html")
        tracker.file_chunk("index.html", PAGE)
        tracker.file_finished("index.html")
        tracker.file_finished("gone.txt", "content")
        tracker.file_deleted("gone.txt")
    assert [file.path for file in project.files().files] == ["index.html"]
    assert tracker.finish().is_complete
    tracker.file_finished("late.txt", "content")
    assert "after the end" in caplog.text
    assert not [item for item in threading.enumerate() if item.name == f"previewd-{project_id}"]


async def test_the_live_session_starts_with_the_package_json(
    aio_client: AsyncPreviewdClient, project_id: str
) -> None:
    project = aio_client.projects.at(project_id)
    sent = asyncio.Event()
    tracker = project.track_stream(TrackerOptions(on_sent=lambda _: sent.set()))
    tracker.file_finished(".gitignore", "dist")
    await asyncio.wait_for(sent.wait(), 20)
    assert (await project.session()).state == "off"
    tracker.file_finished(
        "package.json", '{"name":"x","private":true,"devDependencies":{"vite":"^8.3.0"}}'
    )
    tracker.file_finished("index.html", PAGE)
    await asyncio.wait_for(_until_asked_for(project), 20)
    assert (await project.wait_until_live()).state == "live"
    assert (await tracker.finish()).is_complete
    await project.stop_session()


async def _until_asked_for(project: AsyncProject) -> None:
    """The files do not wait for the session, which is asked for a moment after them."""
    while (await project.session()).state == "off":
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("path", "content", "wanted"),
    [
        ("index.html", '<script type="module" src="/src/main.tsx">', ["src/main.tsx"]),
        (
            "a/index.html",
            '<link rel="stylesheet" href="./x.css?v=1"><link href="/x.svg">',
            ["a/x.css"],
        ),
        ("index.html", '<script src="https://cdn.example/x.js"></script>', []),
        ("src/App.tsx", "import { a } from './lib/a'\nimport 'react'", ["src/lib/a"]),
        ("src/ui/B.tsx", 'export * from "../a"\nawait import("@/c")', ["src/a", "src/c"]),
        ("src/style.css", "@import url('./base.css');", ["src/base.css"]),
        ("README.md", "import x from './x'", []),
    ],
)
def test_what_a_file_needs(path: str, content: str, wanted: list[str]) -> None:
    assert references_of(path, content) == wanted


def test_files_go_together_with_those_that_they_need() -> None:
    nothing: list[str] = []
    needs = {"a.ts": ["b"], "b.ts": ["c.js"], "c.ts": nothing, "d.ts": ["nowhere"], "e.ts": ["d"]}
    assert coherent(needs, lambda path: False) == {"a.ts", "b.ts", "c.ts"}
    assert coherent(needs, lambda path: path == "nowhere/index.tsx") == set(needs)
    # The name of what TypeScript emits, and a chain whose end is missing.
    assert coherent({"a.js": ["b.js"], "b.ts": nothing}, lambda path: False) == {"a.js", "b.ts"}
    chain = {f"{at}.js": [f"{at + 1}"] for at in range(500)}
    assert coherent(chain, lambda path: False) == set()


@pytest.mark.parametrize("path", ["a.html", "a.tsx", "a.css"])
@pytest.mark.parametrize("piece", ["<script ", "import ", "import(", "@import ", "import '", " "])
def test_no_text_is_looked_through_again_and_again(path: str, piece: str) -> None:
    # With a pattern that goes back and forth this takes minutes, which the runner ends.
    assert references_of(path, "import" + piece * 100_000) == []
