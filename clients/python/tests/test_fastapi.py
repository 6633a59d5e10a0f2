"""The FastAPI router and middleware, in front of the real server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request

from conftest import BROKEN_APP, PAGE, Server
from platform_server import Platform, serve
from previewd import PreviewdClient
from previewd.fastapi import PreviewMiddleware, mount_previews, preview_router
from previewd.fastapi._targets import is_project

BROWSER = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}


def require_token(request: Request) -> None:
    if request.headers.get("x-token") != "let-me":
        raise HTTPException(401)


@pytest.fixture
def platform(server: Server) -> Iterator[Platform]:
    app = FastAPI()
    mount_previews(app, domain="localhost", url=server.url, api_key=server.api_key)

    @app.get("/")
    def home(request: Request) -> dict[str, Any]:
        return {"home": True, "query": request.url.query}

    with serve(app) as platform:
        yield platform


@pytest.fixture
def site(client: PreviewdClient, project_id: str) -> str:
    files = {"index.html": PAGE, "a b.txt": "0123456789"}
    client.projects.at(project_id).apply_changes(files, wait="built")
    return project_id


def test_the_calls_of_the_build_service(platform: Platform, site: str) -> None:
    started = platform.ask(f"/api/build/{site}", "POST")
    assert started.status == 200
    assert f'"url": "{platform.url}/preview/{site}/"' in started.text
    status = platform.ask(f"/api/build/{site}/status")
    assert '"status": "ready"' in status.text
    missing = platform.ask("/api/build/nobody/status")
    assert (missing.status, missing.headers["content-type"]) == (404, "application/problem+json")
    assert "PROJECT_NOT_FOUND" in missing.text
    assert platform.ask("/api/build/..%2f..%2fv1/status").status in (400, 404)


def test_who_may_build_is_decided_by_the_platform(server: Server, site: str) -> None:
    app = FastAPI()
    guards = [Depends(require_token)]
    app.include_router(preview_router(dependencies=guards, url=server.url, api_key=server.api_key))
    with serve(app) as platform:
        assert platform.ask(f"/api/build/{site}", "POST").status == 401
        assert platform.ask(f"/api/build/{site}/status").status == 401
        assert platform.ask(f"/api/build/{site}/status", headers={"X-Token": "let-me"}).status == 200
        assert platform.ask(f"/preview/{site}/").status == 200


def test_a_wrong_key_of_the_platform_is_not_the_callers_mistake(server: Server, site: str) -> None:
    app = FastAPI()
    app.include_router(preview_router(url=server.url, api_key="wrong-key-of-the-platform"))
    with serve(app) as platform:
        answer = platform.ask(f"/api/build/{site}", "POST")
    assert answer.status == 502
    assert "UNAUTHORIZED" in answer.text
    assert "wrong-key" not in answer.text


def test_etags_ranges_and_head_pass(platform: Platform, site: str) -> None:
    host = {"Host": f"{site}.localhost:{platform.port}"}
    nothing: dict[str, str] = {}
    for path, headers in (
        (f"/preview/{site}/a%20b.txt", nothing),
        ("/a%20b.txt", host),
    ):
        whole = platform.ask(path, headers=headers)
        assert (whole.status, whole.text) == (200, "0123456789")
        again = platform.ask(path, headers={**headers, "If-None-Match": whole.headers["etag"]})
        assert (again.status, again.text) == (304, "")
        part = platform.ask(path, headers={**headers, "Range": "bytes=2-4"})
        assert (part.status, part.text) == (206, "234")
        assert part.headers["content-range"] == "bytes 2-4/10"
        head = platform.ask(path, "HEAD", headers=headers)
        assert (head.status, head.text, head.headers["content-length"]) == (200, "", "10")


def test_pages_are_led_to_the_name_of_their_own(platform: Platform, site: str) -> None:
    answer = platform.ask(f"/preview/{site}/a/b?x=1", headers=BROWSER)
    host = urlsplit(platform.url)
    assert answer.status == 307
    # The platform was called by its address, so that the domain is all that is known of the name.
    assert answer.headers["location"] == f"http://{site}.localhost:{host.port}/a/b?x=1"
    page = platform.ask("/", headers={**BROWSER, "Host": f"{site}.localhost:{host.port}"})
    assert (page.status, page.text) == (200, PAGE)
    assert platform.ask("/").text == '{"home":true,"query":""}'


def test_without_a_domain_pages_stay_below_their_path(server: Server, site: str) -> None:
    app = FastAPI()
    app.add_middleware(PreviewMiddleware, url=server.url)

    @app.get("/about")
    def about(request: Request) -> str:
        return f"own {request.url.query}"

    with serve(app) as platform:
        reload = platform.ask(f"/about?a=1&previewd={site}", headers=BROWSER)
        assert reload.headers["location"] == f"/preview/{site}/about?a=1"
        for query in ("previewd=..", "previewd=a--b", "a=1", "xpreviewd=demo"):
            assert platform.ask(f"/about?{query}", headers=BROWSER).text == f'"own {query}"'
        assert platform.ask(f"//evil.example/?previewd={site}", headers=BROWSER).status == 404
        host = {"Host": f"{site}.localhost"}
        assert platform.ask("/about", headers=host).text == '"own "'


@pytest.mark.parametrize(
    "path",
    [
        "/preview/{id}/../../v1/projects",
        "/preview/{id}/%2e%2e/%2e%2e/v1/projects",
        "/preview/{id}/..%2f..%2fv1/projects",
        "/preview/{id}/..%5c..%5cv1/projects",
        "/preview/{id}/a/%00",
        "/preview/../v1/projects",
        "/preview/%2e%2e/v1/projects",
        "/preview/a@evil.example/",
        "/preview/a--b/",
        "/preview/{ID}/",
        "/preview/127.0.0.1:80/",
    ],
)
def test_no_path_leads_out_of_the_preview(platform: Platform, site: str, path: str) -> None:
    asked = path.replace("{id}", site).replace("{ID}", site.upper())
    answer = platform.ask(asked)
    assert answer.status in (400, 404)
    assert "nextCursor" not in answer.text


def test_what_is_an_id() -> None:
    assert all(map(is_project, ["a", "a-b", "x" * 40]))
    assert not any(map(is_project, ["", "-a", "a-", "a--b", "A", "x" * 41, "a.b", "a/b", "a\n"]))


def test_behind_the_platform_nobody_sits_at_the_servers_own_machine() -> None:
    """A server without a key trusts this machine; who comes through the platform is not on it."""
    url = os.environ["PREVIEWD_TEST_OPEN_URL"]
    app = FastAPI()
    mount_previews(app, domain="localhost", url=url, api_key="")
    project = PreviewdClient(url, "").projects.at("behind")
    files = {**BROKEN_APP, "main.js": "document.body.append('up')\n"}
    project.apply_changes(files, wait="live", timeout_ms=120_000)
    with serve(app) as platform:
        host = {"Host": f"behind.localhost:{platform.port}"}
        assert "/@vite/client" not in platform.ask("/", headers={**BROWSER, **host}).text
        assert "nextCursor" not in platform.ask("/v1/projects", headers=host).text
        forged = {**BROWSER, **host, "X-Forwarded-For": ""}
        assert "/@vite/client" not in platform.ask("/", headers=forged).text
    project.delete()


def test_a_private_preview_opens_with_the_link_of_previewd(
    platform: Platform, client: PreviewdClient, site: str
) -> None:
    project = client.projects.create(site, {"visibility": "private"})
    host = {"Host": f"{site}.localhost:{platform.port}", **BROWSER}
    assert platform.ask("/", headers=host).status == 401
    link = urlsplit(project.get_preview_url("viewer"))
    opened = platform.ask(f"/?{link.query}", headers=host)
    assert (opened.status, opened.headers["location"]) == (303, "/")
    cookie = opened.headers["set-cookie"].partition(";")[0]
    assert platform.ask("/", headers={**host, "Cookie": f"theirs=1; {cookie}"}).text == PAGE
    wrong = platform.ask("/", headers={**host, "Authorization": "Bearer x", "Cookie": "a=b"})
    assert wrong.status == 401


def test_an_editors_socket_reaches_the_live_session(
    platform: Platform, client: PreviewdClient, project_id: str
) -> None:
    project = client.projects.at(project_id)
    app = {**BROKEN_APP, "main.js": "document.body.append('up')\n"}
    project.apply_changes(app, wait="live", timeout_ms=120_000)
    token = project.get_preview_url("editor").partition("previewd_grant=")[2]
    host = f"{project_id}.localhost:{platform.port}"

    async def talk(grant: str, origin: str) -> tuple[str | None, Any]:
        headers = {
            "Host": host,
            "Origin": origin,
            "Cookie": f"__Host-previewd-{project_id}={grant}",
        }
        url = f"{platform.url}/?token=x"
        async with aiohttp.ClientSession() as session:
            live = f"{platform.url}/.previewd/live"
            async with session.ws_connect(live, headers=headers) as socket:
                hello = {"type": "hello", "mode": "session", "revision": 1, "visible": True}
                await socket.send_json(hello)
                told = await asyncio.wait_for(socket.receive_json(), 20)
            protocols = ("vite-ping",)
            async with session.ws_connect(url, headers=headers, protocols=protocols) as socket:
                return socket.protocol, told

    protocol, told = asyncio.run(talk(token, f"http://{host}"))
    assert protocol == "vite-ping"
    assert (told["type"], told["state"], told["revision"]) == ("session", "live", 1)
    for grant, origin in (("wrong", f"http://{host}"), (token, "http://evil.example")):
        with pytest.raises(aiohttp.WSServerHandshakeError):
            asyncio.run(talk(grant, origin))
    page = platform.ask("/", headers={**BROWSER, "Host": host})
    assert "/@vite/client" not in page.text, "who has no grant does not see the session"
    cookie = f"__Host-previewd-{project_id}={token}"
    # As who loads a page anew: to others the build is shown first, and it may be there by now.
    anew = {**BROWSER, "Host": host, "Cookie": cookie, "Cache-Control": "max-age=0"}
    page = platform.ask("/", headers=anew)
    assert "/@vite/client" in page.text
    project.stop_session()
