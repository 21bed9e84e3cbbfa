"""What frozen settings with named presets share: values are checked by name, and a preset's values changed by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import Field, fields, replace
from typing import Any, ClassVar, Protocol, TypeVar

from cyclevos.errors import ConfigError


class _Settings(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


S = TypeVar("S", bound=_Settings)


def check_values(noun: str, settings: object, checks: Iterable[tuple[str, bool, str]]) -> None:
    """Check the values of settings.

    Args:
        noun: what they are settings of, such as "correction".
        settings: hold the values.
        checks: name of each value, whether it fits, and what is allowed, as words that follow "expected".

    Raises:
        ConfigError: a value does not fit; the first one is named.
    """
    for name, fits, allowed in checks:
        if not fits:
            raise ConfigError(
                f"The {noun}'s {name} is {getattr(settings, name)!r}; expected {allowed}.", f"Set {name} to {allowed}."
            )


def changed_preset(noun: str, presets: Mapping[str, S], name: str, overrides: Mapping[str, Any]) -> S:
    """Return a preset with some values changed.

    Args:
        noun: what the presets are of, with its article, such as "a correction".
        presets: by name.
        name: of the preset.
        overrides: values by name.

    Raises:
        ConfigError: the preset or the name of a value is unknown, or a value does not fit.
    """
    _, _, bare = noun.partition(" ")
    if name not in presets:
        raise ConfigError(
            f"The {bare} preset {name!r} is unknown; expected one of {', '.join(presets)}.",
            f"Use {' or '.join(presets)}.",
        )
    names = [field.name for field in fields(presets[name])]
    unknown = [key for key in overrides if key not in names]
    if unknown:
        raise ConfigError(
            f"{noun.capitalize()} has no setting {unknown[0]!r}; expected any of {', '.join(names)}.",
            "Check the spelling.",
        )
    return replace(presets[name], **overrides)


def whole(value: object, least: int) -> bool:
    """Return whether a value is a whole number, not below the least one."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def within(value: object, top: float) -> bool:
    """Return whether a value is a number above 0, up to the top."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= top
