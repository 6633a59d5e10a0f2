"""A project and its builds, for the synchronous client."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Literal, overload

from . import _call as calls
from ._answer import Answer
from ._call import DEFAULT_WAIT_MS, Call, FileContent, project_path
from ._decode import decode
from ._shared import (
    READY_MS,
    diagnostics_call,
    is_settled,
    log_call,
    settings_body,
    subscribe,
)
from ._transport import Transport
from .errors import PreviewdTimeout
from .models import (
    BuildInfo,
    ChangesAnswer,
    Diagnostics,
    Event,
    EventType,
    Grant,
    LogLine,
    Manifest,
    ProjectInfo,
    ProjectSettings,
    Role,
    Session,
    Status,
    WaitPoint,
)


class Project:
    """One project. ``info`` is what the server said when it was created, got or listed."""

    def __init__(
        self, transport: Transport, project_id: str, info: ProjectInfo | None = None
    ) -> None:
        self._transport = transport
        self.id = project_id
        self.info = info

    def __repr__(self) -> str:
        return f"Project({self.id!r})"

    def apply_changes(
        self,
        files: Mapping[str, FileContent] | None = None,
        deleted: Iterable[str] = (),
        *,
        wait: WaitPoint | None = None,
        timeout_ms: int = DEFAULT_WAIT_MS,
        base_revision: int | None = None,
        replace: bool = False,
        idempotency_key: str | None = None,
    ) -> ChangesAnswer:
        """Applies one batch, all of it or nothing; creates the project where it does not exist.

        ``wait`` holds the answer until the revision reached that point or failed, or until
        ``timeout_ms``: look at ``answer.status``. ``replace`` deletes every file that is not sent.
        """
        call = calls.apply_changes(
            self.id,
            files or {},
            deleted,
            wait=wait,
            timeout_ms=timeout_ms,
            base_revision=base_revision,
            replace=replace,
            idempotency_key=idempotency_key,
        )
        return self._send(call).read(ChangesAnswer)

    def sync(
        self,
        changed_files: Iterable[str] | None = None,
        deleted: Iterable[str] | None = None,
        *,
        wait: WaitPoint | None = None,
        timeout_ms: int = DEFAULT_WAIT_MS,
    ) -> ChangesAnswer:
        """Lets the server pull from the project's source; all that differs, without a list."""
        call = calls.sync(self.id, changed_files, deleted, wait=wait, timeout_ms=timeout_ms)
        return self._send(call).read(ChangesAnswer)

    def build(
        self,
        *,
        force: bool = False,
        wait: WaitPoint | None = None,
        timeout_ms: int = DEFAULT_WAIT_MS,
    ) -> Build:
        """Builds the current revision, or joins the build of it that is under way."""
        call = calls.build(self.id, force=force, wait=wait, timeout_ms=timeout_ms)
        return Build(self._transport, self.id, self._send(call).read(BuildInfo))

    def builds(self, *, limit: int = 50) -> list[Build]:
        """The newest builds first, ``limit`` of them at most (200)."""
        answer = self._send(calls.get(project_path(self.id, "builds"), limit=limit))
        items, _ = answer.read_page(BuildInfo)
        return [Build(self._transport, self.id, info) for info in items]

    def start_session(self) -> Session:
        """Starts the project's own dev server, or keeps it alive."""
        return self._send(calls.put(project_path(self.id, "session"))).read(Session)

    def stop_session(self) -> None:
        """Stops the dev server; the published build stays."""
        self._send(calls.delete(project_path(self.id, "session")))

    def status(self) -> Status:
        """How far the project is."""
        return self._send(calls.get(project_path(self.id, "status"))).read(Status)

    def wait_until_ready(self, timeout_ms: int = READY_MS) -> Status:
        """Waits until nothing is under way. ``state`` is then ``ready``, or ``error``.

        Raises ``PreviewdTimeout``.
        """
        with contextlib.closing(self.events(["status"], timeout_ms=timeout_ms)) as events:
            for event in events:
                if event.type == "status" and is_settled(event.data):
                    return decode(Status, event.data)
        raise PreviewdTimeout(f"{self.id} was not ready within {timeout_ms} ms.")

    def events(
        self,
        types: Iterable[EventType] | None = None,
        *,
        after: int | None = None,
        timeout_ms: int | None = None,
    ) -> Generator[Event, None, None]:
        """What happens, as it happens, beginning with the status.

        A broken connection is opened anew, and goes on after the last event. ``after`` replays
        what the server keeps of later events. An event of type ``error`` says that events were
        missed; the status follows it.
        """
        call = subscribe(self.id, types, after)
        return self._transport.follow(call, timeout_ms)

    def get_preview_url(self, role: Role | None = None, *, expires_in_seconds: int = 3600) -> str:
        """Where a browser finds the preview. With a ``role`` the URL holds a grant for it."""
        if role is None:
            return self.status().urls.preview
        return self.create_grant(role, expires_in_seconds=expires_in_seconds).url

    def create_grant(self, role: Role, *, expires_in_seconds: int = 3600) -> Grant:
        """A right to see a private preview, or (editors) the live session."""
        return self._send(calls.grant(self.id, role, expires_in_seconds)).read(Grant)

    @overload
    def diagnostics(self) -> Diagnostics: ...
    @overload
    def diagnostics(self, format: Literal["prompt"], *, max_chars: int = ...) -> str: ...
    def diagnostics(
        self, format: Literal["prompt"] | None = None, *, max_chars: int = 8000
    ) -> Diagnostics | str:
        """What is wrong now, root cause first; with ``prompt`` as text for a model."""
        answer = self._send(diagnostics_call(self.id, format, max_chars))
        return answer.text() if format == "prompt" else answer.read(Diagnostics)

    def files(self) -> Manifest:
        """Path, size and SHA-256 of each file of the current revision."""
        return self._send(calls.get(project_path(self.id, "files"))).read(Manifest)

    def read_file(self, path: str) -> bytes:
        """The content of one file. Raises ``FILE_NOT_FOUND``."""
        return self._send(calls.get(project_path(self.id, "files", *path.split("/")))).body

    def update(self, settings: ProjectSettings) -> ProjectInfo:
        """Changes settings; what is not given stays."""
        answer = self._send(calls.put(project_path(self.id), settings_body(settings)))
        self.info = answer.read(ProjectInfo)
        return self.info

    def delete(self) -> None:
        """Removes files, builds, previews and grants."""
        self._send(calls.delete(project_path(self.id)))

    def _send(self, call: Call) -> Answer:
        return self._transport.send(call)


class Build:
    """One build of a project. ``info`` is how it was when it was asked for."""

    def __init__(self, transport: Transport, project_id: str, info: BuildInfo) -> None:
        self._transport = transport
        self.project_id = project_id
        self.info = info
        self.id = info.id

    def __repr__(self) -> str:
        return f"Build({self.id!r}, {self.info.state!r})"

    def refresh(self) -> BuildInfo:
        """Asks how it is now."""
        self.info = self._send("GET").read(BuildInfo)
        return self.info

    def logs(self) -> Iterator[LogLine]:
        """What the toolchain writes, line by line as it comes, until the build ends."""
        log = self._transport.follow(log_call(self.project_id, self.id))
        with contextlib.closing(log):
            for event in log:
                if event.type == "end":
                    return
                yield decode(LogLine, event.data)

    def publish(self) -> None:
        """Makes this build the one that viewers see."""
        self._send("POST", "publish")

    def cancel(self) -> None:
        """Stops the build."""
        self._send("POST", "cancel")

    def _send(self, method: str, *action: str) -> Answer:
        path = project_path(self.project_id, "builds", self.id, *action)
        return self._transport.send(Call(method, path))
