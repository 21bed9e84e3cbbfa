"""Configurations: presets, overrides, and errors that say what was meant."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cyclevos.errors import ConfigError
from cyclevos.network.stm.spec import SPECS
from cyclevos.training.config import load_config, presets
from cyclevos.training.schema import TrainingConfig

MINIMAL = {"data": {"sources": [{"root": "a"}, {"root": "b", "kind": "still"}]}, "steps": 10}


@pytest.fixture
def minimal(tmp_path) -> Path:
    return write(tmp_path, MINIMAL)


def write(folder: Path, tree: object) -> Path:
    file = folder / "run.yaml"
    file.write_text(tree if isinstance(tree, str) else yaml.safe_dump(tree), encoding="utf-8")
    return file


def refusal(file: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(file, list(overrides))
    return str(caught.value)


VIDEO_PRESETS = {"compact", "compact-context", "compact-crowd", "compact-further", "paper", "paper-static"}
PROMPT_STEPS = ("closer", "further", "settled", "longer", "larger", "lite2", "lite2-larger")
PROMPT_PRESETS = {"prompt", *(f"prompt-{step}" for step in PROMPT_STEPS)}


def test_presets_load():
    assert set(presets()) == VIDEO_PRESETS | PROMPT_PRESETS
    for name in presets():
        config = load_config(name)
        assert config.trains == ("video" if name in VIDEO_PRESETS else "prompts")
        assert config.trains == "prompts" or config.network.name in SPECS
        assert load_config(f"{name}.yaml") == config
        assert all(source.root.parts[0] == "data" for source in config.data.sources)


@pytest.mark.parametrize("name", ["compact", "compact-further", "compact-context", "compact-crowd"])
def test_compact_holds_its_validation_sequences_back(name):
    config = load_config(name)
    assert config.validation.sequences == ("car-turn", "dance-jump", "mallard-fly", "scooter-gray")
    assert (config.validation.size, config.validation.every) == (288, 1000)


def test_a_base_gives_what_a_file_does_not_say(tmp_path):
    (tmp_path / "own.yaml").write_text("base: compact\noptimiser: {lr: 0.5}\ndata: {augmentation: {crop: [0.2, 1]}}\n")
    over = tmp_path / "over.yaml"
    over.write_text("base: own.yaml\ndata: {sources: [{root: x}]}\nsteps: 7\n")
    found, base = load_config(over, ["seed=9"]), load_config("compact")
    assert (found.optimiser.lr, found.data.augmentation.crop, found.steps, found.seed) == (0.5, (0.2, 1), 7, 9)
    assert [source.root for source in found.data.sources] == [Path("x")]
    assert found.optimiser.model_copy(update={"lr": base.optimiser.lr}) == base.optimiser
    assert (found.data.augmentation.size, found.validation) == (base.data.augmentation.size, base.validation)


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("compct", r"There is no configuration 'compct'\. Give a YAML file or a preset: compact"),
        ("[compact]", r"run\.yaml: base is \['compact'\], expected the name"),
        ("run.yaml", r"run\.yaml: base 'run\.yaml' is based on this file itself"),
        ("ring.yaml", r"ring\.yaml: base 'run\.yaml' is based on this file itself"),
        (r'"nul\0"', "cannot be a file|There is no configuration"),
    ],
)
def test_wrong_bases_are_explained(tmp_path, base, message):
    (tmp_path / "ring.yaml").write_text("base: run.yaml\n")
    assert re.search(message, refusal(write(tmp_path, f"base: {base}\n")))


def test_endless_settings_over_endless_ones(tmp_path):
    (tmp_path / "under.yaml").write_text("&a {data: *a}")
    assert "nested too deeply" in refusal(write(tmp_path, "base: under.yaml\ndata: &b {data: *b}\n"))


def test_paper_is_the_papers_recipe():
    config = load_config("paper")
    clips = 5 * 60 + 3471
    assert config.network.name == "stm-cycle-resnet50"
    assert config.steps == 240 * clips // config.batch
    assert config.data.gaps.every == 20 * clips
    assert config.objective.model_dump() == {
        "least_area": 0.1,
        "cycle": True,
        "cycle_frames": "all",
        "cycle_weight": 1.0,
        "hard_fraction": 0.4,
    }
    optimiser = config.optimiser
    assert (optimiser.name, optimiser.lr, optimiser.betas, optimiser.weight_decay) == ("adam", 1e-5, (0.9, 0.999), 5e-4)
    assert (optimiser.schedule, optimiser.clip_norm, optimiser.ema, optimiser.trunk_factor) == (
        "constant",
        None,
        None,
        1,
    )


def test_the_second_stage_fits_the_first():
    first, second = load_config("paper-static"), load_config("paper")
    assert (first.network, first.size) == (second.network, second.size)


def test_every_override_a_preset_mentions_works():
    mentioned = [
        (name, setting)
        for name, file in presets().items()
        for setting in re.findall(r"--set ([\w.]+=[^\s,)]+)", file.read_text(encoding="utf-8"))
    ]
    assert len(mentioned) >= 7
    for name, setting in mentioned:
        assert load_config(name, [setting]) != load_config(name)


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("optimiser.lr=1e-4", ("optimiser", "lr"), 1e-4),
        ("steps=1e3", ("steps",), 1000),
        ("data.sources.1.weight=2", ("data", "sources", 1, "weight"), 2.0),
        ("data.augmentation.crop=[0.5, 0.6]", ("data", "augmentation", "crop"), (0.5, 0.6)),
        ("optimiser.ema=null", ("optimiser", "ema"), None),
        ("precision=no", ("precision",), "no"),
        ("data.sources.0.root=nan", ("data", "sources", 0, "root"), Path("nan")),
        ("network.init_from=a=b.safetensors", ("network", "init_from"), "a=b.safetensors"),
    ],
)
def test_overrides(minimal, override, path, value):
    found = load_config(minimal, [override])
    for part in path:
        found = found[part] if isinstance(part, int) else getattr(found, part)
    assert found == value


def test_an_override_fills_an_empty_section(tmp_path):
    file = write(tmp_path, yaml.safe_dump(MINIMAL) + "optimiser:\n")
    assert load_config(file, ["optimiser.lr=0.5"]).optimiser.lr == 0.5


def test_an_override_of_an_anchored_section_leaves_its_namesakes():
    moved = load_config("paper-static", ["data.sources.1.motion.rotate=3"])
    assert [source.motion.rotate for source in moved.data.sources] == [15, 3, 15, 15]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimiser.lrr=1", r"unknown key 'optimiser\.lrr'; did you mean 'lr'\?"),
        ("data.sources.0.wieght=1", r"unknown key 'data\.sources\.0\.wieght'; did you mean 'weight'\?"),
        ("network.spec.trunck=resnet18", r"unknown key 'network\.spec\.trunck'; did you mean 'trunk'\?"),
        ("network.changes.read_sigm=3", r"unknown key 'network\.changes\.read_sigm'; did you mean 'read_sigma'\?"),
        ("network.changes.read_sigma=-1", r"network\.changes\.read_sigma: .*greater than 0.*-1"),
        ("stepz=1", r"did you mean 'steps'\?"),
        ("qqqqqq=1", "known keys: batch, checkpoint_every, data"),
        ("steps=many", r"steps: .*integer.*'many'"),
        ("optimiser.lr=-1", r"optimiser\.lr: .*greater than 0.*-1"),
        ("optimiser.lr=.inf", r"optimiser\.lr: .*finite"),
        ("objective.cycle_frames=some", r"objective\.cycle_frames: .*'all' or 'last'.*'some'"),
        ("data.augmentation.crop=[0.9, 0.5]", r"data\.augmentation\.crop: .*smaller one first"),
        ("data.augmentation.size=[0, 5]", r"data\.augmentation\.size\.0: .*16"),
        ("data.sources.0.labels=none", r"data\.sources\.0\.labels: .*'all' or 'first'.*nothing to come back to"),
        ("data.sources.1={kind: still, root: x, labels: first}", r"data\.sources\.1: .*kinds video and pseudo"),
        ("data.sources.2.weight=1", r"'2' must be a number of the list: 0\.\.1"),
        ("data.sources.\N{SUPERSCRIPT TWO}.weight=1", r"must be a number of the list"),
        ("steps.more=1", "'steps' is a value, not a section"),
        ("steps", r"expected section\.key=value"),
        ("=3", r"expected section\.key=value"),
        ("steps=[", "not YAML"),
        ("steps=!!int ''", "not YAML"),
    ],
)
def test_wrong_overrides_are_explained(minimal, override, message):
    assert re.search(message, refusal(minimal, override)), refusal(minimal, override)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not readable YAML"),
        ("- 1\n- 2\n", "holds list, expected a mapping"),
        ("", "holds NoneType, expected a mapping"),
        ("steps: 5\n", "data: Field required"),
        ("data: {sources: []}\nsteps: 5\nsede: 1\n", "did you mean 'seed'"),
        ("[" * 1000, "nested too deeply"),
        ("!!timestamp x", "not readable YAML"),
        ("&a {data: *a}", "."),
    ],
)
def test_wrong_files_are_explained(tmp_path, text, message):
    assert message in refusal(write(tmp_path, text))


def test_a_huge_wrong_value_is_not_printed_whole(tmp_path):
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    assert len(refusal(write(tmp_path, "\n".join([*lines, "steps: *a8"])))) < 5000


@pytest.mark.parametrize("name", ["papper", "no/such.yaml", "x" * 5000, "nul\0", ""])
def test_an_unknown_preset_lists_the_known_ones(name):
    with pytest.raises(ConfigError, match=r"paper-static|cannot be a file"):
        load_config(name)


def test_a_file_of_bytes(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_bytes(b"\xff\xfe\x00\x01")
    assert "not readable YAML" in refusal(file)


KEYS = st.sampled_from([*TrainingConfig.model_fields, "root", "sources", "spec", "lr", "size", "crop"]) | st.text(
    max_size=4
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates()
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4))


def assert_only_config_errors(file: Path, overrides: list[str]) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(load_config(file, overrides), TrainingConfig)


@given(text=st.text(max_size=60))
@settings(max_examples=25, deadline=None)
def test_any_text(tmp_path_factory, text):
    file = tmp_path_factory.getbasetemp() / "text.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert_only_config_errors(file, [])


@given(tree=st.dictionaries(KEYS, TREES, max_size=4))
@settings(max_examples=25, deadline=None)
def test_any_tree(tmp_path_factory, tree):
    file = tmp_path_factory.getbasetemp() / "tree.yaml"
    file.write_text(yaml.safe_dump({**MINIMAL, **tree}, allow_unicode=False), encoding="utf-8")
    assert_only_config_errors(file, [])


@given(key=st.lists(KEYS | st.just("0"), max_size=4).map(".".join), value=st.text(max_size=12) | TREES.map(str))
@settings(max_examples=25, deadline=None)
def test_any_override(tmp_path_factory, key, value):
    file = tmp_path_factory.getbasetemp() / "minimal.yaml"
    file.write_text(yaml.safe_dump(MINIMAL), encoding="utf-8")
    assert_only_config_errors(file, [f"{key}={value}"])
