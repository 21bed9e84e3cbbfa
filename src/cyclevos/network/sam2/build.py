"""Making, loading and saving networks of the SAM 2 family, in the folders that transformers reads and writes."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from cyclevos.errors import MissingExtraError, WeightsError
from cyclevos.files.atomic import output_errors, replacing
from cyclevos.network.sam2.configuration import CONFIG_FILE, DEFAULT_SIDE, IMAGE_MODELS, WEIGHTS_FILE, read_config
from cyclevos.network.sam2.network import FAMILY, POLICY, Sam2Network, one_side
from cyclevos.network.sam2.variants import VARIANTS, Variant
from cyclevos.network.traits import NetworkTraits
from cyclevos.words import first_line


def build_sam2(config: Any) -> Sam2Network:
    """Build a network with random weights.

    Args:
        config: ``Sam2VideoConfig`` or ``EdgeTamVideoConfig`` of transformers.

    Returns:
        The network in evaluation mode; its parameters require no gradient.

    Raises:
        WeightsError: the configuration is of another model.
        MissingExtraError: transformers is not installed.
    """
    variant = _variant(config.model_type, "The configuration")
    with _quiet() as transformers:
        model = getattr(transformers, variant.classes[1])(config)
    return _finished(model)


def load_sam2(folder: Path) -> Sam2Network:
    """Load a network from a folder with ``config.json`` and safetensors, as its makers publish it.

    Args:
        folder: the folder; nothing is downloaded.

    Returns:
        The network in float32 and in evaluation mode; its parameters require no gradient.

    Raises:
        WeightsError: the folder holds no such network, or tensors are missing, left over or of another shape.
        MissingExtraError: transformers is not installed.
    """
    variant = _variant(read_config(folder).get("model_type"), str(folder / CONFIG_FILE))
    return _finished(_loaded(folder, variant.classes[1]))


def load_image_model(folder: Path) -> Any:
    """Load the model for single images, which takes prompts, from a folder of it or of the model for videos.

    Args:
        folder: the folder; nothing is downloaded.

    Returns:
        ``Sam2Model`` or ``EdgeTamModel`` of transformers, in float32 and in evaluation mode; its parameters require no
        gradient.

    Raises:
        WeightsError: see :func:`load_sam2`.
        MissingExtraError: transformers is not installed.
    """
    model_type = read_config(folder).get("model_type")
    variant = _variant(IMAGE_MODELS.get(str(model_type), model_type), str(folder / CONFIG_FILE))
    return _loaded(folder, variant.classes[2]).eval().requires_grad_(False)


def save_sam2(network: Sam2Network, folder: Path) -> None:
    """Write a network in the format that :func:`load_sam2` and transformers read.

    Args:
        network: any network of the family.
        folder: it is created if needed; a network in it is replaced.

    Raises:
        OutputError: the folder cannot be written.
    """
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".saving-", dir=folder) as name, _quiet():
            network.model.save_pretrained(name, max_shard_size="1000GB")
            for file in (WEIGHTS_FILE, CONFIG_FILE):
                with replacing(folder / file) as temporary:
                    (Path(name) / file).replace(temporary)


def traits_of(folder: Path) -> NetworkTraits:
    """Return what is known about a network from its ``config.json`` alone.

    Raises:
        WeightsError: the folder holds no network of the family.
    """
    config = read_config(folder)
    _variant(config.get("model_type"), str(folder / CONFIG_FILE))
    return NetworkTraits(FAMILY, one_side(config.get("image_size") or DEFAULT_SIDE), POLICY)


def _loaded(folder: Path, model_class: str) -> Any:
    with _quiet() as transformers:
        try:
            model, report = getattr(transformers, model_class).from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are reported, and refused below
            )
        except Exception as error:  # whatever a damaged file makes the libraries raise
            raise WeightsError(
                f"{folder} cannot be loaded: {first_line(error)}",
                f"Expected {CONFIG_FILE} and {WEIGHTS_FILE}; download the folder again.",
            ) from error
    _refuse_differences(folder, report)
    for tensor in (*model.parameters(), *model.buffers()):
        # They may be views of the file, which can change, and lie at addresses that make sums round differently.
        tensor.data = tensor.data.clone()
    return model


def _finished(model: Any) -> Sam2Network:
    network = Sam2Network(model)
    network.eval().requires_grad_(False)
    return network


def _variant(model_type: Any, place: str) -> Variant:
    if model_type in VARIANTS:
        return VARIANTS[model_type]
    names = " or ".join(repr(name) for name in VARIANTS)
    problem = f"{place} is of a model of type {model_type!r}. Expected {names}."
    if model_type in IMAGE_MODELS:
        right = IMAGE_MODELS[model_type]
        remedy = f"This is the model for single images, a prompter; as a network, give the one for videos ({right})."
    else:
        remedy = "Give a folder of SAM 2, SAM 2.1 or EdgeTAM in the format of transformers."
    raise WeightsError(problem, remedy)


def _refuse_differences(folder: Path, report: dict[str, Any]) -> None:
    missing, left_over = sorted(report["missing_keys"]), sorted(report["unexpected_keys"])
    misshapen = sorted(report["mismatched_keys"])
    problems = [f"missing: {', '.join(missing)}"] if missing else []
    problems += [f"left over: {', '.join(left_over)}"] if left_over else []
    problems += [f"of another shape: {', '.join(_shapes(*entry) for entry in misshapen)}"] if misshapen else []
    if problems:
        raise WeightsError(
            f"The tensors in {folder} do not match its {CONFIG_FILE}; {'; '.join(problems)}.",
            "Download the folder again, or give the configuration that belongs to the weights.",
        )


def _shapes(name: str, found: Any, expected: Any) -> str:
    return f"{name} {tuple(found)}, expected {tuple(expected)}"


@contextmanager
def _quiet() -> Iterator[Any]:
    """Yield transformers, which prints no progress bars and logs nothing but errors until the block ends."""
    try:
        transformers = importlib.import_module("transformers")
    except ImportError as error:
        raise MissingExtraError.of("A network of SAM 2 or EdgeTAM", "transformers", "cyclevos[sam2]") from error
    logging = transformers.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield transformers
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
