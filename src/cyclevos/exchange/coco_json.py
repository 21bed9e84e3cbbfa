"""Reading COCO and YouTube-VIS JSON: run-length codes or polygons, objects distinguished by track."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from cyclevos.errors import MaskError
from cyclevos.exchange import run_length
from cyclevos.exchange.track import MaskFrame, MaskTrack, merge_objects
from cyclevos.media.appearance import Appearance
from cyclevos.naming import size_text
from cyclevos.words import counted


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class _RunLength(_Model):
    size: tuple[int, int]
    counts: str | list[int]


_Segmentation = _RunLength | list[list[float]]


class _Category(_Model):
    id: int
    name: str = ""


class _Image(_Model):
    id: int
    file_name: str
    height: int
    width: int
    frame_index: int | None = None
    video_id: int | None = None


class _Annotation(_Model):
    image_id: int
    category_id: int = 0
    track_id: int | None = None
    segmentation: _Segmentation


class _Video(_Model):
    id: int
    name: str = ""
    file_names: list[str] | None = None
    height: int | None = None
    width: int | None = None


class _Track(_Model):
    id: int
    video_id: int
    category_id: int = 0
    track_id: int | None = None
    segmentations: list[_Segmentation | None]


class _Info(_Model):
    palette: str | None = None


class _Coco(_Model):
    info: _Info = _Info()
    videos: list[_Video] = []
    images: list[_Image]
    annotations: list[_Annotation] = []
    categories: list[_Category] = []


class _YoutubeVis(_Model):
    info: _Info = _Info()
    videos: list[_Video]
    annotations: list[_Track] | None = None
    categories: list[_Category] = []


class _Piece(NamedTuple):
    """One object in one frame."""

    object_id: int
    segmentation: _Segmentation


def read_json(path: Path, *, video: str | None = None, overlap: str = "error") -> MaskTrack:
    """Read a COCO or a YouTube-VIS file.

    Args:
        path: the JSON file.
        video: name of the video, if the file holds several.
        overlap: see :func:`cyclevos.exchange.track.merge_objects`.

    Returns:
        The masks; each is decoded and checked when its frame's turn comes.

    Raises:
        MaskError: the file is neither, or ambiguous.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise MaskError(f"{path} cannot be read as JSON ({error}).", "Give a COCO or YouTube-VIS file.") from error
    if not isinstance(content, dict) or not ("images" in content or "videos" in content):
        raise MaskError(
            f'{path} has neither "images" (COCO) nor "videos" (YouTube-VIS).', "Give a COCO or YouTube-VIS file."
        )
    try:
        if content.get("images"):
            return _from_coco(_Coco.model_validate(content), path, video, overlap)
        return _from_youtube_vis(_YoutubeVis.model_validate(content), path, video, overlap)
    except ValidationError as error:
        first, places = error.errors()[0], counted(error.error_count(), "such place")
        raise MaskError(
            f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']} ({places}).",
            "Correct the file or export it again.",
        ) from error


def _from_coco(coco: _Coco, path: Path, video: str | None, overlap: str) -> MaskTrack:
    chosen = _chosen(coco.videos, path, video)
    images = [image for image in coco.images if chosen is None or image.video_id in (None, chosen.id)]
    if not images:
        raise MaskError(f"{path} holds no image of the video; expected at least one.", "Check video_id of its images.")
    by_image: dict[int, list[_Annotation]] = {image.id: [] for image in images}
    known = {image.id for image in coco.images}
    for annotation in coco.annotations:
        if annotation.image_id not in known:
            raise MaskError(
                f"{path}: an annotation belongs to image {annotation.image_id}, which is not among its images.",
                "Add the image or remove the annotation.",
            )
        if annotation.image_id in by_image:
            by_image[annotation.image_id].append(annotation)
    pieces, owners = _coco_objects(by_image, path)
    if all(image.frame_index is not None for image in images):
        images.sort(key=lambda image: image.frame_index or 0)
    numbers = [image.frame_index if image.frame_index is not None else k for k, image in enumerate(images)]
    if len(set(numbers)) < len(numbers):
        raise MaskError(f"{path}: two images have the same frame_index.", "Give each image a frame_index of its own.")

    def frames() -> Iterator[MaskFrame]:
        for number, image in zip(numbers, images, strict=True):
            name = Path(image.file_name).stem
            yield _frame(number, name, pieces[image.id], (image.height, image.width), path, overlap)

    names = _names(owners, coco.categories)
    return MaskTrack(chosen.name if chosen else "", frames, Appearance(_palette(coco.info, path), names))


def _coco_objects(
    by_image: Mapping[int, Sequence[_Annotation]], path: Path
) -> tuple[dict[int, list[_Piece]], dict[int, int]]:
    """Tell objects apart: by track, else by category, else, if only one frame has annotations, by their order.

    Returns:
        The objects of each image by image id, and the category of each object by object id.
    """
    everything = [annotation for each in by_image.values() for annotation in each]
    tracked = all(annotation.track_id is not None for annotation in everything)
    unique = all(len({a.category_id for a in each}) == len(each) for each in by_image.values())
    marked = [each for each in by_image.values() if each]
    if not tracked and not unique and len(marked) > 1:
        raise MaskError(
            f"{path}: annotations have no track_id, and an image has several of one category, so objects cannot be "
            "matched between frames.",
            "Add track_id to every annotation.",
        )
    if not tracked and not unique:
        numbered = {id(annotation): k for k, annotation in enumerate(marked[0], start=1)}
        keys = [numbered[id(annotation)] for annotation in everything]
    else:
        keys = [(a.track_id if tracked else a.category_id) or 0 for a in everything]
    numbers = _object_ids(keys, path)
    position = iter(keys)
    pieces: dict[int, list[_Piece]] = {}
    owners: dict[int, int] = {}
    for image_id, each in by_image.items():
        pieces[image_id] = [_Piece(numbers[next(position)], annotation.segmentation) for annotation in each]
        owners.update(zip((p.object_id for p in pieces[image_id]), (a.category_id for a in each), strict=True))
    return pieces, owners


