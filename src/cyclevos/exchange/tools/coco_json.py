"""Reading COCO and YouTube-VIS JSON: run-length codes or polygons, objects distinguished by track."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cyclevos.errors import MaskError
from cyclevos.exchange.contents.annotations import AnnotatedFrame, Region, to_track
from cyclevos.exchange.contents.json_models import CodeRecord, JsonRecord, validated
from cyclevos.exchange.contents.shapes import Polygons, Shape
from cyclevos.exchange.contents.text_files import read_json_file
from cyclevos.exchange.format import ReadOptions
from cyclevos.exchange.track import MaskTrack
from cyclevos.words import counted

_Segmentation = CodeRecord | list[list[float]]


class _Category(JsonRecord):
    id: int
    name: str = ""


class _Image(JsonRecord):
    id: int
    file_name: str
    height: int
    width: int
    frame_index: int | None = None
    video_id: int | None = None


class _Attributes(JsonRecord):
    track_id: int | None = None


class _Annotation(JsonRecord):
    image_id: int
    category_id: int = 0
    track_id: int | None = None
    attributes: _Attributes = _Attributes()
    segmentation: _Segmentation

    @property
    def track(self) -> int | None:
        """The object's number in every image; CVAT writes it among the attributes."""
        return self.attributes.track_id if self.track_id is None else self.track_id


class _Video(JsonRecord):
    id: int
    name: str = ""
    file_names: list[str] | None = None
    height: int | None = None
    width: int | None = None


class _Track(JsonRecord):
    id: int
    video_id: int
    category_id: int = 0
    track_id: int | None = None
    segmentations: list[_Segmentation | None]

    @property
    def key(self) -> int:
        """The object's number in the video."""
        return self.id if self.track_id is None else self.track_id


class _Info(JsonRecord):
    palette: str | None = None


class _Coco(JsonRecord):
    info: _Info = _Info()
    videos: tuple[_Video, ...] = ()
    images: list[_Image]
    annotations: tuple[_Annotation, ...] = ()
    categories: tuple[_Category, ...] = ()


class _YoutubeVis(JsonRecord):
    info: _Info = _Info()
    videos: list[_Video]
    annotations: list[_Track] | None = None
    categories: tuple[_Category, ...] = ()


def read_json(path: Path, options: ReadOptions) -> MaskTrack:
    """Read a COCO or a YouTube-VIS file.

    Args:
        path: the JSON file.
        options: how to read; its ``video`` and ``overlap`` count.

    Returns:
        The masks; each is decoded and checked when its frame's turn comes.

    Raises:
        MaskError: the file is neither, or ambiguous.
    """
    content = read_json_file(path, "Give a COCO or YouTube-VIS file.")
    if not isinstance(content, dict) or not ("images" in content or "videos" in content):
        raise MaskError(
            f'{path} has neither "images" (COCO) nor "videos" (YouTube-VIS).', "Give a COCO or YouTube-VIS file."
        )
    if content.get("images"):
        return _from_coco(validated(_Coco, content, path), path, options)
    return _from_youtube_vis(validated(_YoutubeVis, content, path), path, options)


def _from_coco(coco: _Coco, path: Path, options: ReadOptions) -> MaskTrack:
    chosen = _chosen(coco.videos, path, options.video)
    images = [image for image in coco.images if chosen is None or image.video_id in (None, chosen.id)]
    if not images:
        raise MaskError(f"{path} holds no image of the video; expected at least one.", "Check video_id of its images.")
    regions: dict[int, list[Region]] = {image.id: [] for image in coco.images}
    for annotation in coco.annotations:
        if annotation.image_id not in regions:
            raise MaskError(
                f"{path}: an annotation belongs to image {annotation.image_id}, which is not among its images.",
                "Add the image or remove the annotation.",
            )
        regions[annotation.image_id].append(
            Region(_shape(annotation.segmentation), annotation.category_id, annotation.track)
        )
    frames = [
        AnnotatedFrame(image.file_name, (image.height, image.width), regions[image.id], image.frame_index)
        for image in images
    ]
    if any(frame.index is None for frame in frames):
        frames = [replace(frame, index=None) for frame in frames]
    name, palette = chosen.name if chosen else "", _palette(coco.info, path)
    return to_track(frames, path, options, video=name, labels=_labels(coco.categories), palette=palette)


def _from_youtube_vis(content: _YoutubeVis, path: Path, options: ReadOptions) -> MaskTrack:
    chosen = _chosen(content.videos, path, options.video)
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
    if len({track.key for track in tracks}) < len(tracks):
        raise MaskError(f"{path}: two tracks of one video have the same id.", "Give each track an id of its own.")
    size = _video_size(chosen, tracks, path)
    frames = [
        AnnotatedFrame(
            file,
            size,
            [
                Region(_shape(segmentation), track.category_id, track.key)
                for track in tracks
                if (segmentation := track.segmentations[k]) is not None
            ],
        )
        for k, file in enumerate(files)
    ]
    palette = _palette(content.info, path)
    return to_track(frames, path, options, video=chosen.name, labels=_labels(content.categories), palette=palette)


def _video_size(video: _Video, tracks: Sequence[_Track], path: Path) -> tuple[int, int]:
    if video.height is not None and video.width is not None:
        return video.height, video.width
    for track in tracks:
        for segmentation in track.segmentations:
            if isinstance(segmentation, CodeRecord):
                return segmentation.size
    raise MaskError(f"{path}: the video {video.name} has no height and width.", "Add both to the video's entry.")


def _chosen(videos: Sequence[_Video], path: Path, name: str | None) -> _Video | None:
    named = [video for video in videos if name is None or video.name == name]
    if len(named) > 1 or (name is not None and not named):
        known = ", ".join(sorted(video.name or f"(id {video.id})" for video in videos)) or "none"
        unknown = "" if name is None or named else f", and none is named {name}"
        raise MaskError(
            f"{path} holds {counted(len(videos), 'video')}: {known}{unknown}.",
            f"Take one out: cyclevos convert {path} --video NAME --to coco --output ONE.json.",
        )
    return named[0] if named else None


def _shape(segmentation: _Segmentation) -> Shape:
    if isinstance(segmentation, CodeRecord):
        return segmentation.shape()
    return Polygons(segmentation)


def _labels(categories: Sequence[_Category]) -> dict[int, str]:
    return {category.id: category.name for category in categories}


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
