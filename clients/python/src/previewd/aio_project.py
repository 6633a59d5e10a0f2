"""A project and its builds, for the asyncio client."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Literal, overload

from . import _call as calls
from ._aio_transport import AioTransport
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
from .tracker import StreamTracker


class AsyncProject:
    """One project of a server. It holds nothing but its id: two of the same id are the same."""

    def __init__(self, transport: AioTransport, project_id: str) -> None:
        self._transport = transport
        self.id = project_id

    def __repr__(self) -> str:
        return f"AsyncProject({self.id!r})"

    async def info(self) -> ProjectInfo:
        """Settings and status. Raises ``PROJECT_NOT_FOUND``."""
        return (await self._send(calls.get(project_path(self.id)))).read(ProjectInfo)

    async def status(self) -> Status:
        """How far the project is, and what is wrong with it."""
        return (await self._send(calls.get(project_path(self.id, "status")))).read(Status)

    async def update(self, settings: ProjectSettings) -> ProjectInfo:
        """Changes settings, and creates the project where there is none; what is not given stays."""
        answer = await self._send(calls.put(project_path(self.id), settings_body(settings)))
        return answer.read(ProjectInfo)

    async def delete(self) -> None:
        """Removes files, builds, previews and grants. Raises ``PROJECT_NOT_FOUND``."""
        await self._send(calls.delete(project_path(self.id)))

    async def apply_changes(
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
        return read_changes(await self._send(call))

    async def sync(
        self,
        changed_files: Iterable[str] | None = None,
        deleted: Iterable[str] | None = None,
        *,
        wait: WaitPoint | None = None,
        timeout_ms: int = DEFAULT_WAIT_MS,
    ) -> AppliedChanges:
        """Pulls from the project's source: the named files, or without a list all that differs."""
        call = calls.sync(self.id, changed_files, deleted, wait=wait, timeout_ms=timeout_ms)
        return read_changes(await self._send(call))

    async def build(
        self,
        *,
        force: bool = False,
        wait: WaitPoint | None = None,
        timeout_ms: int = DEFAULT_WAIT_MS,
    ) -> AsyncBuild:
        """Builds the current revision, or joins its build; ``force`` builds anew."""
        call = calls.build(self.id, force=force, wait=wait, timeout_ms=timeout_ms)
        return AsyncBuild(self._transport, self.id, (await self._send(call)).read(BuildInfo))

    async def builds(self) -> AsyncGenerator[AsyncBuild, None]:
        """Builds, newest first; reads on as they are taken."""
        cursor: str | None = None
        while True:
            path = project_path(self.id, "builds")
            answer = await self._send(calls.get(path, limit=50, cursor=cursor))
            items, cursor = answer.read_page(BuildInfo)
            for info in items:
                yield AsyncBuild(self._transport, self.id, info)
            if cursor is None:
                return

    async def get_build(self, build_id: str) -> AsyncBuild:
        """Raises ``BUILD_NOT_FOUND``."""
        answer = await self._send(calls.get(project_path(self.id, "builds", build_id)))
        return AsyncBuild(self._transport, self.id, answer.read(BuildInfo))

    async def logs(self, *, build: str | None = None) -> str:
        """What the toolchain wrote in the newest build, or in one, as text."""
        return (await self._send(calls.get(project_path(self.id, "logs"), build=build))).text()

    @overload
    async def diagnostics(self) -> Diagnostics: ...
    @overload
    async def diagnostics(self, format: Literal["prompt"], *, max_chars: int = ...) -> str: ...
    async def diagnostics(
        self, format: Literal["prompt"] | None = None, *, max_chars: int = 8000
    ) -> Diagnostics | str:
        """What is wrong now, root cause first; with ``prompt`` as text for a model."""
        answer = await self._send(diagnostics_call(self.id, format, max_chars))
        return answer.text() if format == "prompt" else answer.read(Diagnostics)

    async def start_session(self) -> Session:
        """Starts the project's own dev server, or keeps it alive. It may still be starting."""
        return (await self._send(calls.put(project_path(self.id, "session")))).read(Session)

    async def session(self) -> Session:
        """How the dev server is."""
        return (await self._send(calls.get(project_path(self.id, "session")))).read(Session)

    async def stop_session(self) -> None:
        """Stops the dev server, where one runs; the published build stays."""
        await self._send(calls.delete(project_path(self.id, "session")))

    async def wait_until_ready(self, timeout_ms: int = READY_MS) -> Status:
        """Returns when the newest revision is built and published.

        Raises ``PreviewdFailedError`` (``BUILD_FAILED``) with the status where it cannot be built,
        and ``PreviewdTimeout``.
        """
        async with contextlib.aclosing(self.events(["status"], timeout_ms=timeout_ms)) as events:
            async for event in events:
                status = raise_if_failed(event)
                if status is not None and status.state == "ready":
                    return status
        raise PreviewdTimeout(f"The events of {self.id} ended.")

    async def wait_until_live(self, timeout_ms: int = READY_MS) -> Session:
        """Returns when the session that was started is live.

        Raises ``PreviewdFailedError`` (``SESSION_FAILED``) with the reason, and ``PreviewdTimeout``.
        """
        wanted: list[EventType] = ["status", "session"]
        async with contextlib.aclosing(self.events(wanted, timeout_ms=timeout_ms)) as events:
            async for _ in events:
                session = live_session(await self.status())
                if session is not None:
                    return session
        raise PreviewdTimeout(f"The events of {self.id} ended.")

    def events(
        self,
        types: Iterable[EventType] | None = None,
        *,
        after: int | None = None,
        timeout_ms: int | None = None,
    ) -> AsyncGenerator[Event, None]:
        """What happens, from now on and across reconnections; begins with the status.

        ``after`` goes on after the event of this id instead; 0 for everything that is kept.
        ``close()`` it where the loop is left early.
        """
        return self._transport.follow(subscribe(self.id, types), timeout_ms, after)

    async def get_preview_url(
        self, role: Role | None = None, *, expires_in_seconds: int = 3600
    ) -> str:
        """Where a browser sees the project; with a role, a link that carries the right to."""
        if role is None:
            return (await self.status()).urls.preview
        return (await self._send(calls.grant(self.id, role, expires_in_seconds))).read(Grant).url

    async def revoke_preview_urls(self) -> None:
        """No link that was given out works any more."""
        await self._send(calls.delete(project_path(self.id, "grants")))

    async def files(self) -> Manifest:
        """Path, size and SHA-256 of each file of the current revision."""
        return (await self._send(calls.get(project_path(self.id, "files")))).read(Manifest)

    async def read_file(self, path: str) -> bytes:
        """The content of one file. Raises ``FILE_NOT_FOUND``."""
        return (await self._send(calls.get(project_path(self.id, "files", *path.split("/"))))).body

    def track_stream(self, options: TrackerOptions | None = None) -> StreamTracker:
        """Sends the files that a model writes on their way while it writes. Needs a running loop."""
        return StreamTracker(self, options)

    async def _send(self, call: Call) -> Answer:
        return await self._transport.send(call)


