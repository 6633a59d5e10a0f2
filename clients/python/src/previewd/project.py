"""A project and its builds, for the synchronous client."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Mapping
from typing import Literal, overload

from . import _call as calls
from ._answer import Answer
from ._call import DEFAULT_WAIT_MS, Call, FileContent, project_path
from ._decode import decode
from ._shared import (
    READY_MS,
    diagnostics_call,
    live_session,
    log_call,
    raise_if_failed,
    read_changes,
    settings_body,
    subscribe,
)
from ._stream import TrackerOptions
from ._transport import Transport
from .errors import PreviewdTimeout
from .models import (
    AppliedChanges,
    BuildInfo,
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
from .sync_tracker import SyncStreamTracker


class Project:
    """One project of a server. It holds nothing but its id: two of the same id are the same."""

    def __init__(self, transport: Transport, project_id: str) -> None:
        self._transport = transport
        self.id = project_id

    def __repr__(self) -> str:
        return f"Project({self.id!r})"

    def info(self) -> ProjectInfo:
        """Settings and status. Raises ``PROJECT_NOT_FOUND``."""
        return self._send(calls.get(project_path(self.id))).read(ProjectInfo)

    def status(self) -> Status:
        """How far the project is, and what is wrong with it."""
        return self._send(calls.get(project_path(self.id, "status"))).read(Status)

    def update(self, settings: ProjectSettings) -> ProjectInfo:
        """Changes settings, and creates the project where there is none; what is not given stays."""
        answer = self._send(calls.put(project_path(self.id), settings_body(settings)))
        return answer.read(ProjectInfo)

    def delete(self) -> None:
        """Removes files, builds, previews and grants. Raises ``PROJECT_NOT_FOUND``."""
        self._send(calls.delete(project_path(self.id)))

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
    ) -> AppliedChanges:
        """Applies one batch, all of it or nothing; creates the project where it does not exist.

        ``wait`` holds the answer until the revision reached that point or failed, or until
        ``timeout_ms``: look at ``status`` of the answer. ``replace`` deletes every file that is
        not sent.
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
        return read_changes(self._send(call))

    def sync(
        self,
        changed_files: Iterable[str] | None = None,
        deleted: Iterable[str] | None = None,
        *,
        wait: WaitPoint | None = None,
        timeout_ms: int = DEFAULT_WAIT_MS,
    ) -> AppliedChanges:
        """Pulls from the project's source: the named files, or without a list all that differs."""
        call = calls.sync(self.id, changed_files, deleted, wait=wait, timeout_ms=timeout_ms)
        return read_changes(self._send(call))

    def build(
        self,
        *,
        force: bool = False,
        wait: WaitPoint | None = None,
        timeout_ms: int = DEFAULT_WAIT_MS,
    ) -> Build:
        """Builds the current revision, or joins its build; ``force`` builds anew."""
        call = calls.build(self.id, force=force, wait=wait, timeout_ms=timeout_ms)
        return Build(self._transport, self.id, self._send(call).read(BuildInfo))

    def builds(self) -> Generator[Build, None, None]:
        """Builds, newest first; reads on as they are taken."""
        cursor: str | None = None
        while True:
            path = project_path(self.id, "builds")
            answer = self._send(calls.get(path, limit=50, cursor=cursor))
            items, cursor = answer.read_page(BuildInfo)
            for info in items:
                yield Build(self._transport, self.id, info)
            if cursor is None:
                return

    def get_build(self, build_id: str) -> Build:
        """Raises ``BUILD_NOT_FOUND``."""
        answer = self._send(calls.get(project_path(self.id, "builds", build_id)))
        return Build(self._transport, self.id, answer.read(BuildInfo))

    def logs(self, *, build: str | None = None) -> str:
        """What the toolchain wrote in the newest build, or in one, as text."""
        return self._send(calls.get(project_path(self.id, "logs"), build=build)).text()

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

    def start_session(self) -> Session:
        """Starts the project's own dev server, or keeps it alive. It may still be starting."""
        return self._send(calls.put(project_path(self.id, "session"))).read(Session)

    def session(self) -> Session:
        """How the dev server is."""
        return self._send(calls.get(project_path(self.id, "session"))).read(Session)

    def stop_session(self) -> None:
        """Stops the dev server, where one runs; the published build stays."""
        self._send(calls.delete(project_path(self.id, "session")))

    def wait_until_ready(self, timeout_ms: int = READY_MS) -> Status:
        """Returns when the newest revision is built and published.

        Raises ``PreviewdFailedError`` (``BUILD_FAILED``) with the status where it cannot be built,
        and ``PreviewdTimeout``.
        """
        with contextlib.closing(self.events(["status"], timeout_ms=timeout_ms)) as events:
            for event in events:
                status = raise_if_failed(event)
                if status is not None and status.state == "ready":
                    return status
        raise PreviewdTimeout(f"The events of {self.id} ended.")

    def wait_until_live(self, timeout_ms: int = READY_MS) -> Session:
        """Returns when the session that was started is live.

        Raises ``PreviewdFailedError`` (``SESSION_FAILED``) with the reason, and ``PreviewdTimeout``.
        """
        wanted: list[EventType] = ["status", "session"]
        with contextlib.closing(self.events(wanted, timeout_ms=timeout_ms)) as events:
            for _ in events:
                session = live_session(self.status())
                if session is not None:
                    return session
        raise PreviewdTimeout(f"The events of {self.id} ended.")

    def events(
        self,
        types: Iterable[EventType] | None = None,
        *,
        after: int | None = None,
        timeout_ms: int | None = None,
    ) -> Generator[Event, None, None]:
        """What happens, from now on and across reconnections; begins with the status.

        ``after`` goes on after the event of this id instead; 0 for everything that is kept.
        ``close()`` it where the loop is left early.
        """
        return self._transport.follow(subscribe(self.id, types), timeout_ms, after)

    def get_preview_url(self, role: Role | None = None, *, expires_in_seconds: int = 3600) -> str:
        """Where a browser sees the project; with a role, a link that carries the right to."""
        if role is None:
            return self.status().urls.preview
        return self._send(calls.grant(self.id, role, expires_in_seconds)).read(Grant).url

    def revoke_preview_urls(self) -> None:
        """No link that was given out works any more."""
        self._send(calls.delete(project_path(self.id, "grants")))

    def files(self) -> Manifest:
        """Path, size and SHA-256 of each file of the current revision."""
        return self._send(calls.get(project_path(self.id, "files"))).read(Manifest)

    def read_file(self, path: str) -> bytes:
        """The content of one file. Raises ``FILE_NOT_FOUND``."""
        return self._send(calls.get(project_path(self.id, "files", *path.split("/")))).body

    def track_stream(self, options: TrackerOptions | None = None) -> SyncStreamTracker:
        """Sends the files that a model writes on their way while it writes."""
        return SyncStreamTracker(self._transport.settings, self.id, options)

    def _send(self, call: Call) -> Answer:
        return self._transport.send(call)


class Build:
    """One run that makes an artifact of the project. ``info`` is how it was when last asked."""

    def __init__(self, transport: Transport, project_id: str, info: BuildInfo) -> None:
        self._transport = transport
        self._project_id = project_id
        self.id = info.id
        self.info = info

    def __repr__(self) -> str:
        return f"Build({self.id!r}, {self.info.state!r})"

    def logs(self) -> Generator[LogLine, None, None]:
        """What the toolchain wrote, line by line as it is written; ends when the build ends."""
        log = self._transport.follow(log_call(self._project_id, self.id))
        with contextlib.closing(log):
            for event in log:
                if event.type == "end":
                    return
                yield decode(LogLine, event.data)

    def refresh(self) -> BuildInfo:
        """Asks how it is now."""
        self.info = self._send("GET").read(BuildInfo)
        return self.info

    def publish(self) -> Status:
        """Makes this good build the one that viewers see."""
        return self._send("POST", "publish").read(Status)

    def cancel(self) -> BuildInfo:
        """Stops the build."""
        self.info = self._send("POST", "cancel").read(BuildInfo)
        return self.info

    def _send(self, method: str, *action: str) -> Answer:
        path = project_path(self._project_id, "builds", self.id, *action)
        return self._transport.send(Call(method, path))
