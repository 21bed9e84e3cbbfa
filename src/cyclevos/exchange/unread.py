"""Files that people give as masks and that are not read: what they are, and what to do about it."""

from __future__ import annotations

from cyclevos.errors import MaskError
from cyclevos.exchange.candidate import Candidate
from cyclevos.naming import VIDEO_SUFFIXES

_PAINT = "Export the mask from it as an indexed PNG, one colour per object, without anti-aliasing."
_VIDEO = "Make pictures of it, ffmpeg -i MASKS.mp4 -start_number 0 masks/%05d.png, and give that folder."
_KNOWN = {
    (".psd", ".xcf", ".kra", ".ora", ".clip", ".afphoto"): ("a painting program's own file", _PAINT),
    (".svg", ".ai", ".eps", ".pdf"): ("a drawing of lines", _PAINT),
    tuple(VIDEO_SUFFIXES): ("a video, whose compression blurs ids", _VIDEO),
    (".mat",): ("a MATLAB file", "Save the ids in Python: numpy.save('masks.npy', array), (H,W) or (T,H,W)."),
    (".pkl", ".pickle", ".pt", ".pth"): (
        "a Python pickle, which may run any code when it is opened",
        "Save the ids instead: numpy.save('masks.npy', array), (H,W) or (T,H,W).",
    ),
    (".nii", ".nrrd", ".mha", ".dcm"): (
        "a medical volume",
        "Save the ids in Python: numpy.save('masks.npy', array), (T,H,W).",
    ),
    (".csv", ".tsv", ".xlsx", ".parquet", ".tfrecord", ".lmdb"): (
        "a table, not masks",
        "Export COCO JSON or indexed PNGs from the tool that wrote it.",
    ),
    (".rar", ".7z", ".tar", ".gz", ".tgz"): ("an archive that is not opened", "Unpack it and give the folder."),
}


_POINTS_OF_LABELME = b"<pt>"


def _other_xml(given: Candidate) -> MaskError | None:
    """Return the error for the XML of pictures that tools other than CVAT write, one file per picture."""
    if not given.ending(".xml") or b"<annotation>" not in given.head:
        return None
    if _POINTS_OF_LABELME in given.head or b"<polygon>" in given.head:
        return MaskError(
            f"{given.path} is XML of the old LabelMe on the web, which is not read.",
            "Open it in CVAT (LabelMe 3.0) and export CVAT for images 1.1 or COCO JSON.",
        )
    return MaskError(
        f"{given.path} is PASCAL VOC's XML, which holds boxes and no masks.",
        "Export polygons or masks from the tool that wrote it, for example as COCO JSON.",
    )


def unknown_format(given: Candidate, remedy: str) -> MaskError:
    """Return the error for masks in no format that can be read.

    Args:
        given: the file or folder.
        remedy: what to give instead, where nothing better is known.
    """
    for suffixes, (what, instead) in _KNOWN.items():
        if given.ending(*suffixes) and len(given.ending(*suffixes)) == len(given.files):
            holds = "holds only" if given.is_folder else "is"
            return MaskError(f"{given.path} {holds} {what}, which cannot be read as masks.", instead)
    other = _other_xml(given)
    if other is not None:
        return other
    if given.is_folder:
        problem = f"{given.path} holds no PNG, nor folders of them, nor masks in another known format."
    else:
        problem = f"{given.path} is not recognised as any known format of masks."
    return MaskError(problem, remedy)
