"""The options of commands that adapt the network to a video first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cyclevos.cli.changed_values import parse_settings
from cyclevos.cli.options import NETWORK

if TYPE_CHECKING:
    from cyclevos.adaptation.settings import Adaptation

Adapt = Annotated[
    bool,
    typer.Option(
        "--adapt",
        help="Adapt the network to the video's own frames first, which helps on some videos and harms on others "
        "(experimental).",
        rich_help_panel=NETWORK,
    ),
]
AdaptSet = Annotated[
    list[str] | None,
    typer.Option(
        help="Adapt the network with one value changed, e.g. steps=40; may be given several times.",
        rich_help_panel=NETWORK,
    ),
]


def parsed_adaptation(settings: list[str] | None) -> Adaptation:
    """Return the default adaptation with the values of ``--adapt-set`` changed.

    Raises:
        ConfigError: a setting is not key=value, unknown or out of range.
    """
    from cyclevos.adaptation.settings import Adaptation

    return Adaptation.preset("default", **parse_settings(settings, "--adapt-set"))


def asked_adaptation(adapt: bool, settings: list[str] | None) -> Adaptation | None:
    """Return the adaptation that ``--adapt`` or ``--adapt-set``, which implies it, asks for; None without them.

    Raises:
        ConfigError: as :func:`parsed_adaptation`.
    """
    return parsed_adaptation(settings) if adapt or settings else None
