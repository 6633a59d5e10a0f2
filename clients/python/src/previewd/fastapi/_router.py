"""The calls of a platform's build service, and previews below ``/preview/``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.params import Depends
from yarl import URL

from .._call import Call
from .._retry import RetryPolicy
from .._settings import resolve_settings
from .._transport import Transport
from ..errors import PreviewdError
from ._middleware import PreviewMiddleware
from ._proxy import Connections, Receive, Scope, Send, proxy_http
from ._targets import below_path, is_project

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def preview_router(
    *,
    dependencies: Sequence[Depends] | None = None,
    url: str | None = None,
    api_key: str | None = None,
) -> APIRouter:
    """A router for the root of an app.

    ``POST /api/build/{id}`` and ``GET /api/build/{id}/status``, for which ``dependencies`` decide
    who may call, since they are made with the platform's key (without any, who reaches the app
    may); and ``/preview/{id}/...``, which is
    made without it: previewd decides what is public.

    ``url`` and ``api_key`` default to ``PREVIEWD_URL`` and ``PREVIEWD_API_KEY``.
    """
    settings = resolve_settings(url, api_key)
    transport = Transport(settings, RetryPolicy(retries=1))
    connections = Connections()
    router = APIRouter()

    # Not async: FastAPI runs these in a thread, where the plain client may wait.
    @router.post("/api/build/{project}", dependencies=dependencies, tags=["previews"])
    def start_build(project: str, request: Request) -> Response:
        """Start a build"""
        return _ask(transport, "POST", f"/api/build/{quote(project, safe='')}", request)

    @router.get("/api/build/{project}/status", dependencies=dependencies, tags=["previews"])
    def build_status(project: str, request: Request) -> Response:
        """How the build is"""
        return _ask(transport, "GET", f"/api/build/{quote(project, safe='')}/status", request)

    @router.api_route("/preview/{project}", methods=_METHODS, include_in_schema=False)
    @router.api_route("/preview/{project}/{path:path}", methods=_METHODS, include_in_schema=False)
    async def preview(project: str, request: Request) -> Response:
        target = below_path(settings.url, request.scope, project) if is_project(project) else None
        if target is None:
            return Response("There is no preview at this address.\n", 400, media_type="text/plain")
        return _ProxiedResponse(connections, target)

    return router


def mount_previews(
    app: FastAPI,
    *,
    domain: str | None = None,
    dependencies: Sequence[Depends] | None = None,
    url: str | None = None,
    api_key: str | None = None,
) -> None:
    """Adds ``preview_router`` and ``PreviewMiddleware`` to an app."""
    app.include_router(preview_router(dependencies=dependencies, url=url, api_key=api_key))
    app.add_middleware(PreviewMiddleware, domain=domain, url=url)


class _ProxiedResponse(Response):
    """Answers with what previewd answers, as it streams."""

    def __init__(self, connections: Connections, target: URL) -> None:
        super().__init__()
        self._connections = connections
        self._target = target

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = self._target.authority
        session = self._connections.session()
        await proxy_http(session, self._target, scope, receive, send, host=host)


def _ask(transport: Transport, method: str, path: str, request: Request) -> Response:
    try:
        answer = json.loads(transport.send(Call(method, path)).body)
    except PreviewdError as error:
        return _problem(error)
    except ValueError:
        return _problem(PreviewdError("INVALID_ANSWER", "The preview server's answer is no JSON."))
    if isinstance(answer, dict) and isinstance(answer.get("url"), str):
        # previewd names itself; the browser knows the platform.
        answer["url"] = str(request.base_url).rstrip("/") + urlsplit(answer["url"]).path
    return _json(200, answer, "application/json")


def _problem(error: PreviewdError) -> Response:
    """What the platform's own key may not do, or has no answer, is no mistake of the browser's."""
    status = error.status if error.status in (400, 404, 409, 422, 429, 503) else 502
    body = {"title": "The build service refused", "status": status, "code": error.code}
    body |= {"detail": error.detail, "error": error.detail}
    return _json(status, body, "application/problem+json")


def _json(status: int, body: Any, media_type: str) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(json.dumps(body), status, headers=headers, media_type=media_type)
