"""What the server answers, in snake_case. Members that this version does not know are left out.

Times are ISO 8601 in UTC, durations are milliseconds, sizes are bytes. Text of diagnostics, logs
and events may have been written by the project's own code: show it as text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

WaitPoint = Literal["applied", "built", "checked", "live", "painted"]
Role = Literal["editor", "viewer"]
EventType = Literal["status", "revision", "build", "session", "log", "diagnostic", "console"]


@dataclass(frozen=True)
class Diagnostic:
    """One problem; ``line`` and ``column`` count from 1."""

    origin: str
    severity: str
    message: str
    code: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    frame: str | None = None
    stack: str | None = None
    hint: str | None = None
    count: int = 1
    revision: int | None = None


@dataclass(frozen=True)
class Artifact:
    """What a build made."""

    files: int
    bytes: int


@dataclass(frozen=True)
class Timings:
    """How long the parts of a build took."""

    sync_ms: float | None = None
    install_ms: float | None = None
    build_ms: float | None = None


@dataclass(frozen=True)
class Progress:
    """How far an install is. ``phase``: resolving, fetching, linking."""

    phase: str
    done: int
    total: int | None = None


@dataclass(frozen=True)
class BuiltServer:
    """The server of a published build, where its pages need one.

    ``state``: asleep, starting, live, failed.
    """

    state: str
    reason: str | None = None


@dataclass(frozen=True)
class BuildInfo:
    """One build. ``state``: queued, installing, building, succeeded, failed, canceled, timed_out."""

    id: str
    revision: int
    state: str
    queued_at: str
    started_at: str | None = None
    finished_at: str | None = None
    duration_ms: float | None = None
    artifact: Artifact | None = None
    environment: str | None = None
    node_major: int | None = None
    diagnostics: list[Diagnostic] = field(default_factory=list)
    timings: Timings | None = None


@dataclass(frozen=True)
class Published:
    """The build that viewers see."""

    build_id: str
    revision: int


@dataclass(frozen=True)
class Session:
    """A live dev server. ``state``: off, starting, live, error."""

    state: str
    viewers: int
    revision: int | None = None
    started_at: str | None = None
    start_ms: int | None = None
    memory_bytes: float | None = None
    restarts: int = 0
    reason: str | None = None


@dataclass(frozen=True)
class Painted:
    """What the newest page of an editor says of itself."""

    revision: int
    at: str
    errors: int
    visible: bool


@dataclass(frozen=True)
class Urls:
    """Where the preview is: at an origin of its own, and by path."""

    preview: str
    path: str


@dataclass(frozen=True)
class Status:
    """How far a project is. ``state``: empty, queued, installing, building, ready, error."""

    project: str
    revision: int
    state: str
    urls: Urls
    session: Session
    diagnostics: list[Diagnostic]
    build: BuildInfo | None = None
    published: Published | None = None
    painted: Painted | None = None
    server: BuiltServer | None = None
    timings: Timings | None = None
    progress: Progress | None = None


@dataclass(frozen=True)
class ProjectInfo:
    """A project's settings, and where it stands. Of ``env`` only the names are told."""

    id: str
    revision: int
    state: str
    urls: Urls
    created_at: str
    active_at: str
    name: str | None = None
    external_id: str | None = None
    root: str | None = None
    framework: str | None = None
    build_command: str | None = None
    output_dir: str | None = None
    node_version: str | None = None
    mode: str | None = None
    spa: bool | None = None
    visibility: str | None = None
    egress: str | None = None
    instrument: bool | None = None
    auto_install: bool | None = None
    source: dict[str, Any] = field(default_factory=dict)
    env: dict[str, Any] = field(default_factory=dict)
    proxy: dict[str, Any] = field(default_factory=dict)
    published: Published | None = None
    status: Status | None = None


@dataclass(frozen=True)
class Change:
    """One file of a revision. ``kind``: added, modified, deleted."""

    path: str
    kind: str


@dataclass(frozen=True)
class Stored:
    """Whether the source of a project that is written through has a batch.

    ``state``: stored, pending, failed (with ``code`` and ``detail``; it is tried again).
    """

    state: str
    code: str | None = None
    detail: str | None = None


@dataclass(frozen=True)
class AppliedChanges:
    """What a batch did.

    ``reason`` says why there was nothing to wait for, ``timed_out`` that ``wait`` was not reached
    in time: ``status`` says how far it is.
    """

    project: str
    revision: int
    changed: list[Change]
    unchanged: int
    status: Status
    reason: str | None = None
    stored: Stored | None = None
    timed_out: bool = False


@dataclass(frozen=True)
class Diagnostics:
    """What is wrong now, root cause first."""

    revision: int
    state: str
    diagnostics: list[Diagnostic]


@dataclass(frozen=True)
class ManifestFile:
    """One file of the current revision."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The files of the current revision."""

    revision: int
    files: list[ManifestFile]


@dataclass(frozen=True)
class Grant:
    """A right to see a preview; ``url`` is good for an iframe and holds the token."""

    expires_at: str
    token: str = field(repr=False)
    url: str = field(repr=False)


@dataclass(frozen=True)
class LogLine:
    """One line that the toolchain wrote. ``stream``: stdout, stderr."""

    at: str
    stream: str
    text: str


@dataclass(frozen=True)
class Event:
    """Something that happened; ``data`` is as the server sent it, in its own camelCase."""

    type: str
    data: Any
    id: int | None = None


class ProjectSettings(TypedDict, total=False):
    """What of a project can be set; what is not given stays as it is."""

    name: str
    external_id: str
    source: dict[str, Any]
    root: str
    framework: Literal["auto", "vite", "static", "command"]
    build_command: str
    output_dir: str
    node_version: str
    mode: str
    env: dict[str, str | None]
    spa: bool
    visibility: Literal["public", "private"]
    egress: Literal["none", "allowlist", "public"]
    proxy: dict[str, str]
    instrument: bool
    auto_install: bool
