"""Small decisions that both clients make alike."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

from . import _call as calls
from ._answer import Answer
from ._call import Call, project_path
from ._decode import decode, to_camel
from .errors import PreviewdError, PreviewdFailedError
from .models import AppliedChanges, Event, EventType, ProjectSettings, Session, Status

#: How long a first install and build may take.
READY_MS = 120_000


def check_project_id(project_id: str) -> str:
    """The id, where it can be one; the server knows the rest of the rules."""
    if re.fullmatch(r"[a-z0-9-]+", project_id):
        return project_id
    raise PreviewdError("INVALID_OPTIONS", "A project id is a DNS label: a-z, 0-9 and -.")


def settings_body(settings: ProjectSettings) -> dict[str, Any]:
    """Settings by the server's names; what is inside them stays as it is."""
    given: Mapping[str, Any] = settings
    return {to_camel(name): given[name] for name in given}


def read_changes(answer: Answer) -> AppliedChanges:
    """The answer to a batch. 202 says that the time was over first."""
    return dataclasses.replace(answer.read(AppliedChanges), timed_out=answer.status == 202)


def subscribe(project: str, types: Iterable[EventType] | None) -> Call:
    """The events of a project."""
    wanted = None if types is None else ",".join(types)
    return calls.get(project_path(project, "events"), types=wanted)


def log_call(project: str, build: str) -> Call:
    """The log of a build as it is written."""
    return calls.get(project_path(project, "logs"), build=build, follow=1)


def diagnostics_call(project: str, form: str | None, max_chars: int) -> Call:
    """``form`` is None or ``prompt``."""
    path = project_path(project, "diagnostics")
    return calls.get(path) if form is None else calls.get(path, format=form, maxChars=max_chars)


def raise_if_failed(event: Event) -> Status | None:
    """The status that an event tells of, if any. Raises where it says that the build failed."""
    if event.type != "status":
        return None
    status = decode(Status, event.data)
    if status.state == "error":
        raise PreviewdFailedError("BUILD_FAILED", _failure(status), status)
    return status


def live_session(status: Status) -> Session | None:
    """The session where it is live, None while it starts. Raises where it will not be."""
    session = status.session
    if session.state in ("error", "off"):
        reason = session.reason or "it was not started"
        detail = f"The session of {status.project} is {session.state}: {reason}."
        raise PreviewdFailedError("SESSION_FAILED", detail, status)
    return session if session.state == "live" else None


def _failure(status: Status) -> str:
    errors = [item for item in status.diagnostics if item.severity == "error"]
    if not errors:
        return f"{status.project} was not built."
    place = ":".join(str(part) for part in (errors[0].file, errors[0].line) if part is not None)
    return f"{status.project} was not built: {errors[0].message}{place and f' ({place})'}"
