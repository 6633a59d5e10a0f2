"""Client of previewd, the preview daemon: files in, a live preview and its problems out."""

from ._stream import Dropped, StreamResult, TrackerOptions
from ._version import __version__
from .aio_client import AsyncPreviewdClient, AsyncProjects
from .aio_project import AsyncBuild, AsyncProject
from .client import PreviewdClient, Projects
from .errors import PreviewdConnectionError, PreviewdError, PreviewdFailedError, PreviewdTimeout
from .project import Build, Project
from .sync_tracker import SyncStreamTracker
from .tracker import StreamTracker

__all__ = [
    "AsyncBuild",
    "AsyncPreviewdClient",
    "AsyncProject",
    "AsyncProjects",
    "Build",
    "Dropped",
    "PreviewdClient",
    "PreviewdConnectionError",
    "PreviewdError",
    "PreviewdFailedError",
    "PreviewdTimeout",
    "Project",
    "Projects",
    "StreamResult",
    "StreamTracker",
    "SyncStreamTracker",
    "TrackerOptions",
    "__version__",
]
