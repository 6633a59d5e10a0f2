"""No output shows the key: what is printed, logged, raised, or sent elsewhere."""

from __future__ import annotations

import asyncio
import logging
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from conftest import PAGE, Server
from previewd import AsyncPreviewdClient, PreviewdClient, PreviewdError
from previewd._settings import resolve_settings
from scripted_server import http_answer, scripted_server

CANARY = "canary-key-that-nothing-may-show"


def failures() -> list[Callable[[str], None]]:
    """Every way in which a call can fail, with both clients."""

    def plainly(url: str) -> None:
        with PreviewdClient(url, CANARY, max_retries=1) as client:
            client.projects.at("demo").apply_changes({"index.html": PAGE})

    def with_asyncio(url: str) -> None:
        async def ask() -> None:
            async with AsyncPreviewdClient(url, CANARY, max_retries=1) as client:
                await client.projects.at("demo").apply_changes({"index.html": PAGE})

        asyncio.run(ask())

    def in_a_stream(url: str) -> None:
        with PreviewdClient(url, CANARY).projects.at("demo").track_stream() as tracker:
            tracker.file_finished("index.html", PAGE)
            tracker.finish(timeout_ms=10_000)

    return [plainly, with_asyncio, in_a_stream]


@pytest.mark.parametrize("fail", failures())
def test_no_failure_shows_the_key(
    fail: Callable[[str], None],
    server: Server,
    dead_url: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = http_answer(400, f'{{"oops":"{CANARY}"}}', f"X-Echo: {CANARY}")
    shown: list[str] = []
    with scripted_server(echo, b"nonsense", echo, b"nonsense") as odd:
        for url in (server.url, dead_url, odd.url, "http://no-such-host.invalid"):
            try:
                fail(url)
            except PreviewdError as error:
                shown += [str(error), repr(error), repr(vars(error))]
                shown.append(str(pickle.dumps(error.args)))
                shown += traceback.format_exception(error)
    output = "".join([*shown, caplog.text, *capfd.readouterr()])
    assert "UNAUTHORIZED" in output
    assert "CONNECTION_FAILED" in output or "TIMEOUT" in output
    assert CANARY not in output


def test_no_object_shows_the_key() -> None:
    plain = PreviewdClient("http://127.0.0.1:1", CANARY)
    aio = AsyncPreviewdClient("http://127.0.0.1:1", CANARY)
    clients: list[Any] = [plain, aio]
    for client in clients:
        project = client.projects.at("demo")
        texts = [repr(client), str(client), repr(project), repr(client._transport.settings)]
        assert CANARY not in "".join(texts)


@pytest.mark.parametrize(
    ("url", "api_key"),
    [
        (f"http://user:{CANARY}@127.0.0.1", None),
        (f"http://127.0.0.1/?key={CANARY}", None),
        (f"{CANARY}://127.0.0.1", None),
        (None, f"{CANARY}\n"),
        (None, f"{CANARY} é"),
    ],
)
def test_settings_that_cannot_be_are_refused_without_being_shown(
    url: str | None, api_key: str | None
) -> None:
    with pytest.raises(PreviewdError) as caught:
        PreviewdClient(url, api_key)
    assert caught.value.code == "INVALID_OPTIONS"
    assert CANARY not in str(caught.value)


def test_address_and_key_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREVIEWD_URL", raising=False)
    monkeypatch.delenv("PREVIEWD_API_KEY", raising=False)
    assert resolve_settings() == resolve_settings("http://127.0.0.1:4400/")
    assert resolve_settings().authorization == {}
    monkeypatch.setenv("PREVIEWD_URL", "https://previews.example/base/")
    monkeypatch.setenv("PREVIEWD_API_KEY", CANARY)
    found = resolve_settings()
    assert (found.url, found.api_key) == ("https://previews.example/base", CANARY)
    assert found.authorization == {"Authorization": f"Bearer {CANARY}"}
    given = resolve_settings("http://127.0.0.1:1", "other")
    assert (given.url, given.api_key) == ("http://127.0.0.1:1", "other")
