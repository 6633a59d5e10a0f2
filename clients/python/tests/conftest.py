"""The tests run against a real server, which whoever starts them names."""

from __future__ import annotations

import os
import socket
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from previewd import AsyncPreviewdClient, PreviewdClient


@dataclass(frozen=True)
class Server:
    url: str
    api_key: str = field(repr=False)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def server() -> Server:
    try:
        return Server(os.environ["PREVIEWD_TEST_URL"], os.environ["PREVIEWD_TEST_API_KEY"])
    except KeyError as missing:
        pytest.exit(f"{missing} is not set: name a running server, and its key", returncode=3)


@pytest.fixture
def client(server: Server) -> Iterator[PreviewdClient]:
    with PreviewdClient(server.url, server.api_key) as client:
        yield client


@pytest.fixture
async def aio_client(server: Server) -> AsyncIterator[AsyncPreviewdClient]:
    async with AsyncPreviewdClient(server.url, server.api_key) as client:
        yield client


@pytest.fixture
def project_id(client: PreviewdClient) -> Iterator[str]:
    """An id that nobody else has; what is made under it is removed."""
    name = f"py-{uuid.uuid4().hex[:12]}"
    yield name
    if any(project.id == name for project in client.projects.list()):
        client.projects.delete(name)


@pytest.fixture
def dead_url() -> Iterator[str]:
    """An address that refuses connections, at a port that nobody else is given meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@dataclass(frozen=True)
class SourceFolder:
    """A folder that the server may read projects from."""

    path: Path

    def write(self, files: dict[str, str]) -> None:
        for name, content in files.items():
            (self.path / name).write_text(content)


@pytest.fixture
def source_folder() -> Iterator[SourceFolder]:
    with tempfile.TemporaryDirectory(dir=os.environ["PREVIEWD_TEST_ROOT"]) as folder:
        source = SourceFolder(Path(folder))
        source.write({"old.txt": "old"})
        yield source


PAGE = "<!doctype html><title>Sample</title><h1>Hello</h1>"
BROKEN_APP = {
    "package.json": '{"name":"broken","private":true,"scripts":{"build":"vite build"},'
    '"devDependencies":{"vite":"^8.3.0"}}',
    "index.html": '<script type="module" src="/main.js"></script>',
    "main.js": "import './missing.js'\n",
}
