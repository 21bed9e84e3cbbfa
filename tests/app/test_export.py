"""What leaves the app is what `cyclevos segment` writes from the same marks."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyclevos.exchange import formats
from cyclevos.exchange.format import Format, ReadOptions
from cyclevos.exchange.formats import read_track
from cyclevos.jobs.segment_job import SegmentJob, run_job
from cyclevos.jobs.settings import OutputSettings
from cyclevos.media import overlay
from cyclevos.media.open_source import open_source
from cyclevos.pictures.mask_files import read_ground_truth
from cyclevos.propagation.settings import SegmentationSettings


@pytest.fixture
def project(client, clip, square) -> str:
    project = client.open(clip)
    client.paint(project, 0, square)
    return project


def export(client, project, kinds, **options) -> dict:
    return client.finish(client.json("POST", f"/projects/{project}/export", 202, json={"kinds": kinds, **options}))


@pytest.mark.parametrize(("direction", "first"), [("forward", 0), ("both", 3), ("backward", 3)])
@pytest.mark.usefixtures("drawn_timelines")
def test_a_zip_holds_the_files_that_segment_writes(
    client, clip, square, lively_network, tmp_path, monkeypatch, direction, first
):
    """Byte for byte, but for the overlay's encoder: it gives other bits when the machine is busy."""
    drawn, blend = [], overlay.blend
    monkeypatch.setattr(overlay, "blend", lambda *arguments: drawn.append(blend(*arguments)) or drawn[-1])
    project = client.open(clip)
    client.paint(project, first, square)
    client.paint(project, 6, np.roll(square, 8, axis=1) * 4)
    client.track(project, direction)
    job = export(client, project, ["masks", "overlay", "coco", "reliability", "marks"])
    assert job["status"] == "done", job
    response = client.http.get(f"/api/projects/{project}/exports/{job['result']['file']}")
    exported = tmp_path / "exported"
    zipfile.ZipFile(io.BytesIO(response.content)).extractall(exported)
    written = tmp_path / job["result"]["file"].removesuffix(".zip")  # the COCO file names its folder
    save = ("masks", "overlay", "coco")
    settings, results = SegmentationSettings(direction=direction), OutputSettings(save=save, quiet=True)
    run_job(SegmentJob(clip, exported / "marks", written, settings, results=results), lively_network)
    own = {"run.json", ".cyclevos.lock"}  # of the folder, not of the results
    assert files_of(exported) - {f"marks/shot_00{first}.png", "marks/shot_006.png"} == files_of(written) - own
    for name in files_of(written) - own - {"overlay.mp4"}:
        assert (exported / name).read_bytes() == (written / name).read_bytes(), name
    assert np.array_equal(drawn[:10], drawn[10:])
    assert [len(list(open_source(folder / "overlay.mp4"))) for folder in (exported, written)] == [10, 10]


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_an_export_that_was_cancelled_leaves_its_folder_empty(client, project, tmp_path, cancelled_at):
    with cancelled_at(4):
        assert export(client, project, ["masks", "objects"], folder="out")["status"] == "cancelled"
    assert list((tmp_path / "videos" / "out").iterdir()) == []
    assert export(client, project, ["masks", "objects"], folder="out")["status"] == "done"


def test_a_project_keeps_its_last_zips_only(client, project, tmp_path):
    for _ in range(4):
        export(client, project, ["marks"])
    left = list((tmp_path / "projects" / project / "exports").iterdir())
    assert len(left) == 3
    assert all(path.suffix == ".zip" for path in left)


def test_a_folder_gets_one_picture_per_object_and_frame(client, project, square, tmp_path):
    client.json("PATCH", f"/projects/{project}/objects/1", json={"name": "Käse/rad"})
    target = tmp_path / "videos" / "out"
    job = export(client, project, ["objects"], folder=str(target))
    assert job["result"] == {"folder": str(target)}
    files = sorted((target / "objects" / "001_Käse_rad").iterdir())
    assert [file.name for file in files] == [f"shot_{k:03d}.png" for k in range(10)]
    assert np.array_equal(np.asarray(Image.open(files[0])), square * 255)
    assert not np.asarray(Image.open(files[1])).any()
    again = export(client, project, ["objects"], folder=str(target))
    assert "holds something already" in again["error"]["problem"]


def test_what_is_exported_is_what_was_painted(client, project, tmp_path):
    painted = np.random.default_rng(1).integers(0, 4, (24, 40)).astype(np.uint8)
    client.paint(project, 3, painted)
    export(client, project, ["masks"], folder="out")
    assert np.array_equal(read_ground_truth(tmp_path / "videos" / "out" / "shot_003.png").ids, painted)


def test_names_reach_the_coco_file(client, project, tmp_path):
    client.json("PATCH", f"/projects/{project}/objects/1", json={"name": "dog"})
    export(client, project, ["coco"], folder="out")
    content = json.loads((tmp_path / "videos" / "out" / "annotations.json").read_text())
    assert [category["name"] for category in content["categories"]] == ["dog"]


def test_the_page_offers_what_the_app_can_make_and_each_can_be_exported(client, project, square):
    offered = client.json("GET", "/server")["exports"]
    names = [each["name"] for each in offered]
    assert {"masks", "overlay", "coco", "youtube-vis", "mots", "objects", "marks", "reliability"} <= set(names)
    assert "probabilities" not in names, "the app keeps none"
    assert [each["name"] for each in offered if each["preselected"]] == ["masks", "overlay", "reliability"]
    assert all(each["label"] and each["summary"] for each in offered)
    job = export(client, project, names, folder="out")
    assert job["status"] == "done", job
    out = Path(job["result"]["folder"])
    for name, length in (("annotations.json", None), ("youtube_vis.json", None), ("mots.txt", 10)):
        frames = list(read_track(out / name, options=ReadOptions(length=length)).frames())
        assert [frame.ids.tolist() for frame in frames] == [square.tolist(), *(9 * [np.zeros_like(square).tolist()])]
    [lost] = (each for each in job["result"]["lost"] if each.startswith("MOTS"))
    assert lost.startswith("MOTS text has no place for the names of the objects: ")
    assert "the names of 10 frames, 9 empty frames at the end" in lost


def test_a_format_that_the_app_cannot_make_is_refused_by_name(client, project):
    for kind in ("probabilities", "exr"):
        told = client.json("POST", f"/projects/{project}/export", 422, json={"kinds": [kind]})
        assert f"got '{kind}'" in told["problem"]
        assert "expected one of masks, overlay" in told["problem"]


def test_an_export_of_finished_masks_can_be_cancelled_too(client, project, tmp_path, cancelled_at):
    with cancelled_at(4):
        assert export(client, project, ["youtube-vis"], folder="out")["status"] == "cancelled"
    assert list((tmp_path / "videos" / "out").iterdir()) == []


def test_a_format_added_to_the_registry_reaches_the_app(client, project, monkeypatch):
    monkeypatch.setattr(formats, "_registered", dict(formats._registered))

    def count(track, path):
        path.write_text(" ".join(str(int((frame.ids > 0).sum())) for frame in track.frames()))

    formats.register(Format(name="areas", label="Areas", summary="pixels", file="areas.txt", write=count))
    assert "areas" in [each["name"] for each in client.json("GET", "/server")["exports"]]
    job = export(client, project, ["areas"], folder="out")
    assert (Path(job["result"]["folder"]) / "areas.txt").read_text() == "100 0 0 0 0 0 0 0 0 0"
