"""Objects that begin mid-video under each protocol, by hand and against vos-benchmark on whole folders."""

from pathlib import Path

import numpy as np
import pytest

from cyclevos.cli.options import ProtocolOption
from cyclevos.datasets.layouts import open_dataset
from cyclevos.errors import ConfigError, DatasetError
from cyclevos.evaluation.measures import region_similarity
from cyclevos.evaluation.protocols import Protocol
from cyclevos.evaluation.scoring import evaluate

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture
def appearing(tmp_path, write_mask, draw_objects) -> tuple[Path, Path]:
    """Seven frames: object 1 from frame 0, 4 from frame 3, 9 in the last alone; results one pixel off, 4 from frame 2.

    Only frames 0, 1, 2, 3, 5 and 6 have ground truth.
    """
    truth, results = tmp_path / "truth", tmp_path / "results"
    for index in (0, 1, 2, 3, 5, 6):
        ids = [1] if index < 3 else [1, 4] if index < 6 else [1, 4, 9]
        write_mask(truth / "Annotations" / "one" / f"{index:05d}.png", draw_objects(ids, index))
    for index in range(7):
        ids = [1] if index < 2 else [1, 4]
        write_mask(results / "one" / f"{index:05d}.png", draw_objects(ids, index + 1))
    return truth, results


def score(folders, protocol, workers=1):
    truth, results = folders
    return evaluate(results, open_dataset(truth, need_frames=False), protocol=protocol, workers=workers)


@pytest.mark.parametrize(
    ("protocol", "frames"),
    [
        ("davis", {1: "1235"}),
        ("per-appearance", {1: "1235", 4: "235"}),
        ("youtube-vos", {1: "12356", 4: "56"}),
    ],
)
def test_frames_in_which_an_object_counts(appearing, protocol, frames):
    evaluation = score(appearing, protocol)
    found = evaluation.sequences["one"].objects
    assert {key: "".join(name[-1] for name in each.frame_names) for key, each in found.items()} == frames
    assert evaluation.protocol == protocol


def test_showing_an_object_too_early_counts_against_it_per_appearance(appearing, draw_objects):
    right = region_similarity(draw_objects([1], 1), draw_objects([1], 2))
    early = score(appearing, "per-appearance").sequences["one"].objects[4]
    assert early.J_values == pytest.approx((0.0, right, right))
    assert early.F_values[0] == 0.0
    assert score(appearing, "youtube-vos").sequences["one"].objects[4].J_values == pytest.approx((right, right))


@pytest.mark.parametrize("protocol", ["per-appearance", "youtube-vos"])
def test_a_first_mask_without_objects(appearing, protocol, write_mask, draw_objects):
    truth, _ = appearing
    write_mask(truth / "Annotations" / "one" / "00000.png", draw_objects([]))
    assert list(score(appearing, protocol).sequences["one"].objects) == [1, 4]
    with pytest.raises(DatasetError, match="shows no object"):
        score(appearing, "davis")


@pytest.mark.parametrize("protocol", ["davis", "per-appearance", "youtube-vos"])
def test_void_is_nobodys(appearing, protocol, write_mask, draw_objects):
    """Where the truth says 255, neither a shown nor a missed object changes a figure."""
    truth, results = appearing
    void = np.zeros((40, 60), bool)
    void[:, 20:] = True
    for index in (1, 2, 3):
        path = truth / "Annotations" / "one" / f"{index:05d}.png"
        write_mask(path, np.where(void, 255, draw_objects([1], index)))
    before = score(appearing, protocol).sequences["one"].objects[1]
    for index in (1, 2, 3):
        write_mask(results / "one" / f"{index:05d}.png", np.where(void, 4, draw_objects([1], index + 1)))
    after = score(appearing, protocol).sequences["one"].objects
    assert after[1].J_values == before.J_values
    if protocol == "per-appearance":
        assert after[4].frame_names == ("00005",)


@pytest.mark.parametrize("protocol", ["per-appearance", "youtube-vos"])
def test_what_is_wrong_is_named(appearing, protocol, write_mask, draw_objects):
    _, results = appearing
    path = results / "one" / "00002.png"
    write_mask(path, draw_objects([1, 6], 3))
    with pytest.raises(DatasetError, match=r"00002\.png holds the ids 6.*expected 0 and 1, 4, 9"):
        score(appearing, protocol)
    path.unlink()
    with pytest.raises(DatasetError, match=r"lacks the results of 1 frame,.*00002\.png"):
        score(appearing, protocol)


