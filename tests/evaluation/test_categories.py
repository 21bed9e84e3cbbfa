"""G over seen and unseen categories, and the reader of meta.json."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from cyclevos.cli.main import app
from cyclevos.datasets.youtube_meta import read_meta
from cyclevos.errors import CycleVOSError, DatasetError


def meta_file(path, categories):
    """`categories` gives each object's category by video and id."""
    videos = {
        name: {"objects": {str(key): {"category": text, "frames": ["00000"]} for key, text in objects.items()}}
        for name, objects in categories.items()
    }
    path.write_text(json.dumps({"videos": videos}))
    return path


@pytest.fixture
def scored(folders, tmp_path, write_mask, draw_objects):
    """Evaluate with `one`'s object missed by a pixel, and `two`'s object 7 not predicted at all."""
    truth, results = folders
    for index in range(6):
        write_mask(results / "one" / f"{index:05d}.png", draw_objects([1], index + 1))
        write_mask(results / "two" / f"{index:05d}.png", draw_objects([2], index))
    meta = meta_file(tmp_path / "meta.json", {"one": {1: "ape"}, "two": {2: "bee", 7: "cat"}})

    def run(*options):
        base = ["evaluate", results, "--dataset", truth, "--split", "all", "--workers", 1, "--protocol", "youtube-vos"]
        command = [*base, "--categories", meta, "--json", tmp_path / "s.json", *options]
        return CliRunner().invoke(app, [str(word) for word in command]), tmp_path / "s.json"

    return run


def test_g_is_the_mean_of_four(scored, tmp_path):
    train = meta_file(tmp_path / "train.json", {"x": {1: "bee"}, "y": {1: "cat"}})
    outcome, path = scored("--seen", train)
    assert outcome.exit_code == 0, outcome.output
    written = json.loads(path.read_text())
    objects = written["sequences"]
    ape, bee, cat = (objects[name]["objects"][key] for name, key in (("one", "1"), ("two", "2"), ("two", "7")))
    assert bee["J"]["mean"] == 1.0
    assert cat["J"]["mean"] == 0.0
    assert written["seen"]["J"]["mean"] == pytest.approx(0.5)
    assert written["unseen"]["J"]["mean"] == ape["J"]["mean"] == pytest.approx(11 / 13)
    assert written["G"] == pytest.approx((0.5 + 0.5 + 11 / 13 + ape["F"]["mean"]) / 4)
    assert written["protocol"] == "youtube-vos"
    assert f"G {100 * written['G']:.1f}  seen J 50.0 F 50.0  unseen J 84.6" in outcome.output


def test_without_a_list_of_seen_categories_all_are(scored):
    written = json.loads(scored()[1].read_text())
    assert written["unseen"] is None
    assert written["seen"]["J&F"] == written["G"] == pytest.approx(written["overall"]["J&F"])


def test_scored_objects_need_a_category(scored, tmp_path):
    for categories in ({"one": {1: "ape"}}, {"one": {1: "ape"}, "two": {2: "bee", 7: ""}}):
        other = meta_file(tmp_path / "other.json", categories)
        outcome, path = scored("--categories", other)
        assert isinstance(outcome.exception, DatasetError)
        assert "no category for object" in str(outcome.exception)
        assert "'two'" in str(outcome.exception)
        assert not path.exists()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "JSON"),
        ("[]", "videos"),
        ('{"videos": {}}', "videos"),
        ('{"videos": {"a": {"objects": {}}}}', "videos.a.objects"),
        ('{"videos": {"a": {"objects": {"x": {}}}}}', "videos.a.objects.x"),
        ('{"videos": {"a": {"objects": {"1": {"category": 3}}}}}', "videos.a.objects.1.category"),
        ('{"videos": {"a": {"objects": {"1": {"frames": "00000"}}}}}', "videos.a.objects.1.frames"),
    ],
)
def test_a_broken_meta_file_is_named(tmp_path, text, named):
    path = tmp_path / "meta.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match=named) as caught:
        read_meta(path)
    assert str(path) in str(caught.value)


def test_a_missing_meta_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"nowhere\.json cannot be read"):
        read_meta(tmp_path / "nowhere.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["videos", "objects", "category", "frames", "1", "a"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=60) | JSON.map(lambda value: json.dumps({"videos": {"a": value}}).encode()))
def test_any_file_is_read_or_refused_by_name(tmp_path, content):
    path = tmp_path / "meta.json"
    path.write_bytes(content)
    meta, message = None, ""
    try:
        meta = read_meta(path)
    except CycleVOSError as error:
        message = str(error)
    assert str(path) in message if meta is None else meta.videos
