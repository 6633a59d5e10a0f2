"""A call before it is sent: what both clients share."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from .errors import PreviewdError
from .models import Role, WaitPoint

FileContent = str | bytes

#: Longest time that the server holds an answer.
MAX_WAIT_MS = 120_000
DEFAULT_WAIT_MS = 30_000
#: Beside what the server may take on purpose.
ANSWER_MS = 30_000


@dataclass(frozen=True)
class Call:
    """One HTTP request. ``can_repeat``: doing it twice does what doing it once does."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    can_repeat: bool = True
    timeout_ms: int = ANSWER_MS

    @property
    def target(self) -> str:
        """Path and query, percent-encoded."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path


def project_path(project: str, *rest: str) -> str:
    """``/v1/projects/{project}/...``; each part is one segment, whatever it holds."""
    return "/".join(["/v1/projects", *(quote(part, safe="") for part in (project, *rest))])


def apply_changes(
    project: str,
    files: Mapping[str, FileContent],
    deleted: Iterable[str],
    *,
    wait: WaitPoint | None,
    timeout_ms: int,
    base_revision: int | None,
    replace: bool,
    idempotency_key: str | None,
) -> Call:
    body: dict[str, Any] = {"files": {path: _content(files[path]) for path in files}}
    if removed := list(deleted):
        body["deleted"] = removed
    if base_revision is not None:
        body["baseRevision"] = base_revision
    query = wait_query(wait, timeout_ms) | ({"replace": "1"} if replace else {})
    return _post(project_path(project, "changes"), body, query, wait, timeout_ms, idempotency_key)


def sync(
    project: str,
    changed_files: Iterable[str] | None,
    deleted: Iterable[str] | None,
    *,
    wait: WaitPoint | None,
    timeout_ms: int,
) -> Call:
    body: dict[str, Any] = {}
    if changed_files is not None:
        body["changedFiles"] = [{"path": path} for path in changed_files]
    if deleted is not None:
        body["deleted"] = list(deleted)
    query = wait_query(wait, timeout_ms)
    # A pull of many files takes the time that it takes, also where nobody waits for a build.
    patient_ms = max(timeout_ms, MAX_WAIT_MS)
    return _post(project_path(project, "sync"), body, query, "applied", patient_ms, None)


def build(project: str, *, force: bool, wait: WaitPoint | None, timeout_ms: int) -> Call:
    query = wait_query(wait, timeout_ms)
    path = project_path(project, "builds")
    return _post(path, {"force": True} if force else {}, query, wait, timeout_ms, None)


def grant(project: str, role: Role, expires_in_seconds: int) -> Call:
    body = {"role": role, "expiresInSeconds": expires_in_seconds}
    return _post(project_path(project, "grants"), body, {}, None, 0, None)


def put(path: str, body: Mapping[str, Any] | None = None) -> Call:
    return Call("PUT", path, headers=_json_headers(), body=_json(body or {}))


def get(path: str, **query: str | int | None) -> Call:
    return Call("GET", path, {name: str(value) for name, value in query.items() if value is not None})


def delete(path: str) -> Call:
    return Call("DELETE", path)


def post(path: str) -> Call:
    """A POST without a body, for what may be asked for twice."""
    return Call("POST", path)


def wait_query(wait: WaitPoint | None, timeout_ms: int) -> dict[str, str]:
    if not 0 <= timeout_ms <= MAX_WAIT_MS:
        raise PreviewdError("INVALID_OPTIONS", f"timeout_ms has to be 0 to {MAX_WAIT_MS}.")
    return {} if wait is None else {"wait": wait, "timeoutMs": str(timeout_ms)}


def _post(
    path: str,
    body: Mapping[str, Any],
    query: Mapping[str, str],
    wait: WaitPoint | None,
    timeout_ms: int,
    idempotency_key: str | None,
) -> Call:
    key = idempotency_key or str(uuid.uuid4())
    content = _json(body)
    # Bodies may be large, and lines slow: a megabyte a second.
    sending_ms = len(content) // 1000
    return Call(
        "POST",
        path,
        query,
        {**_json_headers(), "Idempotency-Key": key},
        content,
        timeout_ms=ANSWER_MS + sending_ms + (timeout_ms if wait is not None else 0),
    )


def _json_headers() -> dict[str, str]:
    return {"Content-Type": "application/json"}


def _json(body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise PreviewdError("INVALID_OPTIONS", "Text with half a character cannot be sent.") from None


def _content(content: FileContent) -> str | dict[str, str]:
    if isinstance(content, str):
        return content
    return {"encoding": "base64", "content": base64.b64encode(content).decode("ascii")}
