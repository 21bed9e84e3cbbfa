"""What leaves the app is what `cyclevos segment` writes from the same marks."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from cyclevos.jobs.segment_job import SegmentJob, run_job
from cyclevos.video import read_ground_truth


@pytest.fixture
def project(client, clip, square) -> str:
    project = client.open(clip)
    client.paint(project, 0, square)
    return project


def export(client, project, kinds, **options) -> dict:
    return client.finish(client.json("POST", f"/projects/{project}/export", 202, json={"kinds": kinds, **options}))


def test_a_zip_holds_the_files_that_segment_writes_byte_for_byte(
    client, project, clip, square, lively_network, tmp_path
):
    second = np.roll(square, 8, axis=1) * 4
    client.paint(project, 6, second)
    client.track(project)
    kinds = ["masks", "overlay", "coco", "reliability", "marks"]
    job = export(client, project, kinds)
    assert job["status"] == "done", job
    response = client.http.get(f"/api/projects/{project}/exports/{job['result']['file']}")
    archive = zipfile.ZipFile(io.BytesIO(response.content))
    archive.extractall(tmp_path / "exported")
    written = tmp_path / job["result"]["file"].removesuffix(".zip")  # the COCO file names its folder
    save = ("masks", "overlay", "coco")
    run_job(SegmentJob(clip, tmp_path / "exported" / "marks", written, save=save, quiet=True), lively_network)
    names = sorted(path.relative_to(written).as_posix() for path in written.rglob("*") if path.is_file())
    names.remove("run.json")
    assert sorted(name for name in archive.namelist() if not name.startswith("marks/")) == names
    for name in names:
        assert archive.read(name) == (written / name).read_bytes(), name


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
    assert "holds something already" in again["error"]["error"]


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
