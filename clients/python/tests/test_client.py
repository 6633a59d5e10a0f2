"""The synchronous client, against the real server."""

from __future__ import annotations

import pytest

from conftest import BROKEN_APP, PAGE, SourceFolder
from previewd import PreviewdClient, PreviewdError, PreviewdFailedError, PreviewdTimeout


def test_a_batch_becomes_a_preview(client: PreviewdClient, project_id: str) -> None:
    project = client.projects.at(project_id)
    answer = project.apply_changes({"index.html": PAGE, "dot.bin": b"\x00\xff"}, wait="built")
    assert answer.revision == 1
    assert {change.path for change in answer.changed} == {"index.html", "dot.bin"}
    assert answer.status.state == "ready"
    assert project.get_preview_url().startswith(f"http://{project_id}.")
    assert project.read_file("dot.bin") == b"\x00\xff"
    assert [file.path for file in project.files().files] == ["dot.bin", "index.html"]

    changed = project.apply_changes({"index.html": PAGE}, deleted=["dot.bin"], base_revision=1)
    assert (changed.revision, changed.unchanged) == (2, 1)
    assert [(change.path, change.kind) for change in changed.changed] == [("dot.bin", "deleted")]


def test_projects_are_created_listed_changed_and_deleted(
    client: PreviewdClient, project_id: str
) -> None:
    project = client.projects.create(project_id, {"name": "First", "env": {"VITE_NAME": "x"}})
    info = project.info()
    assert (info.name, info.env) == ("First", {"VITE_NAME": None})
    assert project.update({"name": "Second"}).name == "Second"
    assert client.projects.get(project_id).status().state == "empty"
    assert project_id in [item.id for item in client.projects.list()]
    client.projects.delete(project_id)
    with pytest.raises(PreviewdError) as caught:
        client.projects.get(project_id)
    assert (caught.value.code, caught.value.status) == ("PROJECT_NOT_FOUND", 404)
    assert caught.value.detail == f"There is no project {project_id}."


def test_what_is_wrong_is_told_as_diagnostics_and_as_text_for_a_model(
    client: PreviewdClient, project_id: str
) -> None:
    project = client.projects.at(project_id)
    status = project.apply_changes(BROKEN_APP, wait="built", timeout_ms=120_000).status
    assert status.state == "error"
    found = project.diagnostics()
    assert found.revision == 1
    assert "missing.js" in found.diagnostics[0].message
    assert found.diagnostics[0].file == "main.js"
    assert "missing.js" in project.diagnostics(format="prompt", max_chars=2000)


def test_a_build_can_be_followed_line_by_line(client: PreviewdClient, project_id: str) -> None:
    project = client.projects.at(project_id)
    project.apply_changes(BROKEN_APP)
    build = project.build(force=True)
    lines = list(build.logs())
    assert any("missing.js" in line.text for line in lines)
    assert build.refresh().state == "failed"
    assert next(project.builds()).id == build.id
    assert "missing.js" in project.get_build(build.id).info.diagnostics[0].message
    assert "missing.js" in project.logs(build=build.id)
    with pytest.raises(PreviewdError, match="BUILD_NOT_PUBLISHABLE"):
        build.publish()


def test_events_begin_with_the_status_and_go_on_after_the_last_one_seen(
    client: PreviewdClient, project_id: str
) -> None:
    project = client.projects.at(project_id)
    project.apply_changes({"index.html": PAGE}, wait="built")
    first = next(iter(project.events()))
    assert (first.type, first.data["state"]) == ("status", "ready")
    replayed = project.events(["revision", "build"], after=0)
    kinds = [next(replayed) for _ in range(2)]
    replayed.close()
    assert [event.type for event in kinds] == ["revision", "build"]
    assert all(event.id for event in kinds)
    again = project.events(["revision", "build"], after=int(kinds[0].id or 0))
    assert next(again) == kinds[1]
    again.close()


def test_waiting_ends_when_the_project_is_ready_or_the_time_is_over(
    client: PreviewdClient, project_id: str
) -> None:
    project = client.projects.create(project_id)
    with pytest.raises(PreviewdTimeout):
        project.wait_until_ready(timeout_ms=300)
    project.apply_changes({"index.html": PAGE})
    assert project.wait_until_ready().published is not None
    project.apply_changes(BROKEN_APP)
    with pytest.raises(PreviewdFailedError, match=r"BUILD_FAILED.*missing.js.*main.js:1") as caught:
        project.wait_until_ready()
    assert caught.value.project_status.diagnostics[0].file == "main.js"
    with pytest.raises(PreviewdFailedError, match="SESSION_FAILED"):
        project.wait_until_live()


def test_files_are_fetched_from_the_source_of_a_project(
    client: PreviewdClient, project_id: str, source_folder: SourceFolder
) -> None:
    source = {"kind": "local", "path": str(source_folder.path)}
    project = client.projects.create(project_id, {"source": source})
    source_folder.write({"index.html": PAGE})
    assert project.sync(["index.html"], deleted=[], wait="built").status.state == "ready"
    (source_folder.path / "old.txt").unlink()
    project.sync()
    assert [file.path for file in project.files().files] == ["index.html"]


def test_a_stale_revision_is_refused_with_the_one_of_now(
    client: PreviewdClient, project_id: str
) -> None:
    project = client.projects.at(project_id)
    project.apply_changes({"index.html": PAGE})
    with pytest.raises(PreviewdError) as caught:
        project.apply_changes({"index.html": "other"}, base_revision=0)
    assert caught.value.code == "REVISION_CONFLICT"
    assert caught.value.extra["revision"] == 1


def test_the_same_key_makes_one_change(client: PreviewdClient, project_id: str) -> None:
    project = client.projects.at(project_id)
    first = project.apply_changes({"index.html": PAGE}, idempotency_key="once")
    again = project.apply_changes({"index.html": PAGE}, idempotency_key="once")
    assert again.changed == first.changed
    with pytest.raises(PreviewdError, match="IDEMPOTENCY_CONFLICT"):
        project.apply_changes({"index.html": "other"}, idempotency_key="once")


def test_a_link_carries_a_role_until_it_is_revoked(client: PreviewdClient, project_id: str) -> None:
    project = client.projects.create(project_id, {"visibility": "private"})
    assert "previewd_grant=" in project.get_preview_url("viewer", expires_in_seconds=60)
    project.revoke_preview_urls()


def test_a_session_starts_and_stops(client: PreviewdClient, project_id: str) -> None:
    project = client.projects.at(project_id)
    app = {**BROKEN_APP, "main.js": "document.body.append('up')\n"}
    project.apply_changes(app)
    project.start_session()
    assert project.wait_until_live().state == "live"
    assert project.session().revision == 1
    project.stop_session()
    assert project.status().session.state == "off"


def test_a_wait_that_no_server_would_hold_is_a_mistake_of_the_caller(client: PreviewdClient) -> None:
    with pytest.raises(PreviewdError, match="INVALID_OPTIONS: timeout_ms"):
        client.projects.at("demo").apply_changes({}, wait="built", timeout_ms=200_000)


def test_a_time_out_of_a_wait_is_told(client: PreviewdClient, project_id: str) -> None:
    answer = client.projects.at(project_id).apply_changes(BROKEN_APP, wait="built", timeout_ms=0)
    assert answer.timed_out
    assert answer.status.state != "ready"


@pytest.mark.parametrize("name", ["", "../keys", "Demo", "a/b", "démo"])
def test_what_cannot_be_an_id_never_becomes_a_path(client: PreviewdClient, name: str) -> None:
    with pytest.raises(PreviewdError, match="INVALID_OPTIONS"):
        client.projects.at(name)
