"""The synchronous client, over the standard library; any thread may use it."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

from . import _call as calls
from ._call import project_path
from ._retry import RetryPolicy
from ._settings import resolve_settings
from ._shared import (
    settings_body,
)
from ._transport import Transport
from .models import (
    ProjectInfo,
    ProjectSettings,
)
from .project import Project


class PreviewdClient:
    """A client of one server.

    ``url`` and ``api_key`` default to ``PREVIEWD_URL`` and ``PREVIEWD_API_KEY``. ``max_retries``
    further attempts are made where a call can be repeated safely. Raises ``PreviewdError``.
    """

    def __init__(
        self, url: str | None = None, api_key: str | None = None, *, max_retries: int = 3
    ) -> None:
        self._transport = Transport(resolve_settings(url, api_key), RetryPolicy(max_retries))
        self.projects = Projects(self._transport)

    def project(self, project_id: str) -> Project:
        """The project with this id, without asking whether it exists."""
        return Project(self._transport, project_id)

    def close(self) -> None:
        """Nothing stays open between calls; here so that both clients are used alike."""

    def __enter__(self) -> PreviewdClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"PreviewdClient({self._transport.settings.url!r})"


class Projects:
    """The projects of a server."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, project_id: str, settings: ProjectSettings | None = None) -> Project:
        """Creates the project, or changes its settings where it exists."""
        call = calls.put(project_path(project_id), settings_body(settings))
        return Project(self._transport, project_id, self._transport.send(call).read(ProjectInfo))

    def get(self, project_id: str) -> Project:
        """Raises ``PROJECT_NOT_FOUND``."""
        answer = self._transport.send(calls.get(project_path(project_id)))
        return Project(self._transport, project_id, answer.read(ProjectInfo))

    def list(self) -> Iterator[Project]:
        """All of them, newest activity first; pages are fetched as they are needed."""
        cursor: str | None = None
        while True:
            answer = self._transport.send(calls.get("/v1/projects", limit=100, cursor=cursor))
            items, cursor = answer.read_page(ProjectInfo)
            for info in items:
                yield Project(self._transport, info.id, info)
            if cursor is None:
                return

    def delete(self, project_id: str) -> None:
        """Removes files, builds, previews and grants."""
        self._transport.send(calls.delete(project_path(project_id)))
