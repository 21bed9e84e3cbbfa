"""``cyclevos weights``: the table of named networks and prompters; fetches their weights and says where they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cyclevos.cli.completion import complete_weights

if TYPE_CHECKING:
    from rich.table import Table

weights_app = typer.Typer(
    help="List networks and prompters with names, fetch their weights, and say where they are.",
    invoke_without_command=True,
)

Names = Annotated[
    list[str],
    typer.Argument(metavar="NAME...", help="Names, or hf:// addresses.", autocompletion=complete_weights),
]


OfPrompters = Annotated[
    bool, typer.Option("--prompter", help="The names are those of prompters; `default` is also a network's name.")
]


@weights_app.callback()
def table(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """List networks and prompters with names: family, size, licences, published figures, what is on this machine."""
    if context.invoked_subcommand is not None:
        return
    rows = _rows()
    if json:
        from json import dumps

        typer.echo(dumps(rows, indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    console = Console()
    console.print(_table(rows))
    for number, source in enumerate(_sources(rows), start=1):
        console.print(f"[{number}] {source}", markup=False, highlight=False)


@weights_app.command()
def fetch(names: Names, prompter: OfPrompters = False) -> None:
    """Download weights to this machine, unless they are there, and print their paths.

    No network is loaded, so this works before the extra is installed.
    """
    from cyclevos.network.locating import fetch as fetch_weights
    from cyclevos.network.locating import locate
    from cyclevos.network.registry import NETWORK, PROMPTER, missing_extra

    use = PROMPTER if prompter else NETWORK
    for found in [locate(name, use) for name in names]:  # a misspelt name is found before anything is downloaded
        fetched = fetch_weights(found, extra=False)
        typer.echo(str(fetched.path))
        missing = None if fetched.known_family is None else missing_extra(fetched.known_family)
        if missing is not None:
            typer.echo(str(missing), err=True)


@weights_app.command()
def path(
    name: Annotated[str, typer.Argument(help="Name, or hf:// address.", autocompletion=complete_weights)],
    prompter: OfPrompters = False,
) -> None:
    """Print where weights are on this machine; nothing is downloaded."""
    from cyclevos.network.locating import locate
    from cyclevos.network.registry import NETWORK, PROMPTER

    typer.echo(str(locate(name, PROMPTER if prompter else NETWORK).on_disk()))


def _rows() -> list[dict[str, Any]]:
    """Return a row for each name, of values that JSON can hold."""
    from cyclevos.network.locating import locate
    from cyclevos.network.registry import families, missing_extra

    rows = []
    for family in families():
        missing = missing_extra(family)
        for each in family.weights:
            here = locate(each.name, family.uses[0]).path
            rows.append(
                {
                    "name": each.name,
                    "family": family.name,
                    "options": [use.option for use in family.uses],
                    "purpose": each.purpose,
                    "parameters": each.parameters,
                    "bytes": each.size,
                    "code_licence": each.code_licence,
                    "weights_licence": each.weights_licence,
                    "figures": [vars(figure) for figure in each.figures],
                    "path": None if here is None else str(here),
                    "fetched": not each.on_request,
                    "extra": family.extra,
                    "extra_installed": missing is None,
                    "install": None if missing is None else missing.remedy,
                }
            )
    return rows


def _sources(rows: list[dict[str, Any]]) -> list[str]:
    """Return the sources of all figures, each once, in the order of the table."""
    return list(dict.fromkeys(figure["source"] for row in rows for figure in row["figures"]))


def _table(rows: list[dict[str, Any]]) -> Table:
    """Return the table for people; what is long stands in one column, so that it fits 80 columns."""
    from rich.table import Table
    from rich.text import Text

    sources = _sources(rows)
    shown = Table(pad_edge=False, show_lines=True)
    shown.add_column("name", no_wrap=True)
    shown.add_column("family", no_wrap=True)
    shown.add_column("on this machine", max_width=15)
    shown.add_column("what it is")
    for row in rows:
        about = "\n".join(part for part in _about(row, sources) if part)
        cells = (row["name"], row["family"], _state(row), about)
        shown.add_row(*(Text(cell) for cell in cells))  # as text, because brackets would be markup
    return shown


def _about(row: dict[str, Any], sources: list[str]) -> Iterator[str]:
    """Yield lines on weights: purpose, options, size, licences, and figures with the number of their source."""
    yield row["purpose"]
    yield f"for {' and '.join(row['options'])}"
    parameters = "" if row["parameters"] is None else f"{row['parameters'] / 1e6:.1f} M parameters"
    size = "" if row["bytes"] is None else f"{row['bytes'] / 1e6:,.0f} MB"
    yield ", ".join(part for part in (parameters, size) if part)
    yield f"code: {row['code_licence'] or 'unknown'}; weights: {row['weights_licence'] or 'unknown'}"
    yield ", ".join(
        f"{each['dataset']} {each['measure']} {each['value']} [{sources.index(each['source']) + 1}]"
        for each in row["figures"]
    )


def _state(row: dict[str, Any]) -> str:
    """Say in words whether weights can be used here."""
    here = "yes" if row["path"] else "no" if row["fetched"] else "no, ask the authors"
    if row["extra_installed"]:
        return here
    return f"{here}; needs the extra {row['extra']}" if row["extra"] else f"{here}; {row['install']}"
