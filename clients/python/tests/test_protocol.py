"""The recorded examples of ``protocol/``: the same requests go out, the same answers are read."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import parse_qsl, urlsplit

import pytest

from previewd import AsyncPreviewdClient, PreviewdClient, PreviewdError
from previewd._answer import Answer
from previewd._decode import decode, to_camel
from previewd.models import (
    AppliedChanges,
    BuildInfo,
    Diagnostic,
    Diagnostics,
    Grant,
    LogLine,
    Manifest,
    ProjectInfo,
    ProjectSettings,
    Session,
    Status,
)
from scripted_server import scripted_server

EXAMPLES = Path(__file__).parents[3] / "protocol" / "examples"

Call = Callable[[Any], Any]


def at(method: str, *args: Any, **options: Any) -> Call:
    return lambda client: getattr(client.projects.at("demo"), method)(*args, **options)


def build(action: str, build_id: str) -> Call:
    """The calls of a build, which is got first, in an example of its own."""

    def call(client: Any) -> Any:
        project = client.projects.at("demo")
        got = project.get_build(build_id)
        if inspect.isawaitable(got):
            return _then(got, action)
        return getattr(got, action)()

    return call


async def _then(got: Any, action: str) -> Any:
    return await getattr(await got, action)()


def changes(name: str, **options: Any) -> Call:
    body = example(name)["request"]["body"]
    files = {path: _content(content) for path, content in body.get("files", {}).items()}
    return at(
        "apply_changes",
        files,
        body.get("deleted", ()),
        base_revision=body.get("baseRevision"),
        **options,
    )


BUILT = {"wait": "built", "timeout_ms": 120_000}
ONCE = {"idempotency_key": "turn-1"}


#: How the client makes the call of each example. A name that is here and not there fails, too.
CALLS: dict[str, Callable[[], Call]] = {
    "apply-changes": lambda: changes("apply-changes", **BUILT, **ONCE),
    "apply-changes-broken": lambda: changes("apply-changes-broken", **BUILT),
    "apply-changes-live": lambda: changes("apply-changes-live", wait="live", timeout_ms=120_000),
    "apply-changes-repeated": lambda: changes("apply-changes-repeated", **BUILT, **ONCE),
    "apply-changes-unchanged": lambda: changes("apply-changes-unchanged"),
    "wait-time-out": lambda: changes("wait-time-out", wait="built", timeout_ms=0),
    "invalid-path": lambda: changes("invalid-path"),
    "idempotency-conflict": lambda: changes("idempotency-conflict", **ONCE),
    "revision-conflict": lambda: changes("revision-conflict"),
    "sync-without-source": lambda: at("sync"),
    "create-build": lambda: at("build", force=True),
    "create-build-again": lambda: at("build", force=True),
    "create-build-joined": lambda: at("build", **BUILT),
    "get-build": lambda: at("get_build", "build0000002"),
    "cancel-build": lambda: build("cancel", "build0000003"),
    "publish-build": lambda: build("publish", "build0000002"),
    "get-project": lambda: at("info"),
    "project-not-found": lambda: at("info"),
    "get-status": lambda: at("status"),
    "get-diagnostics": lambda: at("diagnostics"),
    "get-diagnostics-prompt": lambda: at("diagnostics", "prompt", max_chars=4000),
    "get-logs": lambda: at("logs"),
    "list-files": lambda: at("files"),
    "read-file": lambda: at("read_file", "src/main.js"),
    "start-session": lambda: at("start_session"),
    "session-live": lambda: at("start_session"),
    "get-session": lambda: at("session"),
    "stop-session": lambda: at("stop_session"),
    "delete-project": lambda: at("delete"),
    "revoke-grants": lambda: at("revoke_preview_urls"),
}


def example(name: str) -> dict[str, Any]:
    return json.loads((EXAMPLES / f"{name}.json").read_text())  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", CALLS)
def test_the_plain_client_speaks_the_protocol(name: str) -> None:
    def ask(url: str) -> Any:
        with PreviewdClient(url, max_retries=0) as client:
            return CALLS[name]()(client)

    check(name, ask)


@pytest.mark.parametrize("name", CALLS)
def test_the_asyncio_client_speaks_the_protocol(name: str) -> None:
    async def ask(url: str) -> Any:
        async with AsyncPreviewdClient(url, max_retries=0) as client:
            return await CALLS[name]()(client)

    check(name, lambda url: asyncio.run(ask(url)))


@pytest.mark.parametrize("name", ["stream-events", "stream-status"])
def test_events_are_read_as_they_were_sent(name: str) -> None:
    recorded = example(name)
    with scripted_server(_answer(recorded["response"])) as server:
        with PreviewdClient(server.url) as client:
            wanted = recorded["response"]["events"]
            after = 0 if name == "stream-events" else None
            types = None if name == "stream-events" else ["status"]
            events = client.projects.at("demo").events(types, after=after)  # type: ignore[arg-type]
            seen = [next(events) for _ in wanted]
            events.close()
    assert [_without_none(dataclasses.asdict(event)) for event in seen] == wanted


#: What the clients make of the answer to each operation.
MODELS: dict[str, type] = {
    "applyChanges": AppliedChanges,
    "syncProject": AppliedChanges,
    "createBuild": BuildInfo,
    "getBuild": BuildInfo,
    "cancelBuild": BuildInfo,
    "publishBuild": Status,
    "getStatus": Status,
    "getProject": ProjectInfo,
    "putProject": ProjectInfo,
    "startSession": Session,
    "getSession": Session,
    "listFiles": Manifest,
    "createGrant": Grant,
}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: str(path.stem))
def test_every_example_is_read(path: Path) -> None:
    recorded = json.loads(path.read_text())
    response = recorded["response"]
    answer = Answer(response["status"], {}, json.dumps(response.get("body")).encode())
    if not answer.is_ok:
        assert answer.to_error().code == response["body"]["code"]
    elif recorded["operation"] in MODELS:
        same(answer.read(MODELS[recorded["operation"]]), response["body"])
    for event in response.get("events", []):
        if event["type"] == "status":
            same(decode(Status, event["data"]), event["data"])


#: What the server's schemas say of each model: openapi.json is its own.
SCHEMAS: dict[str, type] = {
    "Build": BuildInfo,
    "ChangesAnswer": AppliedChanges,
    "Diagnostics": Diagnostics,
    "Grant": Grant,
    "LogLine": LogLine,
    "Manifest": Manifest,
    "ProjectSettings": ProjectSettings,
    "ProjectWithStatus": ProjectInfo,
    "ReportedDiagnostic": Diagnostic,
    "Session": Session,
    "Status": Status,
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_models_have_the_names_of_the_servers_schemas(name: str) -> None:
    document = json.loads((EXAMPLES.parent / "openapi.json").read_text())
    known = set(document["components"]["schemas"][name]["properties"])
    names = {to_camel(member) for member in get_type_hints(SCHEMAS[name])}
    assert names - {"timedOut"} <= known


def check(name: str, ask: Callable[[str], Any]) -> None:
    recorded = example(name)
    response = recorded["response"]
    with scripted_server(*_first_answers(recorded), _answer(response)) as server:
        if response["status"] < 400:
            same(ask(server.url), response.get("body"))
        else:
            with pytest.raises(PreviewdError) as caught:
                ask(server.url)
            problem = response["body"]
            error = caught.value
            assert (error.code, error.status, error.detail) == (
                problem["code"],
                response["status"],
                problem["detail"],
            )
    _same_request(server.requests[-1].decode(), recorded["request"])


def _first_answers(recorded: dict[str, Any]) -> list[bytes]:
    """A build is got before something is done to it."""
    if recorded["operation"] not in ("cancelBuild", "publishBuild"):
        return []
    got = example("get-build")["response"]
    got["body"]["id"] = recorded["request"]["path"].split("/")[5]
    return [_answer(got)]


def same(value: Any, body: Any) -> None:
    """Whether everything that the client tells is what the answer says."""
    if dataclasses.is_dataclass(value):
        for member in dataclasses.fields(value):
            told = getattr(value, member.name)
            if told is not None and to_camel(member.name) in body:
                same(told, body[to_camel(member.name)])
    elif isinstance(value, list):
        assert len(value) == len(body)
        for told, item in zip(value, body, strict=True):
            same(told, item)
    elif hasattr(value, "info"):
        same(value.info, body)
    elif isinstance(value, bytes):
        assert value.decode() == body
    else:
        assert value == body


def _same_request(sent: str, wanted: dict[str, Any]) -> None:
    head, _, body = sent.partition("\r\n\r\n")
    line, *headers = head.split("\r\n")
    method, target, _ = line.split(" ")
    url, wanted_url = urlsplit(target), urlsplit(wanted["path"])
    assert (method, url.path) == (wanted["method"], wanted_url.path)
    # Where the example leaves the time to the server, the client may say what that is.
    assert {"timeoutMs": "30000"} | dict(parse_qsl(url.query)) == {"timeoutMs": "30000"} | dict(
        parse_qsl(wanted_url.query)
    )
    if wanted.get("body"):
        assert json.loads(body) == wanted["body"]
    for name, value in wanted.get("headers", {}).items():
        assert f"{name}: {value}".lower() in [header.lower() for header in headers]


def _answer(response: dict[str, Any]) -> bytes:
    body = response.get("body")
    text = body if isinstance(body, str) else "" if body is None else json.dumps(body)
    headers = [f"{name}: {value}" for name, value in response.get("headers", {}).items()]
    length = [] if "events" in response else [f"Content-Length: {len(text.encode())}"]
    lines = [f"HTTP/1.1 {response['status']} x", *headers, *length, "Connection: close", "", text]
    return "\r\n".join(lines).encode()


def _content(content: Any) -> str | bytes:
    if isinstance(content, str):
        return content
    return base64.b64decode(content["content"])


def _without_none(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != "id" or value is not None}
