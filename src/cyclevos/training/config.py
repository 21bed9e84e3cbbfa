"""Reading a training configuration: YAML files, presets, overrides and helpful errors."""

from __future__ import annotations

import copy
import difflib
import re
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from cyclevos.errors import ConfigError
from cyclevos.training.presets import presets
from cyclevos.training.prompt_schema import PromptTrainingConfig
from cyclevos.training.schema import TrainingConfig

_SCIENTIFIC = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d{1,3}", re.ASCII)


Config = TrainingConfig | PromptTrainingConfig


def config_class(tree: Mapping[str, Any]) -> type[TrainingConfig] | type[PromptTrainingConfig]:
    """Return the schema of a configuration, by what it says it trains."""
    return PromptTrainingConfig if tree.get("trains") == "prompts" else TrainingConfig


def load_config(path: str | Path, overrides: list[str] | None = None) -> Config:
    """Read a YAML file or a preset by name and apply ``section.key=value`` overrides.

    Relative paths of data are relative to the working directory. ``base: NAME`` inherits all settings of a preset or of
    a file in the same folder; sections given again are merged key by key, lists and values are replaced.

    Args:
        path: a YAML file, or the name of a preset such as ``compact``.
        overrides: values are YAML; list elements are addressed by number (``data.sources.0.weight=2``).

    Raises:
        ConfigError: the file is missing or is not YAML, or a key or value is wrong; for a misspelt key, the error
            names the nearest known one.
    """
    file = _find(Path(path))
    try:
        tree = _read(file)
        for override in overrides or []:
            _apply(tree, override)
        model = config_class(tree)
        return model.model_validate(tree)
    except ValidationError as error:
        problem = "; ".join(_explain(e, model) for e in error.errors())
        raise ConfigError(f"{file}: {problem}.", "Correct the file or the --set option.") from error
    except RecursionError as error:
        raise ConfigError(f"{file} is nested too deeply.", "Remove sections that contain themselves.") from error


def _find(path: Path) -> Path:
    if _is_file(path):
        return path
    known = presets()
    name = path.name.removesuffix(".yaml")
    if name in known and path.parent == Path():
        return known[name]
    raise ConfigError(f"There is no configuration {str(path)!r}.", f"Give a YAML file or a preset: {', '.join(known)}.")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{str(path)!r} cannot be a file: {error}.", "Give a YAML file or a preset.") from error


def _read(file: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read a file and merge it over its base; `above` are the files that are based on it."""
    try:
        tree = _parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} is not readable YAML: {error}.", "Correct the file.") from error
    if not isinstance(tree, dict):
        raise ConfigError(
            f"{file} holds {type(tree).__name__}, expected a mapping.",
            "Begin it with keys such as data.",
        )
    if "base" not in tree:
        return tree
    base = tree.pop("base")
    if not isinstance(base, str):
        raise ConfigError(
            f"{file}: base is {_short(base)}, expected the name of a preset or a file.",
            f"Presets are {', '.join(presets())}.",
        )
    neighbour = file.parent / base
    under, above = _find(neighbour if _is_file(neighbour) else Path(base)), (*above, file.resolve())
    if under.resolve() in above:
        raise ConfigError(f"{file}: base {base!r} is based on this file itself.", "Name another base.")
    return _merged(_read(under, above), tree)


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Merge settings over others: sections are merged key by key; lists and values are replaced."""
    merged = dict(under)
    for key, value in over.items():
        known = under.get(key)
        merged[key] = _merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return merged


def _apply(tree: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise ConfigError(
            f"--set {override!r}: expected section.key=value.", "Give a value, for example optimiser.lr=1e-4."
        )
    try:
        value = _parse(text)
    except ValueError as error:
        raise ConfigError(
            f"--set {override!r}: the value is not YAML ({error}).", "Put text with special characters in quotes."
        ) from error
    # YAML 1.1 reads 1e-4 as a string, but users mean a number.
    if isinstance(value, str) and _SCIENTIFIC.fullmatch(value):
        value = float(value)
    node: Any = tree
    *parents, last = key.split(".")
    for part in parents:
        place: Any = _index(node, part, override) if isinstance(node, list) else part
        # Sections with one YAML anchor are one object: change a copy, so that the others stay as they are.
        child = copy.copy(node[place] if isinstance(node, list) else node.get(place))
        child = {} if child is None else child
        if not isinstance(child, dict | list):
            raise ConfigError(f"--set {override!r}: {part!r} is a value, not a section.", f"Set {part!r} itself.")
        node[place] = child
        node = child
    if isinstance(node, list):
        node[_index(node, last, override)] = value
    else:
        node[last] = value


def _parse(text: str) -> Any:
    """Read YAML; any failure raises ValueError."""
    try:
        return yaml.safe_load(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except Exception as error:  # tags such as !!int on other text make PyYAML raise errors of any kind
        raise ValueError(str(error) or type(error).__name__) from error


def _index(node: list[Any], part: str, override: str) -> int:
    numbers = [str(i) for i in range(len(node))]
    if part in numbers:
        return numbers.index(part)
    allowed = f"0..{len(node) - 1}" if node else "none, the list is empty"
    raise ConfigError(
        f"--set {override!r}: {part!r} must be a number of the list: {allowed}.", "Number its elements from 0."
    )


def _explain(error: Any, model: type[BaseModel]) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] != "extra_forbidden":
        return f"{where}: {error['msg']} (got {_short(error['input'])})"
    known = _keys_at(error["loc"][:-1], model)
    close = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
    return f"unknown key {where!r}; {hint}"


def _short(value: object) -> str:
    """Return a value as one short line."""
    shortener = reprlib.Repr()
    shortener.maxlevel, shortener.maxdict, shortener.maxlist, shortener.maxstring = 2, 4, 4, 60
    return shortener.repr(value)


def _keys_at(location: tuple[Any, ...], top: type[BaseModel]) -> list[str]:
    """Return the field names of the section at a location, following lists and optional sections."""
    model: Any = top
    for part in location:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        annotation = field.annotation if field is not None else None
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        model = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
        if model is None:
            return []
    return sorted(model.model_fields)
