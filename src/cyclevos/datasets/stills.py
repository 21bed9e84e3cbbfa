"""Still images with object masks: which image has which mask, and sets of them as a data set."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cyclevos.datasets.layouts import Dataset, Sequence
from cyclevos.errors import DatasetError
from cyclevos.naming import by_frame_name, list_folders, list_frames, list_masks

IMAGES_FOLDER, MASKS_FOLDER = "images", "masks"


def still_pairs(root: Path, images: str = IMAGES_FOLDER, masks: str = MASKS_FOLDER) -> list[tuple[Path, Path]]:
    """Return the images of a set with their masks, in natural order; images without a mask are left out.

    Args:
        root: the folder that holds both folders.
        images: name of the folder of images.
        masks: name of the folder of masks; each is named like its image.

    Raises:
        DatasetError: a folder is missing, or no image has a mask.
    """
    folders = (root / images, root / masks)
    for folder in folders:
        if not folder.is_dir():
            raise DatasetError(
                f"{folder} is not a folder. A set of stills has a folder of images and one of masks.",
                "Check the names of the folders.",
            )
    found = by_frame_name(list_masks(folders[1], DatasetError), DatasetError)
    pairs = [
        (image, found[image.stem])
        for image in list_frames(folders[0], DatasetError)
        if image.stem in found and image != found[image.stem]
    ]
    if not pairs:
        raise DatasetError(
            f"{root}: no image in {images}/ has a mask of the same name in {masks}/.",
            "Give each mask the name of its image, with the ending .png.",
        )
    return pairs


def holds_stills(root: Path) -> bool:
    """Return whether a folder is a set of stills (`images` and `masks`), or holds such sets."""
    return root.is_dir() and bool(_sets(root))


def open_stills(root: Path, sequences: Iterable[str] | None = None) -> Dataset:
    """Open one or several sets of stills; each set is a sequence, and each of its images an annotated frame.

    Args:
        root: a set, or a folder of sets.
        sequences: names of the sets to keep; None = all.

    Raises:
        DatasetError: there is no set, a set has no image with a mask, or a name is unknown.
    """
    folders = _sets(root) if root.is_dir() else []
    if not folders:
        raise DatasetError(
            f"{root} holds no stills; expected {IMAGES_FOLDER}/ and {MASKS_FOLDER}/ in it or in its folders.",
            "Check the path.",
        )
    named = {folder.resolve().name: still_pairs(folder) for folder in folders}
    dataset = Dataset(
        root.resolve().name,
        [
            Sequence(name, [image for image, _ in pairs], {image.stem: mask for image, mask in pairs})
            for name, pairs in named.items()
        ],
    )
    return dataset if sequences is None else dataset.select(sequences)


def _sets(root: Path) -> list[Path]:
    return [
        folder
        for folder in (root, *list_folders(root))
        if (folder / IMAGES_FOLDER).is_dir() and (folder / MASKS_FOLDER).is_dir()
    ]
