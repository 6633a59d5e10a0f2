"""The asyncio client, over aiohttp; the names are those of ``client``."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import TracebackType

from . import _call as calls
from ._aio_transport import AioTransport
from ._call import project_path
from ._retry import RetryPolicy
from ._settings import resolve_settings
from ._shared import check_project_id
from .aio_project import AsyncProject
from .models import ProjectInfo, ProjectSettings


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
        """A project by its id, without a call: ``apply_changes`` makes it where there is none."""
        return self.projects.at(project_id)

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
    """The projects of a server that the key may see."""

    def __init__(self, transport: AioTransport) -> None:
        self._transport = transport

    def at(self, project_id: str) -> AsyncProject:
        """A project by its id, without a call. Raises ``INVALID_OPTIONS``.

        ``apply_changes`` creates it where it does not exist.
        """
        return AsyncProject(self._transport, check_project_id(project_id))

    async def create(self, project_id: str, settings: ProjectSettings | None = None) -> AsyncProject:
        """Creates a project, or changes the settings of the one that has the id."""
        project = self.at(project_id)
        await project.update(settings or {})
        return project

    async def get(self, project_id: str) -> AsyncProject:
        """Raises ``PROJECT_NOT_FOUND``."""
        project = self.at(project_id)
        await project.info()
        return project

    async def list(self) -> AsyncGenerator[ProjectInfo, None]:
        """Settings and state of each, newest activity first; reads on as they are taken."""
        cursor: str | None = None
        while True:
            answer = await self._transport.send(calls.get("/v1/projects", limit=100, cursor=cursor))
            items, cursor = answer.read_page(ProjectInfo)
            for info in items:
                yield info
            if cursor is None:
                return

    async def delete(self, project_id: str) -> None:
        """Removes files, builds, previews and grants. Raises ``PROJECT_NOT_FOUND``."""
        await self._transport.send(calls.delete(project_path(check_project_id(project_id))))
