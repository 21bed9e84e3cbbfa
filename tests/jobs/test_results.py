"""What a run writes in each format, whatever order its frames come in and whatever stopped it before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from clips import read_with_alpha
from PIL import Image

from cyclevos.errors import ConfigError, OutputError
from cyclevos.exchange.format import Destination, ReadOptions
from cyclevos.exchange.formats import RUN, chosen, find, offered, read_track
from cyclevos.exchange.tools import folders
from cyclevos.jobs.results import Results, damaged_result, made_from_masks, result_names
from cyclevos.media.appearance import Appearance
from cyclevos.media.open_source import open_source
from cyclevos.pictures.mask_files import read_mask
from cyclevos.propagation.prediction import Prediction

ALL = tuple(each.name for each in offered(RUN))
PALETTE = bytes(range(255, -1, -1)) * 3


@pytest.fixture
def source(tmp_path, images):
    (tmp_path / "clip").mkdir()
    for index, image in enumerate(images[:4]):
        Image.fromarray(image).save(tmp_path / "clip" / f"shot_{index}.png")
    return open_source(tmp_path / "clip")


def ids_of(index: int, object_ids=(3, 200)) -> np.ndarray:
    ids = np.zeros((24, 40), np.uint8)
    for number, object_id in enumerate(object_ids):
        ids[2 + 9 * number : 9 + 9 * number, 3 + 2 * index : 12 + 2 * index] = object_id
    return ids


def prediction(index: int, object_ids=(3, 200)) -> Prediction:
    ids = ids_of(index, object_ids)
    channels = torch.from_numpy(np.stack([ids == i for i in (0, *object_ids)])).float()
    return Prediction(
        index=index,
        object_ids=tuple(object_ids),
        probabilities=channels,
        ids=ids,
        annotated=index == 0,
        reliability=dict.fromkeys(object_ids, 0.5),
    )


def write(
    folder: Path, source, save, *, order=range(4), object_ids=(3, 200), late=False, resume=False, predict=prediction
) -> None:
    run = Destination(folder, folder.name, "clip", Appearance(PALETTE), resume=resume, objects=object_ids)
    frames = list(source)
    writer = Results(run, save, late=late)
    with writer:
        for index in order:
            writer.write(frames[index], predict(index, object_ids))
    writer.finish(source)


def test_every_format_that_save_offers_is_written(source, tmp_path):
    write(tmp_path / "out", source, ALL)
    out = tmp_path / "out"
    assert {each.file for each in offered(RUN) if each.file} <= {path.name for path in out.iterdir()}
    assert set(result_names(ALL)) == {each.file for each in offered(RUN) if each.file}
    wanted = [ids_of(index).tolist() for index in range(4)]
    for each in offered(RUN):
        if each.read is not None:
            track = read_track(
                out / each.file, each.name, options=ReadOptions(length=4 if each.name == "mots" else None)
            )
            assert [frame.ids.tolist() for frame in track.frames()] == wanted, each.name
    assert read_mask(out / "shot_1.png").palette == PALETTE
    assert [row.split(",")[1] for row in (out / "reliability.csv").read_text().splitlines()[1:]] == [
        name for k in (1, 2, 3) for name in 2 * [f"shot_{k}"]
    ], "an annotated frame has no reliability"


def test_frames_from_last_to_first_give_the_same_files(source, tmp_path):
    write(tmp_path / "a" / "out", source, ALL)
    write(tmp_path / "b" / "out", source, ALL, order=[3, 2, 1, 0], late=True)
    here, there = tmp_path / "a" / "out", tmp_path / "b" / "out"
    files = {path.relative_to(here) for path in here.rglob("*") if path.is_file()}
    assert files == {path.relative_to(there) for path in there.rglob("*") if path.is_file()}
    videos = {file for file in files if file.suffix in (".mp4", ".mov", ".webm")}
    for file in files - videos:  # their encoders give other bits when the machine is busy
        assert (here / file).read_bytes() == (there / file).read_bytes(), file
    assert len(videos) == 7, "an overlay, two cut-outs and two objects, each in two ways"
    for file in videos:
        assert len(list(open_source(there / file))) == 4, file


def test_folders_of_objects_hold_the_objects_of_this_run_and_of_no_earlier_one(source, tmp_path):
    write(tmp_path / "out", source, ("masks", "objects"), object_ids=(3, 200))
    write(tmp_path / "out", source, ("masks", "objects"), object_ids=(4,))
    assert [path.name for path in (tmp_path / "out" / "objects").iterdir()] == ["4"]


def test_folders_of_objects_are_whole_or_not_there(source, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(folders, "_black_and_white", killed)
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / "out", source, ("masks", "objects"))
    assert not (tmp_path / "out" / "objects").exists()
    write(tmp_path / "out", source, ("masks", "objects"))
    assert [path.name for path in sorted((tmp_path / "out").iterdir()) if path.is_dir()] == ["objects"]


def test_what_somebody_else_put_among_the_objects_stays(source, tmp_path):
    write(tmp_path / "out", source, ("masks", "objects"))
    note = tmp_path / "out" / "objects" / "200" / "notes.txt"
    note.write_text("mine")
    Image.fromarray(np.full((4, 4), 100, np.uint8)).save(note.with_name("grey.png"))
    with pytest.raises(OutputError, match="did not write") as caught:
        write(tmp_path / "out", source, ("masks", "objects"))
    assert "Move them elsewhere" in caught.value.remedy
    assert sorted(path.name for path in note.parent.iterdir()) == ["grey.png", "notes.txt"]


def test_masks_come_last_so_that_a_mask_vouches_for_the_rest(source, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cyclevos.media.writers.ProbabilityWriter.write", refuse)
    with pytest.raises(OutputError, match="No space left"):
        write(tmp_path / "out", source, ("masks", "probabilities"))
    assert not list((tmp_path / "out").glob("*.png"))


def test_what_is_made_from_finished_masks(source):
    by_frame = {"masks", "overlay", "probabilities", "coco", "prores", "webm", "gif", "cutouts", "mattes", "exr", "npz"}
    assert by_frame.isdisjoint(made_from_masks(ALL))
    assert {"youtube-vis", "mots", "cvat", "cvat-masks", "labelme", "yolo", "objects"} <= set(made_from_masks(ALL))
    assert made_from_masks(("masks", "overlay", "coco", "probabilities")) == []
    assert chosen(("indexed", "masks")) == (find("masks"),)


@pytest.mark.parametrize(("save", "found"), [(("masks", "bmp"), "names bmp;"), ((), "names nothing;")])
def test_a_format_that_no_run_can_write_is_refused(save, found):
    with pytest.raises(ConfigError, match=found) as caught:
        made_from_masks(save)
    assert "expected any of masks,overlay" in caught.value.problem


def soft(index: int, object_ids=(3, 200)) -> Prediction:
    """A prediction of which object 3 has three quarters of every pixel that it shows."""
    whole = prediction(index, object_ids)
    probabilities = whole.probabilities.clone()
    probabilities[1] *= 0.75
    probabilities[0] = 1 - probabilities[1:].sum(0)
    return replace(whole, probabilities=probabilities)


def alpha_of(path: Path) -> set[int]:
    """Levels of object 3's alpha in all frames, after a conversion to 10 bits and back."""
    frames, _ = read_with_alpha(path)
    return {int(level) for rgba, ids in zip(frames, map(ids_of, range(4)), strict=True) for level in rgba[ids == 3, 3]}


