"""What weights may be given by, and which of several meanings wins."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
import torch
from file_server import serving
from safetensors.torch import save_file

from cyclevos.errors import MissingExtraError, WeightsError
from cyclevos.network import registry
from cyclevos.network.locating import Local, calibration_file, fetch, locate, recognise
from cyclevos.network.named_weights import Download, Hub, OnRequest, Packaged
from cyclevos.network.registry import NETWORK, PROMPTER, find
from cyclevos.network.stm.checkpoints import save_weights

CUTIE = {
    "pix_feat_proj.weight": torch.zeros(256, 256, 1, 1),
    "pixel_fuser.sensory_compress.weight": torch.zeros(1),
    "object_summarizer.input_proj.weight": torch.zeros(1),
}


@pytest.fixture
def files(tmp_path, tiny_network, monkeypatch) -> Path:
    """A file or folder of each family in the working directory; nothing but what recognising them needs."""
    monkeypatch.chdir(tmp_path)
    save_weights(tiny_network, tmp_path / "ours.safetensors")
    torch.save({"state_dict": {"module.Encoder_M.conv1_o.weight": torch.zeros(1)}}, tmp_path / "stm.pth.tar")
    torch.save(CUTIE, tmp_path / "cutie.pth")
    save_file(CUTIE, tmp_path / "cutie.safetensors")
    for name, kind in (("sam", "sam2_video"), ("edge", "edgetam_video"), ("bert", "bert")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps({"model_type": kind}))
    return tmp_path


@pytest.fixture
def server():
    with serving(b"weights" * 1000) as running:
        yield running


@pytest.fixture
def named(monkeypatch, server) -> str:
    """The name of weights that lie on our server, in a family without an extra."""
    family, weights = find("stm-cycle-resnet18")
    here = replace(weights, where=Download(server.url, "net.pth"))
    monkeypatch.setattr(type(family), "weights", tuple(here if w is weights else w for w in family.weights))
    return weights.name


def without_extras(monkeypatch):
    monkeypatch.setattr(registry, "installed_version", lambda _: None)


@pytest.mark.parametrize(
    ("address", "name", "where"),
    [
        ("default", "default", Packaged),
        ("stm-resnet50", "stm-resnet50", OnRequest),
        ("cutie-base-mega", "cutie-base-mega", Download),
        ("sam2.1-tiny", "sam2.1-tiny", Hub),
        ("ours.safetensors", None, Local),
        ("sam", None, Local),
        ("stm-resnet50=stm.pth.tar", "stm-resnet50", Local),
        ("sam2.1-large=sam", "sam2.1-large", Local),
        ("hf://owner/net", None, Hub("owner/net")),
        ("hf://owner/net/", None, Hub("owner/net")),
        ("hf://owner/net@v2", None, Hub("owner/net", None, "v2")),
        ("hf://owner/net@v2/some/w.pth", None, Hub("owner/net", "some/w.pth", "v2")),
        ("edgetam=hf://owner/net", "edgetam", Hub("owner/net")),
    ],
)
def test_every_way_to_give_weights(files, address, name, where):
    located = locate(address)
    assert located.name == name
    assert located.where == where if isinstance(where, Hub) else isinstance(located.where, where)
    assert (located.path is not None) == (isinstance(located.where, Packaged | Local))


def test_a_name_wins_over_a_folder_and_a_file_over_an_equals_sign(files):
    (files / "edgetam").mkdir()
    assert locate("edgetam").name == "edgetam"
    odd = (files / "cutie.pth").rename(files / "edgetam=cutie.pth")
    assert (locate(odd.name).name, locate(odd.name).path) == (None, Path(odd.name))
    assert locate(Path("edgetam")).name == "edgetam"
    assert isinstance(locate("./edgetam").where, Local)


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("nothing", r"neither a named network \(default, .*edgetam\) nor a file"),
        ("nothing=ours.safetensors", "neither a named network"),
        ("default=", "neither a named network"),
        ("default=nowhere.pth", "no file or folder 'nowhere.pth', as given for 'default'"),
        ("hf://owner", "expected hf://owner/repository"),
        ("hf://", "incomplete"),
    ],
)
def test_what_is_none_of_them_is_refused(files, address, problem):
    with pytest.raises(WeightsError, match=problem):
        locate(address)


@pytest.mark.parametrize(
    ("address", "name", "where"),
    [
        ("default", "default", Packaged),
        ("sam2.1-tiny", "sam2.1-tiny", Hub),
        ("sam", None, Local),
        ("edgetam=edge", "edgetam", Local),
        ("hf://owner/net", None, Hub("owner/net")),
    ],
)
def test_every_way_to_give_a_prompter(files, address, name, where):
    located = locate(address, PROMPTER)
    assert (located.name, located.use) == (name, PROMPTER)
    assert located.where == where if isinstance(where, Hub) else isinstance(located.where, where)
    assert located.path != locate("default").path


@pytest.mark.parametrize("use", [NETWORK, PROMPTER])
def test_weights_of_sam_2_are_both(files, monkeypatch, use):
    without_extras(monkeypatch)
    assert locate("sam", use).family().name == locate("sam2.1-tiny", use).family().name == "sam2"


@pytest.mark.parametrize(
    ("address", "use", "problem", "remedy"),
    [
        (
            "ours.safetensors",
            PROMPTER,
            r"weights of a network \(family stm\); expected those of a prompter",
            "--weights",
        ),
        ("cutie.pth", PROMPTER, r"weights of a network \(family cutie\); expected those of a prompter", "--weights"),
        (
            "prompts.safetensors",
            NETWORK,
            r"weights of a prompter \(family prompts\); expected those of a network",
            "--pr",
        ),
        (
            "cutie-base-mega",
            PROMPTER,
            "'cutie-base-mega' is the name of a network; expected that of a prompter: sam2",
            "-",
        ),
        ("stm-resnet50=stm.pth.tar", PROMPTER, "'stm-resnet50' is the name of a network", "Give it with --weights"),
        ("nothing", PROMPTER, r"neither a named prompter \(sam2.1-tiny, .*default\) nor a file", "Check the spelling"),
        ("bert", PROMPTER, r"no known family; expected one of sam2 \(.*\), prompts \(.*\)\.", "--prompter NAME="),
    ],
)
def test_the_wrong_kind_is_told_both_ways(files, address, use, problem, remedy):
    (files / "prompts.safetensors").symlink_to(find("default", PROMPTER)[1].where.file)
    with pytest.raises(WeightsError, match=problem) as caught:
        locate(address, use).family()
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("file", "family"),
    [
        ("ours.safetensors", "stm"),
        ("stm.pth.tar", "stm"),
        ("cutie.pth", "cutie"),
        ("cutie.safetensors", "cutie"),
        ("sam", "sam2"),
        ("edge", "sam2"),
    ],
)
def test_files_and_folders_are_recognised_by_their_content(files, monkeypatch, file, family):
    without_extras(monkeypatch)  # which are not needed for it
    assert locate(file).family().name == family


@pytest.mark.parametrize("file", ["bert", "other.pth", "other.safetensors"])
def test_weights_of_no_family_are_refused_with_what_was_expected(files, file):
    torch.save({"w": torch.zeros(1)}, files / "other.pth")
    save_file({"w": torch.zeros(1)}, files / "other.safetensors")
    with pytest.raises(WeightsError, match=r"no known family; expected one of stm .*, cutie .*, sam2 ") as caught:
        recognise(files / file)
    assert f"--weights NAME={files / file}" in caught.value.remedy


@pytest.mark.parametrize("file", ["broken.pth", "broken.safetensors"])
def test_a_file_that_cannot_be_read_is_told_as_such(files, file):
    (files / file).write_bytes(b"half a file")
    with pytest.raises(WeightsError, match=r"is not a (weights|safetensors) file"):
        recognise(files / file)


@pytest.mark.parametrize("head", [b"\x89PNG\r\n\x1a\n", b"\x00\x00\x00 ftypisom", b"epoch,loss\n", b""])
def test_pictures_videos_and_texts_are_refused_without_words_of_torch(files, head):
    (files / "other.pth").write_bytes(head + bytes(300))
    with pytest.raises(WeightsError, match="neither safetensors nor a checkpoint of torch") as caught:
        recognise(files / "other.pth")
    assert "weights_only" not in str(caught.value)


def test_a_download_happens_when_it_is_asked_for_and_once(named, server, cache):
    located = locate(named)
    assert located.path is None
    assert server.asked == []
    fetched = fetch(located)
    assert fetched.path == cache / "net.pth"
    assert locate(named).path == fetched.path
    assert fetch(locate(named)) == fetched
    assert len(server.asked) == 1


def test_a_missing_extra_is_found_before_the_download(named, server, monkeypatch):
    family = find(named)[0]
    monkeypatch.setattr(type(family), "requirements", ("no-such-distribution>=1",))
    with pytest.raises(MissingExtraError, match="no-such-distribution"):
        fetch(locate(named))
    assert server.asked == []
    assert fetch(locate(named), extra=False).path is not None  # as for a machine that shares the cache


def test_of_an_unknown_repository_the_configuration_is_fetched_first(files, monkeypatch):
    without_extras(monkeypatch)
    asked = []

    def one_file(repository, file, **_):
        asked.append(file)
        return str(files / "sam" / file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", one_file)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: asked.append("all"))
    with pytest.raises(MissingExtraError, match=r"cyclevos\[sam2\]"):
        fetch(locate("hf://owner/net"))
    assert asked == ["config.json"]


def test_weights_that_nobody_hands_out_say_where_to_get_them():
    with pytest.raises(WeightsError, match=r"do not come with the package.*publish it with their program") as caught:
        fetch(locate("stm-resnet50"))
    assert caught.value.remedy.endswith("--weights stm-resnet50=FILE")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("ours.safetensors", "ours.reliability.safetensors"),
        ("stm-resnet50=stm.pth.tar", "stm.pth.reliability.safetensors"),
        ("sam", "sam/sam.reliability.safetensors"),
        ("sam2.1-tiny=sam", "sam/sam.reliability.safetensors"),
        ("cutie-base-mega", "cache/weights/cutie-base-mega.reliability.safetensors"),
        ("sam2.1-tiny", "cache/weights/sam2.1-tiny.reliability.safetensors"),
        ("hf://owner/net@v2/w.pth", "cache/weights/hf--owner--net--v2--w.pth.reliability.safetensors"),
    ],
)
def test_a_predictor_lies_beside_its_weights(files, address, expected):
    assert calibration_file(locate(address)) == files / expected


def test_two_places_of_one_name_have_predictors_of_their_own(files):
    ours, other = locate("edgetam"), locate("edgetam=hf://somebody/else")
    assert calibration_file(ours) != calibration_file(other)


def test_the_packaged_predictor_belongs_to_the_packaged_weights():
    located = locate("default")
    assert calibration_file(located) == located.path.with_name("reliability.safetensors")
