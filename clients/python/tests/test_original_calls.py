"""A chat back end that was written before there was a client keeps working as it is."""

from __future__ import annotations

import asyncio
import os
from types import SimpleNamespace
from typing import Any

import pytest

from conftest import PAGE
from previewd import PreviewdClient


class StreamingModelWrapper:
    """The method is the plan's own, but for the address."""

    def __init__(self, project_id: str | None, created: list[str], updated: list[str]) -> None:
        self.model_system = SimpleNamespace(project_id=project_id)
        self.files_created = created
        self.files_updated = updated

    # fmt: off
    async def _notify_build_server(self) -> None:
        """Notify build server of file changes after streaming session"""
        if not (self.files_created or self.files_updated):
            return
            
        project_id = getattr(self.model_system, 'project_id', None)
        if not project_id:
            return
            
        changed_files = []
        for file_path in self.files_created + self.files_updated:
            changed_files.append({"path": file_path, "type": "frontend"})
        
        try:
            import aiohttp
            async with aiohttp.ClientSession() as session:
                async with session.post(
                    f"{os.environ['PREVIEWD_TEST_OPEN_URL']}/sync-project/{project_id}",
                    json={"changed_files": changed_files}
                ) as response:
                    result = await response.json()
                    print(f"🔨 Build server notified: {result}")
        except Exception as e:
            print(f"⚠️ Failed to notify build server: {e}")
    # fmt: on


@pytest.fixture
def open_client() -> PreviewdClient:
    """A server without a key, as the plan's is."""
    return PreviewdClient(os.environ["PREVIEWD_TEST_OPEN_URL"], "")


def test_the_original_call_is_told_that_the_build_goes_on(
    open_client: PreviewdClient, capsys: pytest.CaptureFixture[str]
) -> None:
    project = open_client.projects.create("plan-1", {"external_id": "66f2-ABC"})
    project.apply_changes({"index.html": PAGE, "src/a.js": "1"}, wait="built")
    for project_id in ("plan-1", "66f2-ABC"):
        wrapper = StreamingModelWrapper(project_id, ["index.html"], ["src/a.js"])
        asyncio.run(wrapper._notify_build_server())
        said = capsys.readouterr().out
        assert said.startswith("🔨 Build server notified: {'status': 'no_changes'")
    project.delete()


def test_the_original_call_fetches_from_the_source(
    open_client: PreviewdClient, source_folder: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings: Any = {"source": {"kind": "local", "path": str(source_folder.path)}}
    project = open_client.projects.create("plan-2", settings)
    project.sync(wait="built")
    source_folder.write({"index.html": PAGE})
    asyncio.run(StreamingModelWrapper("plan-2", ["index.html"], [])._notify_build_server())
    said = capsys.readouterr().out
    # The folder is followed, so that its edit may have been there before the call.
    assert said.startswith("🔨 Build server notified: {'status': '"), said
    assert project.read_file("index.html").decode() == PAGE
    project.delete()


def test_without_changes_or_a_project_nothing_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    for wrapper in (StreamingModelWrapper("x", [], []), StreamingModelWrapper(None, ["a"], [])):
        asyncio.run(wrapper._notify_build_server())
    assert capsys.readouterr().out == ""
