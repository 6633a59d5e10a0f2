"""Small decisions that both clients make alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from . import _call as calls
from ._call import Call, project_path
from ._decode import to_camel
from .models import EventType, ProjectSettings

#: How long a first install and build may take.
READY_MS = 120_000

_SETTLED = frozenset({"ready", "error"})


def settings_body(settings: ProjectSettings | None) -> dict[str, Any]:
    """Settings by the server's names; what is inside them stays as it is."""
    given: Mapping[str, Any] = settings or {}
    return {to_camel(name): given[name] for name in given}


def subscribe(project: str, types: Iterable[EventType] | None, after: int | None) -> Call:
    """The events of a project."""
    wanted = None if types is None else ",".join(types)
    return calls.get(project_path(project, "events"), types=wanted, after=after)


def log_call(project: str, build: str) -> Call:
    """The log of a build as it is written."""
    return calls.get(project_path(project, "logs"), build=build, follow=1)


def diagnostics_call(project: str, form: str | None, max_chars: int) -> Call:
    """``form`` is None or ``prompt``."""
    path = project_path(project, "diagnostics")
    return calls.get(path) if form is None else calls.get(path, format=form, maxChars=max_chars)


def is_settled(status: Any) -> bool:
    """Whether nothing is under way, by a status as the server sent it."""
    return isinstance(status, dict) and status.get("state") in _SETTLED
