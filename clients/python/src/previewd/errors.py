"""What can go wrong with a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .models import Status


class PreviewdError(Exception):
    """A call that failed, or that the server refused.

    ``code`` is stable (``PROJECT_NOT_FOUND``, ``INVALID_PATH``, ...; the server lists them at
    ``/docs/errors``), ``status`` is the HTTP status or ``None`` where no answer came, ``detail`` is
    one sentence for people, ``extra`` holds further members of the answer, such as the
    ``revision`` of a ``REVISION_CONFLICT``.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.status = status
        self.extra: Mapping[str, Any] = dict(extra or {})


class PreviewdConnectionError(PreviewdError):
    """The server could not be reached, or the connection broke before its answer was there."""

    def __init__(self, detail: str) -> None:
        super().__init__("CONNECTION_FAILED", detail)


class PreviewdTimeout(PreviewdError):
    """The time that the caller gave was over first."""

    def __init__(self, detail: str) -> None:
        super().__init__("TIMEOUT", detail)


class PreviewdFailedError(PreviewdError):
    """What was waited for will not come.

    ``BUILD_FAILED`` or ``SESSION_FAILED``. ``project_status`` has the ``diagnostics``.
    """

    def __init__(self, code: str, detail: str, project_status: Status) -> None:
        super().__init__(code, detail)
        self.project_status = project_status