def _from_youtube_vis(content: _YoutubeVis, path: Path, video: str | None, overlap: str) -> MaskTrack:
    chosen = _chosen(content.videos, path, video)
    if chosen is None or not chosen.file_names:
        raise MaskError(
            f"{path} holds no video with file_names.", "Give a YouTube-VIS file, whose videos list their file_names."
        )
    files = chosen.file_names
    tracks = [track for track in content.annotations or [] if track.video_id == chosen.id]
    for track in tracks:
        if len(track.segmentations) != len(files):
            raise MaskError(
                f"{path}: object {track.id} has {counted(len(track.segmentations), 'segmentation')}, but its video "
                f"has {counted(len(files), 'frame')}.",
                "Give one segmentation per frame, null where the object is not visible.",
            )
    keys = [track.id if track.track_id is None else track.track_id for track in tracks]
    if len(set(keys)) < len(keys):
        raise MaskError(f"{path}: two tracks of one video have the same id.", "Give each track an id of its own.")
    numbers = _object_ids(keys, path)
    size = _video_size(chosen, tracks, path)

    def frames() -> Iterator[MaskFrame]:
        for index, file in enumerate(files):
            given = zip(keys, (track.segmentations[index] for track in tracks), strict=True)
            pieces = [_Piece(numbers[key], segmentation) for key, segmentation in given if segmentation is not None]
            yield _frame(index, Path(file).stem, pieces, size, path, overlap)

    owners = {numbers[key]: track.category_id for key, track in zip(keys, tracks, strict=True)}
    appearance = Appearance(_palette(content.info, path), _names(owners, content.categories))
    return MaskTrack(chosen.name, frames, appearance)


def _video_size(video: _Video, tracks: Sequence[_Track], path: Path) -> tuple[int, int]:
    if video.height is not None and video.width is not None:
        return video.height, video.width
    for track in tracks:
        for segmentation in track.segmentations:
            if isinstance(segmentation, _RunLength):
                return segmentation.size
    raise MaskError(f"{path}: the video {video.name} has no height and width.", "Add both to the video's entry.")


def _chosen(videos: Sequence[_Video], path: Path, name: str | None) -> _Video | None:
    named = [video for video in videos if name is None or video.name == name]
    if len(named) > 1 or (name is not None and not named):
        known = ", ".join(sorted(video.name or f"(id {video.id})" for video in videos)) or "none"
        raise MaskError(
            f"{path} holds {counted(len(videos), 'video')}: {known}.",
            f"Take one out: cyclevos convert {path} --video NAME --to coco --output ONE.json.",
        )
    return named[0] if named else None


def _object_ids(keys: Sequence[int], path: Path) -> dict[int, int]:
    """Keep the numbers if all can be ids of a mask; otherwise renumber the objects from 1 in rising order."""
    distinct = sorted(set(keys))
    if len(distinct) > 255:
        raise MaskError(
            f"{path} holds {len(distinct)} objects, but a mask can hold 255.", "Split the objects into several files."
        )
    fit = all(1 <= key <= 255 for key in distinct)
    return {key: key if fit else k for k, key in enumerate(distinct, start=1)}


def _names(owners: Mapping[int, int], categories: Sequence[_Category]) -> dict[int, str]:
    """Name each object after its category, with the object's id where several objects share the category."""
    names = {category.id: category.name for category in categories}
    shared = list(owners.values())
    return {
        object_id: names[category] if shared.count(category) == 1 else f"{names[category]} {object_id}"
        for object_id, category in sorted(owners.items())
        if names.get(category) and names[category] not in ("object", f"object {object_id}")
    }


def _palette(info: _Info, path: Path) -> bytes | None:
    if info.palette is None:
        return None
    try:
        palette = bytes.fromhex(info.palette)
    except ValueError:
        palette = b""
    if len(palette) != 768:
        raise MaskError(
            f"{path}: info.palette is not a palette of 768 bytes as hexadecimal digits.", "Correct it or remove it."
        )
    return palette


def _frame(
    index: int, name: str, pieces: Sequence[_Piece], size: tuple[int, int], path: Path, overlap: str
) -> MaskFrame:
    where = f"{path}, frame {name}"
    run_length.check_size(size, where)
    masks: list[tuple[int, Any]] = []
    for piece in pieces:
        label = f"{where}, object {piece.object_id}"
        if isinstance(piece.segmentation, _RunLength):
            if piece.segmentation.size != size:
                raise MaskError(
                    f"{label}: the mask is {size_text(piece.segmentation.size)}, but the frame is {size_text(size)} "
                    "(width x height).",
                    "Correct the sizes or export the file again.",
                )
            masks.append((piece.object_id, run_length.decode(piece.segmentation.counts, size, label)))
        else:
            masks.append((piece.object_id, run_length.from_polygons(piece.segmentation, size, label)))
    return MaskFrame(index, name, merge_objects(masks, size, where, overlap))