class AsyncBuild:
    """One run that makes an artifact of the project. ``info`` is how it was when last asked."""

    def __init__(self, transport: AioTransport, project_id: str, info: BuildInfo) -> None:
        self._transport = transport
        self._project_id = project_id
        self.id = info.id
        self.info = info

    def __repr__(self) -> str:
        return f"AsyncBuild({self.id!r}, {self.info.state!r})"

    async def logs(self) -> AsyncGenerator[LogLine, None]:
        """What the toolchain wrote, line by line as it is written; ends when the build ends."""
        log = self._transport.follow(log_call(self._project_id, self.id))
        async with contextlib.aclosing(log):
            async for event in log:
                if event.type == "end":
                    return
                yield decode(LogLine, event.data)

    async def refresh(self) -> BuildInfo:
        """Asks how it is now."""
        self.info = (await self._send("GET")).read(BuildInfo)
        return self.info

    async def publish(self) -> Status:
        """Makes this good build the one that viewers see."""
        return (await self._send("POST", "publish")).read(Status)

    async def cancel(self) -> BuildInfo:
        """Stops the build."""
        self.info = (await self._send("POST", "cancel")).read(BuildInfo)
        return self.info

    async def _send(self, method: str, *action: str) -> Answer:
        path = project_path(self._project_id, "builds", self.id, *action)
        return await self._transport.send(Call(method, path))
