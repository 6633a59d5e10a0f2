"""Client of previewd, the preview daemon: files in, a live preview and its problems out."""

from ._version import __version__
from .aio_client import AsyncPreviewdClient, AsyncProjects
from .aio_project import AsyncBuild, AsyncProject
from .client import PreviewdClient, Projects
from .errors import PreviewdConnectionError, PreviewdError, PreviewdFailed, PreviewdTimeout
from .project import Build, Project

__all__ = [
    "AsyncBuild",
    "AsyncPreviewdClient",
    "AsyncProject",
    "AsyncProjects",
    "Build",
    "PreviewdClient",
    "PreviewdConnectionError",
    "PreviewdError",
    "PreviewdFailed",
    "PreviewdTimeout",
    "Project",
    "Projects",
    "__version__",
]
