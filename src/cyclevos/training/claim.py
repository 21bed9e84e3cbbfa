"""The configuration file of a training run, by which a folder belongs to that run."""

from __future__ import annotations

import json
from pathlib import Path

from cyclevos.errors import OutputError
from cyclevos.files.atomic import replacing
from cyclevos.training.checkpoint import reason
from cyclevos.training.schema import RunConfig

CONFIG = "config.json"


def check_claim(output: Path, config: RunConfig) -> None:
    """Refuse a folder that holds a run with another configuration.

    Raises:
        OutputError: it does, or its configuration is damaged, or the system cannot read it.
    """
    file = output / CONFIG
    try:
        if not file.is_file():
            return
        # Validated, so that a setting that was added since, and has its default value, makes no difference.
        text = file.read_text(encoding="utf-8")
        json.loads(text)
        found = type(config).model_validate_json(text)
    except OSError as error:
        raise OutputError(f"{output} cannot hold a training run ({error}).", "Choose another --output.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise OutputError(
            f"{file} is damaged: it is not whole JSON ({reason(error)}).",
            f"To keep the run, restore {file} from a backup, or delete this file only and repeat the command with the "
            "configuration that the run began with. For a new run, choose another --output.",
        ) from error
    except ValueError as error:
        raise OutputError(
            f"{file} is not the configuration of a run ({reason(error)}).", "Choose another --output."
        ) from error
    # Compared as they are written, which distinguishes a value set to its default from one that is not set.
    was, wanted = found.model_dump(), config.model_dump()
    if was != wanted:
        differing = [name for name in was if was[name] != wanted[name]]
        raise OutputError(
            f"{output} holds a run with another configuration (different: {', '.join(differing)}).",
            "Choose another --output, or delete the folder to start a new run.",
        )


def claim(output: Path, config: RunConfig) -> None:
    """Write the run's configuration if the folder has none.

    Raises:
        OutputError: the system cannot write it.
    """
    file = output / CONFIG
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output} cannot hold a training run ({error}).", "Choose another --output.") from error
    if not file.is_file():
        with replacing(file, flush=True) as temporary:
            temporary.write_text(config.model_dump_json(indent=2), encoding="utf-8", newline="\n")
