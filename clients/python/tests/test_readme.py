"""The code of the README runs as it is written."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conftest import PAGE, Server, SourceFolder
from platform_server import serve
from previewd import PreviewdClient, StreamResult

TEXT = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
PROJECTS = ("hello", "shop", "streamed")


@pytest.fixture(autouse=True)
def surroundings(server: Server, client: PreviewdClient, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("PREVIEWD_URL", server.url)
    monkeypatch.setenv("PREVIEWD_API_KEY", server.api_key)
    yield
    for project in [item.id for item in client.projects.list()]:
        if project in PROJECTS:
            client.projects.delete(project)


def block(words: str) -> dict[str, Any]:
    """Runs the block that holds the words; gives what it defined."""
    (code,) = [code for code in BLOCKS if words in code]
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(code, "README.md", "exec"), names)  # noqa: S102
    return names


def test_every_block_has_a_test() -> None:
    tested = re.findall(r"""[ (]block\((["'])(.+?)\1\)""", Path(__file__).read_text())
    assert len(BLOCKS) == len(tested) == 7


def test_the_first_block(capsys: pytest.CaptureFixture[str]) -> None:
    block('at("hello")')
    assert re.match(r"ready http://hello\.localhost:\d+/\n", capsys.readouterr().out)


def test_the_asyncio_block(capsys: pytest.CaptureFixture[str]) -> None:
    block('create("shop"')
    assert "ready at http://shop.localhost" in capsys.readouterr().out


def test_the_tracker_block(capsys: pytest.CaptureFixture[str]) -> None:
    block("tracker.file_chunk")
    assert capsys.readouterr().out == "ready ['index.html']\n"


def test_the_reconciling_block(client: PreviewdClient, project_id: str) -> None:
    client.projects.at(project_id).apply_changes({"old.txt": "x"})
    left = StreamResult([], {"index.html": PAGE}, ["old.txt"], [], None)
    block("def reconcile")["reconcile"](client, project_id, left)
    assert [file.path for file in client.projects.at(project_id).files().files] == ["index.html"]


def test_the_block_that_notifies_the_build_server(
    client: PreviewdClient, project_id: str, source_folder: SourceFolder
) -> None:
    wrapper = block("_notify_build_server")["StreamingModelWrapper"]()
    project = client.projects.create(
        project_id, {"source": {"kind": "local", "path": str(source_folder.path)}}
    )
    project.sync()
    source_folder.write({"index.html": PAGE, "old.txt": "new"})
    wrapper.model_system = SimpleNamespace(project_id=project_id)
    wrapper.files_created, wrapper.files_updated = ["index.html"], ["old.txt"]
    asyncio.run(wrapper._notify_build_server())
    assert project.read_file("index.html").decode() == PAGE
    assert project.read_file("old.txt") == b"new"


def test_the_block_about_errors(capsys: pytest.CaptureFixture[str]) -> None:
    block("error.code, error.status")
    assert capsys.readouterr().out.startswith("PROJECT_NOT_FOUND 404 There is no project")


def test_the_fastapi_block(client: PreviewdClient, project_id: str) -> None:
    client.projects.at(project_id).apply_changes({"index.html": PAGE}, wait="built")
    with serve(block("mount_previews")["app"]) as platform:
        assert platform.ask(f"/api/build/{project_id}", "POST").status == 401
        signed_in = {"Cookie": "session=1"}
        assert platform.ask(f"/api/build/{project_id}", "POST", headers=signed_in).status == 200
        page = platform.ask("/", headers={"Host": f"{project_id}.localhost:{platform.port}"})
        assert page.text == PAGE
