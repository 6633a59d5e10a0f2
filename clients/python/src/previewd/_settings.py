"""Which server, and with which key."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .errors import PreviewdError

DEFAULT_URL = "http://127.0.0.1:4400"


@dataclass(frozen=True)
class Settings:
    """Address of the server, without a final slash, and the key, which no ``repr`` shows."""

    url: str
    api_key: str | None = field(default=None, repr=False)

    @property
    def authorization(self) -> dict[str, str]:
        """The header that carries the key; empty without one."""
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}


def resolve_settings(url: str | None = None, api_key: str | None = None) -> Settings:
    """What is given, else ``PREVIEWD_URL`` and ``PREVIEWD_API_KEY``; an empty key is none.

    Raises ``INVALID_OPTIONS`` where one of them cannot be; its message holds neither.
    """
    if url is None:
        url = os.environ.get("PREVIEWD_URL") or DEFAULT_URL
    if api_key is None:
        api_key = os.environ.get("PREVIEWD_API_KEY")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _invalid("The URL of previewd has to begin with http:// or https:// and a host.")
    if parts.username is not None or parts.password is not None:
        raise _invalid("The URL of previewd must not hold credentials: give them as api_key.")
    if parts.query or parts.fragment:
        raise _invalid("The URL of previewd must not have a query or a fragment.")
    if api_key and not re.fullmatch(r"[\x21-\x7e]+", api_key):
        raise _invalid("The API key has characters that no key has; was it read with a newline?")
    return Settings(url.rstrip("/"), api_key or None)


def _invalid(detail: str) -> PreviewdError:
    return PreviewdError("INVALID_OPTIONS", detail)
