"""``cyclevos first-mask``: the mask of one frame, or of a picture, from points and boxes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cyclevos.cli.first_files import is_file_of_its_own, segment_command
from cyclevos.cli.options import Device, Dtype, DtypeName, Overwrite, Source
from cyclevos.cli.prompt_options import BoxOption, NotPoint, Point, PrompterOption
from cyclevos.errors import PromptError
from cyclevos.prompts.settings import PromptSettings
from cyclevos.prompts.syntax import read_prompts
from cyclevos.words import counted, objects_text

if TYPE_CHECKING:
    from cyclevos.prompts.prompts import VideoPrompts


def first_mask(
    source: Source,
    output: Annotated[
        Path,
        typer.Option(
            help="The mask's file (.png), for the first frame; or a folder for the mask, named after its frame, and "
            "the picture."
        ),
    ],
    point: Point = None,
    not_point: NotPoint = None,
    box: BoxOption = None,
    at: Annotated[
        int | None, typer.Option(min=0, help="Index of the frame, from 0; by default the one that the prompts name.")
    ] = None,
    prompter: PrompterOption = "default",
    device: Device = "auto",
    dtype: Dtype = DtypeName.auto,
    deinterlace: Annotated[
        bool, typer.Option("--deinterlace", help="Make the frame of an interlaced video from one of its two fields.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Make the mask of one frame from points and boxes, and a picture that shows it.

    Says which command segments the video from it.
    """
    prompts = read_prompts(point or (), not_point or (), box or (), at or 0)
    if not prompts:
        raise typer.BadParameter(
            "nothing says where the object is. Point at it (--point X,Y), or give a box around it (--box X0,Y0,X1,Y1).",
            param_hint="--point or --box",
        )
    index = _frame_of(prompts, at)
    from cyclevos.files.names import safe_name
    from cyclevos.media.blank_mask import beside, in_folder, refuse_source, write_first_mask
    from cyclevos.media.open_source import open_source
    from cyclevos.media.overlay import blend
    from cyclevos.propagation.prompted import check_found, prompted_masks, warn_of_empty

    opened = open_source(source, deinterlace=deinterlace)
    single = is_file_of_its_own(output, index)
    frame = opened.frame(index)
    places = beside(output) if single else in_folder(output, frame)
    refuse_source(places, opened)
    loaded = PromptSettings(prompts, prompter).load(device, dtype.value)
    ids = prompted_masks(loaded, prompts, lambda _: frame.image, {})[index]
    warn_of_empty(prompts, {index: ids})
    check_found({index: ids})
    write_first_mask(blend(frame.image, ids), ids, places, overwrite=overwrite)
    for object_id in sorted(prompts[index]):
        share = float((ids == object_id).mean())
        typer.echo(f"{objects_text((object_id,)).capitalize()}: {counted(int((ids == object_id).sum()), 'pixel')}, "
                   f"{share:.1%} of frame {index}.")  # fmt: skip
    typer.echo(f"Mask: {places.mask}. How it looks: {places.picture}")
    folder = f"{safe_name(opened.name, 'video')}-masks"
    then = segment_command(source, ["--masks", places.masks], folder, index, deinterlace=deinterlace)
    typer.echo(f"\nThen: {then}")


def _frame_of(prompts: VideoPrompts, at: int | None) -> int:
    """Return the index of the only frame with prompts.

    Raises:
        PromptError: there are several, or it is not the one asked for.
    """
    named: list[int] = sorted({*prompts, *(() if at is None else (at,))})
    if len(named) > 1:
        raise PromptError(
            f"The points and boxes are of frames {', '.join(map(str, named))}; expected one frame.",
            "Run the command once for each frame, or give all of them to cyclevos segment.",
        )
    return named[0]
