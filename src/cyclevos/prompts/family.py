"""The packaged prompter as a family: its name, and how its files are recognised. Importing it loads no torch."""

from __future__ import annotations

from pathlib import Path

from cyclevos.network.named_weights import NamedWeights, Packaged
from cyclevos.network.registry import WeightsFamily

_WEIGHTS = (
    NamedWeights(
        "default",
        "clicks, boxes and strokes; the weights in the package",
        Packaged(Path(__file__).resolve().parents[1] / "weights" / "prompts.safetensors"),
        parameters=4_111_333,
        size=8_336_306,
        code_licence="Apache-2.0",
        weights_licence="research use, see the model card",
    ),
)


class PromptFamily(WeightsFamily):
    """Prompters of ``cyclevos train prompt``."""

    name = "prompts"
    formats = "safetensors of cyclevos train prompt"
    weights = _WEIGHTS
    prompter = "cyclevos.prompts.loading:load_looking_prompter"

    def recognises(self, path: Path) -> bool:
        """Return whether a file records the specification of a prompt network."""
        from cyclevos.prompts.weights import read_prompt_spec

        return path.is_file() and path.suffix == ".safetensors" and read_prompt_spec(path) is not None


FAMILY = PromptFamily()
