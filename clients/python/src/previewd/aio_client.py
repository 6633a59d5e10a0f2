"""The asyncio client, over aiohttp; the names are those of ``client``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType

from . import _call as calls
from ._aio_transport import AioTransport
from ._call import project_path
from ._retry import RetryPolicy
from ._settings import resolve_settings
from ._shared import (
    settings_body,
)
from .aio_project import AsyncProject
from .models import (
    ProjectInfo,
    ProjectSettings,
)


class AsyncPreviewdClient:
    """A client of one server.

    ``url`` and ``api_key`` default to ``PREVIEWD_URL`` and ``PREVIEWD_API_KEY``. ``max_retries``
    further attempts are made where a call can be repeated safely. Raises ``PreviewdError``.
    """

    def __init__(
        self, url: str | None = None, api_key: str | None = None, *, max_retries: int = 3
    ) -> None:
        self._transport = AioTransport(resolve_settings(url, api_key), RetryPolicy(max_retries))
        self.projects = AsyncProjects(self._transport)

    def project(self, project_id: str) -> AsyncProject:
        """The project with this id, without asking whether it exists."""
        return AsyncProject(self._transport, project_id)

    async def close(self) -> None:
        """Closes the connections; the client must not be used afterwards."""
        await self._transport.close()

    async def __aenter__(self) -> AsyncPreviewdClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncPreviewdClient({self._transport.settings.url!r})"


class AsyncProjects:
    """The projects of a server."""

    def __init__(self, transport: AioTransport) -> None:
        self._transport = transport

    async def create(self, project_id: str, settings: ProjectSettings | None = None) -> AsyncProject:
        """Creates the project, or changes its settings where it exists."""
        call = calls.put(project_path(project_id), settings_body(settings))
        return AsyncProject(
            self._transport, project_id, (await self._transport.send(call)).read(ProjectInfo)
        )

    async def get(self, project_id: str) -> AsyncProject:
        """Raises ``PROJECT_NOT_FOUND``."""
        answer = await self._transport.send(calls.get(project_path(project_id)))
        return AsyncProject(self._transport, project_id, answer.read(ProjectInfo))

    async def list(self) -> AsyncIterator[AsyncProject]:
        """All of them, newest activity first; pages are fetched as they are needed."""
        cursor: str | None = None
        while True:
            answer = await self._transport.send(calls.get("/v1/projects", limit=100, cursor=cursor))
            items, cursor = answer.read_page(ProjectInfo)
            for info in items:
                yield AsyncProject(self._transport, info.id, info)
            if cursor is None:
                return

    async def delete(self, project_id: str) -> None:
        """Removes files, builds, previews and grants."""
        await self._transport.send(calls.delete(project_path(project_id)))
