"""The synchronous client, over the standard library; any thread may use it."""

from __future__ import annotations

from collections.abc import Generator
from types import TracebackType

from . import _call as calls
from ._call import project_path
from ._retry import RetryPolicy
from ._settings import resolve_settings
from ._shared import check_project_id
from ._transport import Transport
from .models import ProjectInfo, ProjectSettings
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
        """A project by its id, without a call: ``apply_changes`` makes it where there is none."""
        return self.projects.at(project_id)

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
    """The projects of a server that the key may see."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def at(self, project_id: str) -> Project:
        """A project by its id, without a call. Raises ``INVALID_OPTIONS``.

        ``apply_changes`` creates it where it does not exist.
        """
        return Project(self._transport, check_project_id(project_id))

    def create(self, project_id: str, settings: ProjectSettings | None = None) -> Project:
        """Creates a project, or changes the settings of the one that has the id."""
        project = self.at(project_id)
        project.update(settings or {})
        return project

    def get(self, project_id: str) -> Project:
        """Raises ``PROJECT_NOT_FOUND``."""
        project = self.at(project_id)
        project.info()
        return project

    def list(self) -> Generator[ProjectInfo, None, None]:
        """Settings and state of each, newest activity first; reads on as they are taken."""
        cursor: str | None = None
        while True:
            answer = self._transport.send(calls.get("/v1/projects", limit=100, cursor=cursor))
            items, cursor = answer.read_page(ProjectInfo)
            yield from items
            if cursor is None:
                return

    def delete(self, project_id: str) -> None:
        """Removes files, builds, previews and grants. Raises ``PROJECT_NOT_FOUND``."""
        self._transport.send(calls.delete(project_path(check_project_id(project_id))))
