"""What clients do when the server is busy, away, or not previewd at all."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest

from previewd import (
    AsyncPreviewdClient,
    PreviewdClient,
    PreviewdConnectionError,
    PreviewdError,
    PreviewdTimeout,
)
from previewd._answer import Answer
from previewd._call import Call
from previewd._retry import RetryPolicy
from scripted_server import http_answer, scripted_server

Ask = Callable[..., Any]


def ask_plainly(url: str, method: str, *args: Any, **options: Any) -> Any:
    with PreviewdClient(url, "k", **options) as client:
        return getattr(client.projects.at("demo"), method)(*args)


def ask_with_asyncio(url: str, method: str, *args: Any, **options: Any) -> Any:
    async def ask() -> Any:
        async with AsyncPreviewdClient(url, "k", **options) as client:
            return await getattr(client.projects.at("demo"), method)(*args)

    return asyncio.run(ask())


@pytest.fixture(params=[ask_plainly, ask_with_asyncio], ids=["plain", "asyncio"])
def ask(request: pytest.FixtureRequest) -> Ask:
    return request.param  # type: ignore[no-any-return]


SESSION = http_answer(200, '{"state":"live","viewers":0,"restarts":0}')
BUSY = http_answer(503, '{"code":"OVERLOADED","detail":"Busy."}', "Retry-After: 0")
GRANT = http_answer(201, '{"token":"t","url":"http://x/","expiresAt":"2026-01-01T00:00:00Z"}')


def test_a_busy_server_and_a_broken_connection_are_asked_again(ask: Ask) -> None:
    with scripted_server(BUSY, b"", SESSION) as server:
        assert ask(server.url, "start_session").state == "live"
    assert len(server.requests) == 3


def test_repeats_of_a_change_carry_one_idempotency_key(ask: Ask) -> None:
    with scripted_server(b"", http_answer(502), GRANT) as server:
        ask(server.url, "get_preview_url", "viewer")
    keys = {_header(request, b"idempotency-key") for request in server.requests}
    assert len(server.requests) == 3
    assert len(keys) == 1


def test_a_refusal_is_not_repeated(ask: Ask) -> None:
    refusal = http_answer(422, '{"code":"SETTINGS_INVALID","detail":"No.","errors":[1]}')
    with scripted_server(refusal) as server, pytest.raises(PreviewdError) as caught:
        ask(server.url, "status")
    error = caught.value
    assert (error.code, error.status, error.detail) == ("SETTINGS_INVALID", 422, "No.")
    assert error.extra == {"errors": [1]}


def test_a_server_that_wants_a_long_pause_is_left_alone(ask: Ask) -> None:
    busy = http_answer(503, '{"code":"SANDBOX_UNAVAILABLE","detail":"."}', "Retry-After: 30")
    with scripted_server(busy) as server, pytest.raises(PreviewdError, match="SANDBOX"):
        ask(server.url, "status")


def test_after_the_last_attempt_the_failure_is_told(ask: Ask) -> None:
    with (
        scripted_server(b"", b"") as server,
        pytest.raises(PreviewdConnectionError, match="cannot be reached") as caught,
    ):
        ask(server.url, "status", max_retries=1)
    assert (caught.value.code, caught.value.status) == ("CONNECTION_FAILED", None)


def test_a_deletion_whose_answer_was_lost_is_done(ask: Ask) -> None:
    gone = http_answer(404, '{"code":"PROJECT_NOT_FOUND","detail":"."}')
    with scripted_server(b"", gone) as server:
        ask(server.url, "delete")
    with scripted_server(gone) as server, pytest.raises(PreviewdError, match="PROJECT_NOT_FOUND"):
        ask(server.url, "delete")


@pytest.mark.parametrize("body", ["<html>hello</html>", "[]", '{"state":7}', '{"state":"live"}'])
def test_an_answer_of_something_else_is_told_apart(ask: Ask, body: str) -> None:
    with scripted_server(http_answer(200, body)) as server, pytest.raises(PreviewdError) as caught:
        ask(server.url, "start_session")
    assert caught.value.code == "INVALID_ANSWER"
    assert "hello" not in str(caught.value)


def test_redirects_are_not_followed_since_the_key_would_go_with_them(ask: Ask) -> None:
    with scripted_server() as elsewhere:
        redirect = http_answer(307, "", f"Location: {elsewhere.url}/")
        with scripted_server(redirect) as server, pytest.raises(PreviewdError) as caught:
            ask(server.url, "status")
        assert (caught.value.status, caught.value.code) == (307, "REDIRECTED")
    assert elsewhere.requests == []


STREAM = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
ONE = STREAM + 'event: status\nid: 7\ndata: {"state":"queued"}\n\nevent: sta'
TWO = STREAM + 'event: status\r\nid: 8\r\ndata: {"state":\r\ndata: "ready"}\r\n\r\n'


def test_a_stream_that_breaks_goes_on_after_the_last_event() -> None:
    with scripted_server(ONE.encode(), BUSY, TWO.encode()) as server:
        with PreviewdClient(server.url, "k") as client:
            events = client.projects.at("demo").events()
            seen = [next(events), next(events)]
            events.close()
    assert [event.data["state"] for event in seen] == ["queued", "ready"]
    assert _header(server.requests[0], b"last-event-id") is None
    assert _header(server.requests[2], b"last-event-id") == b"7"


def test_the_asyncio_stream_does_the_same() -> None:
    async def read(url: str) -> list[str]:
        async with AsyncPreviewdClient(url, "k") as client:
            events = client.projects.at("demo").events()
            seen = [await anext(events), await anext(events)]
            await events.aclose()
            return [event.data["state"] for event in seen]

    with scripted_server(ONE.encode(), BUSY, TWO.encode()) as server:
        assert asyncio.run(read(server.url)) == ["queued", "ready"]
    assert _header(server.requests[2], b"last-event-id") == b"7"


def test_a_stream_that_never_says_anything_ends_with_the_time_or_the_attempts(ask: Ask) -> None:
    broken = [STREAM.encode()] * 3
    with scripted_server(*broken) as server, pytest.raises(PreviewdConnectionError):
        ask(server.url, "wait_until_ready", max_retries=2)
    with scripted_server() as server, pytest.raises(PreviewdTimeout):
        ask(server.url, "wait_until_ready", 200)


def test_a_reader_that_fell_behind_begins_anew() -> None:
    lagged = STREAM + 'id: 7\ndata: 1\n\nevent: error\ndata: {"reason":"lagged"}\n\n'
    with scripted_server(lagged.encode(), TWO.encode()) as server:
        with PreviewdClient(server.url, "k") as client:
            events = client.projects.at("demo").events()
            kinds = [next(events).type for _ in range(2)]
            events.close()
    assert kinds == ["message", "status"]
    assert _header(server.requests[1], b"last-event-id") is None


def test_pauses_grow_are_bounded_and_differ_by_chance() -> None:
    policy = RetryPolicy(retries=9, first_ms=100, most_ms=1000)
    for attempt in range(1, 9):
        longest = min(1000, 100 * 2 ** (attempt - 1))
        pauses = {policy.pause_ms(attempt) for _ in range(50)}
        assert len(pauses) > 1
        assert all(longest / 2 <= pause <= longest for pause in pauses)


def test_a_call_that_must_not_be_repeated_is_repeated_only_where_it_was_refused() -> None:
    policy, call = RetryPolicy(), Call("POST", "/x", can_repeat=False)
    assert policy.after_failure(call, 1) is None
    assert policy.after_answer(call, Answer(502, {}, b""), 1) is None
    assert policy.after_answer(call, Answer(429, {"retry-after": "1"}, b""), 1) == 1000
    assert policy.after_answer(call, Answer(429, {"retry-after": "1"}, b""), 4) is None


def test_a_path_of_a_file_stays_one_path(ask: Ask) -> None:
    with scripted_server(http_answer(200, "x")) as server:
        assert ask(server.url, "read_file", "src/a b?#%2e/../ü.ts") == b"x"
    line = server.requests[0].split(b"\r\n")[0]
    assert line == b"GET /v1/projects/demo/files/src/a%20b%3F%23%252e/../%C3%BC.ts HTTP/1.1"


def _header(request: bytes, name: bytes) -> bytes | None:
    found = re.search(rb"(?im)^" + name + rb": ([^\r]*)", request)
    return found[1] if found else None