def test_sequences_without_anything_to_score(appearing, write_mask, draw_objects):
    truth, _ = appearing
    for path in (truth / "Annotations" / "one").iterdir():
        write_mask(path, draw_objects([]))
    with pytest.raises(DatasetError, match=r"holds the ids|no object that the protocol"):
        score(appearing, "per-appearance")
    for path in sorted((truth / "Annotations" / "one").iterdir())[1:]:
        path.unlink()
    with pytest.raises(DatasetError, match="ground truth for 1 frame; expected 2 or more"):
        score(appearing, "youtube-vos")


def test_an_unknown_protocol(appearing):
    with pytest.raises(ConfigError, match=r"protocol 'sum' is unknown\. Use one of davis, per-appearance, youtube-vos"):
        score(appearing, "sum")


def test_the_command_offers_every_protocol():
    assert [each.value for each in ProtocolOption] == [each.value for each in Protocol]


def differences(folders, truth, **options) -> list[float]:
    """Differences of each object's J and F, and of the overall figures, from vos-benchmark's."""
    package = pytest.importorskip("vos_benchmark.benchmark", exc_type=ImportError)
    dataset = open_dataset(folders[0], need_frames=False, **options)
    ours = evaluate(folders[1], dataset, protocol="per-appearance", workers=1)
    *means, theirs = package.benchmark([str(truth)], [str(folders[1])], strict=False, num_processes=1, verbose=False)
    found = [abs(mean[0] / 100 - own) for mean, own in zip(means[1:], _means(ours), strict=True)]
    for name, (regions, boundaries) in theirs[0].items():
        objects = ours.sequences[name].objects
        assert set(objects) == set(regions)
        found += [abs(objects[key].J.mean - value / 100) for key, value in regions.items()]
        found += [abs(objects[key].F.mean - value / 100) for key, value in boundaries.items()]
    return found


def _means(evaluation) -> tuple[float, float]:
    return evaluation.overall.J.mean, evaluation.overall.F.mean


def test_equal_to_vos_benchmark_on_objects_that_come_and_go(appearing, write_mask):
    """Random blocks: objects appear early, late, in one of both alone, and vanish."""
    truth, results = appearing
    random = np.random.default_rng(3)
    for sequence in ("two", "three", "four"):
        for index in range(8):
            name = f"{sequence}/{index:05d}.png"
            blocks = random.choice([0, 0, 0, 1, 2, 5][: 4 + min(index, 2)], (5, 6))
            if index == 7:
                blocks[0] = 5  # every id is known to the ground truth
            write_mask(truth / "Annotations" / name, np.kron(blocks, np.ones((9, 11))))
            guess = np.where(random.random((5, 6)) < 0.3, random.choice([0, 1, 2, 5], (5, 6)), blocks)
            write_mask(results / name, np.roll(np.kron(guess, np.ones((9, 11))), 1, axis=0))
        write_mask(truth / "Annotations" / sequence / "00000.png", np.kron(np.eye(5, 6) * 2, np.ones((9, 11))))
    truth_folder = truth / "Annotations"
    for missing in (truth_folder / "one").iterdir():
        assert (results / "one" / missing.name).is_file()
    found = differences(appearing, truth_folder)
    assert len(found) > 15
    assert max(found) < 1e-6


@pytest.mark.skipif(not (DATA / "DAVIS-2016").is_dir(), reason="needs shared/data/DAVIS-2016")
def test_equal_to_vos_benchmark_on_real_masks(tmp_path, write_mask):
    from PIL import Image

    masks = DATA / "DAVIS-2016" / "Annotations" / "480p"
    truth, results = tmp_path / "truth", tmp_path / "results"
    for sequence in ("bmx-trees", "camel"):
        paths = sorted((masks / sequence).glob("*.png"))[::15]
        read = [np.asarray(Image.open(path).convert("L")) > 0 for path in paths]
        for index, (mask, other) in enumerate(zip(read, [*read[1:], read[0]], strict=True)):
            write_mask(truth / "Annotations" / sequence / f"{index:05d}.png", mask * 1)
            write_mask(results / sequence / f"{index:05d}.png", other * 1)
    assert max(differences((truth, results), truth / "Annotations")) < 1e-6
