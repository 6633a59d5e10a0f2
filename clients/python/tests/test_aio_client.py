"""The asyncio client, against the real server, and against the synchronous one."""

from __future__ import annotations

import inspect

import pytest

import previewd
from conftest import BROKEN_APP, PAGE
from previewd import AsyncPreviewdClient, PreviewdError, PreviewdTimeout

pytestmark = pytest.mark.anyio


async def test_a_batch_becomes_a_preview(aio_client: AsyncPreviewdClient, project_id: str) -> None:
    project = aio_client.projects.at(project_id)
    answer = await project.apply_changes({"index.html": PAGE, "dot.bin": b"\x00"}, wait="built")
    assert (answer.revision, answer.status.state) == (1, "ready")
    assert (await project.get_preview_url()).startswith(f"http://{project_id}.")
    assert await project.read_file("dot.bin") == b"\x00"
    assert len((await project.files()).files) == 2


async def test_projects_are_created_listed_changed_and_deleted(
    aio_client: AsyncPreviewdClient, project_id: str
) -> None:
    project = await aio_client.projects.create(project_id, {"name": "First"})
    assert (await project.update({"name": "Second"})).name == "Second"
    assert (await project.info()).name == "Second"
    assert project_id in [item.id async for item in aio_client.projects.list()]
    await project.delete()
    with pytest.raises(PreviewdError, match="PROJECT_NOT_FOUND"):
        await aio_client.projects.get(project_id)


async def test_a_build_can_be_followed_and_says_what_is_wrong(
    aio_client: AsyncPreviewdClient, project_id: str
) -> None:
    project = aio_client.projects.at(project_id)
    await project.apply_changes(BROKEN_APP)
    build = await project.build(force=True)
    lines = [line.text async for line in build.logs()]
    assert any("missing.js" in line for line in lines)
    assert (await build.refresh()).state == "failed"
    assert (await project.diagnostics()).diagnostics[0].file == "main.js"
    assert "missing.js" in await project.diagnostics(format="prompt")


async def test_events_begin_with_the_status_and_go_on_after_the_last_one_seen(
    aio_client: AsyncPreviewdClient, project_id: str
) -> None:
    project = aio_client.projects.at(project_id)
    await project.apply_changes({"index.html": PAGE}, wait="built")
    events = project.events()
    assert (await anext(events)).data["state"] == "ready"
    await events.aclose()
    replayed = project.events(["revision", "build"], after=0)
    kinds = [await anext(replayed), await anext(replayed)]
    await replayed.aclose()
    again = project.events(["revision", "build"], after=int(kinds[0].id or 0))
    assert await anext(again) == kinds[1]
    await again.aclose()


async def test_waiting_ends_when_the_project_is_ready_or_the_time_is_over(
    aio_client: AsyncPreviewdClient, project_id: str
) -> None:
    project = await aio_client.projects.create(project_id)
    with pytest.raises(PreviewdTimeout):
        await project.wait_until_ready(timeout_ms=300)
    await project.apply_changes({"index.html": PAGE})
    assert (await project.wait_until_ready()).published is not None


@pytest.mark.parametrize("name", ["PreviewdClient", "Projects", "Project", "Build"])
def test_both_clients_have_the_same_methods_with_the_same_parameters(name: str) -> None:
    plain, aio = getattr(previewd, name), getattr(previewd, f"Async{name}")
    assert _parameters(aio) == _parameters(plain)
    for method in _parameters(plain):
        assert getattr(plain, method).__doc__, f"{name}.{method} has no docstring"


def _parameters(kind: type) -> dict[str, list[tuple[str, object]]]:
    return {
        name: [(item.name, item.default) for item in inspect.signature(method).parameters.values()]
        for name, method in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }
