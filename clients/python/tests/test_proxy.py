"""What the router and the middleware pass on, both ways, and what they keep to themselves."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from fastapi import FastAPI

from echo_server import EchoServer, echo_server
from platform_server import Platform, serve
from previewd.fastapi import mount_previews

HOST = {"Host": "demo.localhost"}
PAGE_REQUEST = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    with echo_server() as echo:
        yield echo


@pytest.fixture
def platform(echo: EchoServer) -> Iterator[Platform]:
    with serve(platform_app(echo.url)) as platform:
        yield platform


def platform_app(url: str) -> FastAPI:
    app = FastAPI()
    mount_previews(app, domain="localhost", url=url, api_key="key-of-the-platform")
    return app


def headers_of(got: dict[str, Any], name: str) -> list[str]:
    return [value for key, value in got["headers"] if key == name]


SENT = {
    "Cookie": "session=secret; __Host-previewd-demo=grant",
    "Authorization": "Bearer of-the-user",
    "Connection": "x-own-hop",
    "X-Own-Hop": "1",
    "TE": "trailers",
    "X-Forwarded-For": "192.0.2.7",
    "X-Theirs": "kept",
}


def test_below_a_path_the_platforms_cookies_and_credentials_stay_with_it(
    platform: Platform, echo: EchoServer
) -> None:
    answer = platform.ask("/preview/demo/a%2Fb?q=%20&q=2", headers=SENT)
    got = json.loads(answer.text)
    assert (answer.status, got["path"]) == (207, "/preview/demo/a%2Fb?q=%20&q=2")
    assert headers_of(got, "cookie") == ["__Host-previewd-demo=grant"]
    assert headers_of(got, "host") == [echo.url.removeprefix("http://")]
    for name in ("authorization", "x-own-hop", "te"):
        assert headers_of(got, name) == []
    assert headers_of(got, "x-theirs") == ["kept"]
    assert headers_of(got, "x-forwarded-for") == ["192.0.2.7, 127.0.0.1"]
    assert headers_of(got, "x-forwarded-proto") == ["http"]
    assert headers_of(got, "x-forwarded-host") == [f"127.0.0.1:{platform.port}"]
    assert answer.headers.get_all("set-cookie") == ["__Host-previewd-demo=t; Secure"]
    assert answer.headers["x-own"] == "kept"
    for name in ("x-hop", "keep-alive", "clear-site-data"):
        assert name not in answer.headers


def test_at_its_own_name_a_preview_has_its_own_cookies_and_credentials(platform: Platform) -> None:
    answer = platform.ask("/a%2Fb", headers={**SENT, **HOST})
    got = json.loads(answer.text)
    assert got["path"] == "/a%2Fb"
    assert headers_of(got, "host") == ["demo.localhost"]
    assert headers_of(got, "cookie") == [SENT["Cookie"]]
    assert headers_of(got, "authorization") == [SENT["Authorization"]]
    assert len(answer.headers.get_all("set-cookie") or []) == 2
    assert "key-of-the-platform" not in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_and_body_passes(platform: Platform, method: str) -> None:
    for path, headers in (("/preview/demo/x", {"A": "b"}), ("/x", HOST)):
        got = json.loads(platform.ask(path, method, body="counted", headers=headers).text)
        assert (got["method"], got["body"]) == (method, "counted")
        assert headers_of(got, "content-length") == ["7"]
        pieces = iter([b"in ", b"pieces"])
        got = json.loads(platform.ask(path, method, body=pieces, headers=headers).text)
        assert (got["method"], got["body"]) == (method, "in pieces")


def test_no_body_is_read_as_another_request(platform: Platform) -> None:
    inner = b"GET /preview/demo/inner HTTP/1.1\r\nHost: x\r\n\r\n"
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(inner), inner)
    length = b"Content-Length: %d\r\n" % len(inner)
    for framing, body in (
        (length + b"Connection: close, content-length\r\n", inner),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\nConnection: close\r\n", chunk),
        (b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n", chunk),
    ):
        with socket.create_connection(("127.0.0.1", platform.port), timeout=20) as connection:
            head = b"POST /preview/demo/outer HTTP/1.1\r\nHost: x\r\n" + framing + b"\r\n"
            connection.sendall(head + body)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        status = answer.split(b" ")[1]
        assert answer.count(b"HTTP/1.1 ") == 1
        if status != b"400":
            got = json.loads(answer.partition(b"\r\n\r\n")[2])
            assert (got["path"], got["body"]) == ("/preview/demo/outer", inner.decode())
    again = json.loads(platform.ask("/preview/demo/next").text)
    assert (again["path"], again["body"]) == ("/preview/demo/next", "")


@pytest.mark.parametrize("host", ["demo.localhost", "localhost"])
def test_no_request_target_names_another_server(platform: Platform, host: str) -> None:
    with echo_server() as other:
        name = other.url.removeprefix("http://")
        for target in (f"@{name}/x", f"http://{name}/x", f"x@{name}/", f":80@{name}/", "*", "x"):
            with socket.create_connection(("127.0.0.1", platform.port), timeout=20) as connection:
                request = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
                connection.sendall(request.encode())
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
            assert name not in answer.decode().partition('"host"')[2].partition("]")[0]
        assert other.paths == []


def test_an_answer_streams_as_it_is_made(platform: Platform, echo: EchoServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=20)
    connection.request("GET", "/preview/demo/stream")
    answer = connection.getresponse()
    assert answer.read1() == b"first "
    echo.go_on.set()
    assert answer.read() == b"second"
    connection.close()


def test_who_goes_away_is_not_served_on(platform: Platform, echo: EchoServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=20)
    connection.request("GET", "/preview/demo/stream")
    answer = connection.getresponse()
    assert answer.read1() == b"first "
    answer.close()
    connection.close()
    assert echo.was_left.wait(20)


def test_websockets_pass_text_bytes_protocol_and_close_codes(
    platform: Platform, echo: EchoServer
) -> None:
    async def talk(last: str | None) -> int | None:
        async with aiohttp.ClientSession() as session:
            url = f"{platform.url}/socket"
            async with session.ws_connect(url, headers=HOST, protocols=("other", "echo")) as page:
                assert page.protocol == "echo"
                await page.send_str("text é")
                assert await page.receive_str() == "text é"
                await page.send_bytes(b"\x00\xff")
                assert await page.receive_bytes() == b"\x00\xff"
                if last is not None:
                    await page.send_str(last)
                    await page.receive()
                else:
                    await page.close(code=4002)
            return page.close_code

    assert asyncio.run(talk("leave")) == 4001
    echo.close_codes.get(timeout=20)
    asyncio.run(talk(None))
    assert echo.close_codes.get(timeout=20) == 4002


def test_while_the_server_is_away_a_page_asks_again_by_itself(dead_url: str) -> None:
    with serve(platform_app(dead_url)) as platform:
        for path, host in (("/preview/demo/x.js", {"A": "b"}), ("/x.js", HOST)):
            asset = platform.ask(path, headers=host)
            assert (asset.status, asset.headers["retry-after"]) == (502, "2")
            assert asset.text == "The preview server does not answer.\n"
        page = platform.ask("/", headers={**PAGE_REQUEST, **HOST})
        assert (page.status, page.headers["refresh"]) == (502, "2")
        assert "sandbox" in page.headers["content-security-policy"]
        assert "does not answer" in page.text
        build = platform.ask("/api/build/demo", "POST")
        assert build.status == 502
        assert "CONNECTION_FAILED" in build.text

        async def connect() -> None:
            async with aiohttp.ClientSession() as session:
                await session.ws_connect(f"{platform.url}/", headers=HOST)

        with pytest.raises(aiohttp.WSServerHandshakeError):
            asyncio.run(connect())


def test_names_that_are_no_previews_are_the_platforms_own(platform: Platform) -> None:
    for host in (
        "localhost",
        "a.b.localhost",
        "-a.localhost",
        "a--b.localhost",
        "demo.localhost.evil",
    ):
        assert platform.ask("/x", headers={"Host": host}).status == 404
    build = {"Host": "abcdefghij12--demo.LOCALHOST:99."}
    assert platform.ask("/x", headers=build).status in (400, 404)
    build = {"Host": "abcdefghij12--demo.LOCALHOST:99"}
    assert json.loads(platform.ask("/x", headers=build).text)["path"] == "/x"
