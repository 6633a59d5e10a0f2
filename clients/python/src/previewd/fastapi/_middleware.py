"""Previews at names of their own: with live sessions, hot updates, cookies and storage."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from .._settings import resolve_settings
from ._pages import is_navigation
from ._proxy import Connections, Receive, Scope, Send, proxy_http
from ._targets import at_origin, marked_location, names_preview, origin_location
from ._websocket import proxy_websocket

App = Callable[[Scope, Receive, Send], Awaitable[None]]


class PreviewMiddleware:
    """Answers ``{project}.{domain}`` in front of every route of the app.

    ``domain`` without a port, e.g. ``localhost`` or ``preview.example``: it has to be that of
    ``PREVIEWD_PREVIEW_DOMAIN``. Who may see what is decided by previewd, by its grants.
    Pages below ``/preview/{project}/`` are led there. Without a ``domain`` it only leads reloaded
    pages of previews below a path back to their path.
    """

    def __init__(self, app: App, *, domain: str | None = None, url: str | None = None) -> None:
        self._app = app
        self._domain = None if domain is None else domain.lower().partition(":")[0].strip(".")
        self._url = resolve_settings(url).url
        self._connections = Connections()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_http = scope["type"] == "http"
        if not is_http and scope["type"] != "websocket":
            await self._app(scope, receive, send)
        elif self._domain is not None and names_preview(scope, self._domain):
            url, session = at_origin(self._url, scope), self._connections.session()
            if url is None:
                await (_refuse(send) if is_http else send({"type": "websocket.close"}))
            elif is_http:
                await proxy_http(session, url, scope, receive, send, host=None)
            else:
                await proxy_websocket(session, url, scope, receive, send)
        elif is_http and is_navigation(scope) and (location := self._location(scope)):
            await _redirect(send, location)
        else:
            await self._app(scope, receive, send)

    def _location(self, scope: Scope) -> str | None:
        if self._domain is not None and (location := origin_location(scope, self._domain)):
            return location
        return marked_location(scope)


async def _refuse(send: Send) -> None:
    await send({"type": "http.response.start", "status": 400, "headers": []})
    await send({"type": "http.response.body", "body": b"This is no path.\n"})


async def _redirect(send: Send, location: str) -> None:
    headers = [(b"location", location.encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 307, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
