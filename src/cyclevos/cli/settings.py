"""Settings as options: commands take values such as ``SegmentationSettings`` and get them from shared options.

A command's parameter whose type is one of the classes in :data:`SETTINGS` is replaced by one option for each of its
fields, declared in :data:`FIELDS`. ``Annotated[SegmentationSettings, Only("size")]`` takes some of the fields; a
default value of the parameter gives the options' defaults.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import wraps
from typing import Any, get_args

from cyclevos.cli import mask_options, options, prompt_options
from cyclevos.cli.dataset_settings import DatasetSettings
from cyclevos.exchange.given.mask_reading import MaskReading
from cyclevos.jobs.settings import OutputSettings
from cyclevos.network.settings import NetworkSettings
from cyclevos.prompts.prompts import VideoPrompts
from cyclevos.prompts.settings import PromptSettings
from cyclevos.prompts.syntax import read_prompts
from cyclevos.propagation.correction import PRESETS, Correction
from cyclevos.propagation.settings import SegmentationSettings

SETTINGS = (SegmentationSettings, NetworkSettings, OutputSettings, MaskReading, PromptSettings, DatasetSettings)


@dataclass(frozen=True)
class Only:
    """Names of the fields that a command takes; the others keep the default value."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)


@dataclass(frozen=True)
class Declaration:
    """How a field of a settings class is given on the command line.

    Attributes:
        types: annotated type of each option, by the option's name with underscores.
        read: makes the field's value of the options' values, in the same order.
        show: makes the options' default values of the field's; one value per option.
    """

    types: Mapping[str, Any]
    read: Callable[..., Any]
    show: Callable[[Any], tuple[Any, ...]]


def _as_is(value: Any) -> Any:
    return value


def _alone(value: Any) -> tuple[Any]:
    return (value,)


def _show_size(size: int | str | None) -> tuple[str]:
    return ("none" if size is None else str(size),)


def _show_correction(correction: Correction | None) -> tuple[options.CorrectionName, None]:
    name = next((name for name, preset in PRESETS.items() if preset == correction), "off")
    return options.CorrectionName(name), None


def _read_prompts(points: list[str] | None, not_points: list[str] | None, boxes: list[str] | None) -> VideoPrompts:
    return read_prompts(points or (), not_points or (), boxes or ())


def _declare(name: str, annotated: Any) -> dict[str, Declaration]:
    """Declare a field whose option has the same name and value."""
    return {name: Declaration({name: annotated}, _as_is, _alone)}


FIELDS: dict[str, Declaration] = {
    "size": Declaration({"size": options.Size}, options.parse_size, _show_size),
    "memory_every": Declaration(
        {"memory_every": options.MemoryEvery}, options.parse_every, lambda every: (str(every),)
    ),
    "max_memory_frames": Declaration(
        {"max_memory_frames": options.MaxMemoryFrames}, options.parse_bound, lambda bound: (str(bound or 0),)
    ),
    "direction": Declaration(
        {"direction": options.DirectionOption},
        lambda direction: direction.value,
        lambda direction: (options.Direction(direction),),
    ),
    "correction": Declaration(
        {"correction": options.CorrectionOption, "correction_set": options.CorrectionSet},
        options.parse_correction,
        _show_correction,
    ),
    **_declare("weights", options.Weights),
    **_declare("device", options.Device),
    "dtype": Declaration(
        {"dtype": options.Dtype}, lambda dtype: dtype.value, lambda dtype: (options.DtypeName(dtype),)
    ),
    **_declare("objects_at_once", options.ObjectsAtOnce),
    "save": Declaration({"save": options.Save}, options.parse_save, lambda save: (",".join(save),)),
    **_declare("review", options.Review),
    **_declare("overwrite", options.Overwrite),
    **_declare("quiet", options.Quiet),
    "fit": Declaration({"fit_mask": mask_options.FitMask}, _as_is, _alone),
    "fix": Declaration({"fix_mask": mask_options.FixMask}, _as_is, _alone),
    "turn": Declaration(
        {"turn_mask": mask_options.TurnMask}, lambda turn: turn.value, lambda turn: (mask_options.TurnName(turn),)
    ),
    **_declare("keep_255", mask_options.Keep255),
    "format": Declaration({"mask_format": mask_options.MaskFormat}, _as_is, _alone),
    "overlap": Declaration(
        {"overlap": mask_options.OverlapOption},
        lambda overlap: overlap.value,
        lambda overlap: (mask_options.Overlap(overlap),),
    ),
    "prompts": Declaration(
        {"point": prompt_options.Point, "not_point": prompt_options.NotPoint, "box": prompt_options.BoxOption},
        _read_prompts,
        lambda _: (None, None, None),
    ),
    **_declare("prompter", prompt_options.PrompterOption),
    **_declare("split", options.Split),
    **_declare("year", options.Year),
    **_declare("layout", options.Layout),
    **_declare("annotations", options.Annotations),
    **_declare("annotation_root", options.AnnotationRoot),
    "sequences": Declaration(
        {"sequences": options.Sequences},
        options.parse_names,
        lambda names: (None if names is None else ",".join(names),),
    ),
}
"""The options of every field, by the field's name."""


@dataclass(frozen=True)
class _Group:
    """A parameter of a command that is replaced by several options."""

    name: str
    default: Any
    taken: tuple[str, ...]

    @classmethod
    def of(cls, parameter: inspect.Parameter) -> _Group | None:
        """Return the group of a parameter; None for one that is itself an option."""
        kind, *marks = get_args(parameter.annotation) or (parameter.annotation,)
        if kind not in SETTINGS:
            return None
        default = kind() if parameter.default is inspect.Parameter.empty else parameter.default
        only = next((mark.names for mark in marks if isinstance(mark, Only)), None)
        names = tuple(field.name for field in fields(kind))
        unknown = set(only or ()) - set(names)
        if unknown:
            raise TypeError(f"{kind.__name__} has no field {sorted(unknown)}")
        return cls(parameter.name, default, names if only is None else only)

    def options(self) -> Iterator[inspect.Parameter]:
        """Yield a parameter for each option."""
        for name in self.taken:
            declared = FIELDS[name]
            defaults = declared.show(getattr(self.default, name))
            for (option, annotated), default in zip(declared.types.items(), defaults, strict=True):
                yield inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotated)

    def read(self, values: dict[str, Any]) -> Any:
        """Make the settings, taking the options' values out of all values."""
        changes = {}
        for name in self.taken:
            declared = FIELDS[name]
            changes[name] = declared.read(*(values.pop(option) for option in declared.types))
        return replace(self.default, **changes)


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Replace a command's parameters that are settings by their options.

    The options are read in the order of the parameters, before the command's own code runs.

    Args:
        command: the command's function; it is called with keywords.

    Raises:
        TypeError: a mark names a field that does not exist.
    """
    signature = inspect.signature(command, eval_str=True)
    groups: list[_Group] = []
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        group = _Group.of(parameter)
        if group is None:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
        else:
            groups.append(group)
            parameters += group.options()

    @wraps(command)
    def run(**values: Any) -> None:
        settings = {group.name: group.read(values) for group in groups}
        command(**values, **settings)

    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