@pytest.mark.parametrize("kept", [True, False])
def test_late_videos_have_soft_edges_where_probabilities_were_kept(source, tmp_path, caplog, kept):
    save = ("masks", "prores", "prores-objects", *(("probabilities",) if kept else ()))
    write(tmp_path / "out", source, save, late=True, predict=soft)
    expected = {192} if kept else {255}
    assert alpha_of(tmp_path / "out" / "cutout.mov") == expected
    assert alpha_of(tmp_path / "out" / "prores" / "003.mov") == expected
    assert ("prores, prores-objects: made from the finished masks, so the edges are hard" in caplog.text) is not kept


def test_at_once_edges_are_soft_without_keeping_probabilities(source, tmp_path, caplog):
    write(tmp_path / "out", source, ("masks", "prores", "mattes"), predict=soft)
    assert alpha_of(tmp_path / "out" / "cutout.mov") == {192}
    matte = np.asarray(Image.open(tmp_path / "out" / "mattes" / "003" / "shot_2.png"))
    assert set(matte[ids_of(2) == 3]) == {191}
    assert "probabilities" not in {path.name for path in (tmp_path / "out").iterdir()}
    assert caplog.text == ""


@pytest.mark.parametrize("kind", ["cutouts", "mattes", "exr"])
def test_a_picture_that_an_interrupted_run_lost_is_named(source, tmp_path, kind):
    write(tmp_path / "out", source, ("masks", kind))
    names = ["shot_0", "shot_1"]
    assert damaged_result(tmp_path / "out", ("masks", kind), names) is None
    for path in (tmp_path / "out" / kind).rglob("shot_1.*"):
        path.unlink()
    damage = damaged_result(tmp_path / "out", ("masks", kind), names)
    assert damage is not None
    assert damage.endswith(f"{kind} lacks frame shot_1")
