"""Whose results a folder holds: continue the same run, refuse another one's, remove only our own.

A run leaves `run.json` with its signature (what it was made from) and the names of its other results; once it has
ended, also with the number of its frames.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyclevos.errors import OutputError
from cyclevos.files.atomic import check_folder, output_errors, replacing
from cyclevos.media.writers import is_finished_mask

RUN_FILE = "run.json"

_TOOL = "cyclevos"

TIMELINE = "timeline.png"
"""A picture that is no mask: it lies in a folder of its own."""


class OtherRunError(OutputError):
    """The folder holds the results of another run, which were not to be replaced."""


def check_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Refuse a folder that holds the results of other settings; a part of what :func:`prepare_output` asks.

    Args:
        folder: of the results; it may not exist yet.
        settings: some of the signature's values.

    Raises:
        OtherRunError: one of them differs there.
        OutputError: its run.json is not ours.
    """
    with output_errors(folder / RUN_FILE):
        run, _ = _owner(folder)
    if run is not None:
        expected = {**run["signature"], **_as_json(settings)}
        if expected != run["signature"]:
            raise _other_run(folder, run, expected)


def check_output(
    folder: str | Path,
    *,
    overwrite: bool,
    expected_signature: Mapping[str, Any],
    outputs: Sequence[str] = (),
) -> set[str]:
    """Tell what a run finds in a folder; nothing there is changed, so that the run's inputs can be checked next.

    Args:
        folder: see :func:`prepare_output`, as the rest.
        overwrite: another run's results will be removed instead of refusing.
        expected_signature: what the results follow from.
        outputs: names within the folder of the run's other results.

    Returns:
        Names of the frames whose masks are finished; empty for a new run.

    Raises:
        OutputError: as prepare_output.
    """
    folder = Path(folder)
    check_folder(folder)
    with output_errors(folder / RUN_FILE):
        return _look(folder, overwrite, _as_json(expected_signature), outputs).finished()


def prepare_output(
    folder: str | Path,
    *,
    overwrite: bool,
    expected_signature: Mapping[str, Any],
    outputs: Sequence[str] = (),
) -> set[str]:
    """Make a folder ready for a run's results.

    Args:
        folder: where the masks go; made if need be.
        overwrite: remove results of another run, or of the same one if that has ended, instead of refusing. Only
            what cyclevos wrote is removed; files of the names of `outputs` that no run wrote are refused all the same.
        expected_signature: what the results follow from (source, masks' checksum, options), as JSON values.
        outputs: names within the folder of the run's other results: files, or folders of probabilities.

    Returns:
        Names of the frames whose masks are finished; empty for a new run.

    Raises:
        OtherRunError: the folder holds results of another run.
        OutputError: it holds pictures of other origin, or cannot be written.
    """
    folder = Path(folder)
    check_folder(folder)
    signature = _as_json(expected_signature)
    with output_errors(folder / RUN_FILE):
        folder.mkdir(parents=True, exist_ok=True)
        found = _look(folder, overwrite, signature, outputs)
        for leftover in folder.glob(".*.tmp"):
            leftover.unlink()
        if not found.same:
            _remove_results(folder, found.pngs, found.run)
    # From here on it is not finished, even where an earlier run was: something of that is missing.
    _write_run(folder, {"tool": _TOOL, "signature": signature, "outputs": sorted(outputs)})
    return found.finished()


def mark_finished(folder: Path, frames: int) -> None:
    """Note that the run a folder belongs to has ended, and with how many frames.

    Raises:
        OutputError: the system refuses to write.
    """
    with output_errors(folder / RUN_FILE):
        run = _read_run(folder)
    if run is not None and run.get("finished") != frames:
        _write_run(folder, {**run, "finished": frames})


def finished_count(folder: Path) -> int | None:
    """Return the number of frames of a folder's run if it has ended, else None.

    Raises:
        OutputError: its run.json is not ours.
    """
    with output_errors(folder / RUN_FILE):
        count = (_read_run(folder) or {}).get("finished")
    return count if isinstance(count, int) else None


@dataclass(frozen=True)
class _Found:
    """What lies in a folder: the run it belongs to, if any, its pictures, and whether the run is the same."""

    run: dict[str, Any] | None
    pngs: list[Path]
    same: bool

    def finished(self) -> set[str]:
        return {path.stem for path in self.pngs if is_finished_mask(path)} if self.same else set()


def _owner(folder: Path) -> tuple[dict[str, Any] | None, list[Path]]:
    """Return the run whose results a folder holds, and its pictures."""
    run = _read_run(folder)
    pngs = sorted(path for path in folder.glob("*.png") if not path.name.startswith("."))
    if run is not None and not pngs and not any((folder / name).exists() for name in run["outputs"]):
        run = None  # it was stopped before its first result, say by a misspelt option: nothing to keep
    return run, pngs


def _look(folder: Path, overwrite: bool, signature: dict[str, Any], outputs: Sequence[str]) -> _Found:
    run, pngs = _owner(folder)
    same = run is not None and _is_same(run, signature) and not (overwrite and "finished" in run)
    if not same:
        _refuse_others(folder, [] if overwrite else pngs, run, outputs, None if overwrite else signature)
    return _Found(run, pngs, same)


def allow_change(folder: Path, expected_signature: Mapping[str, Any], key: str) -> None:
    """Let a run that stopped go on with another value of one part of its signature: what was broken gets repaired.

    Nothing happens where the folder belongs to another run.

    Raises:
        OutputError: the system refuses to write.
    """
    with output_errors(folder / RUN_FILE):
        run = _read_run(folder)
    if run is not None and run["signature"] == _as_json(expected_signature):
        _write_run(folder, {**run, "may_change": key})


def _is_same(run: dict[str, Any], signature: dict[str, Any]) -> bool:
    key = str(run.get("may_change", ""))
    return bool({**run["signature"], key: None} == {**signature, key: None})


def _write_run(folder: Path, run: Mapping[str, Any]) -> None:
    with replacing(folder / RUN_FILE) as temporary:
        temporary.write_text(json.dumps(dict(run), indent=2) + "\n", encoding="utf-8", newline="\n")


def _as_json(signature: Mapping[str, Any]) -> dict[str, Any]:
    """Return a signature as it reads once it was written."""
    return dict(json.loads(json.dumps(dict(signature))))


def _read_run(folder: Path) -> dict[str, Any] | None:
    """Return the run a folder belongs to, if any.

    Raises:
        OutputError: its run.json is not ours.
    """
    path = folder / RUN_FILE
    if not path.exists():
        return None
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        if run["tool"] == _TOOL and isinstance(run["signature"], dict) and isinstance(run["outputs"], list):
            return dict(run)
    except (ValueError, KeyError, TypeError):
        pass
    raise OutputError(
        f"{path} was not written by cyclevos, so {folder} belongs to something else. Choose another output folder."
    )


def _refuse_others(
    folder: Path,
    pngs: list[Path],
    run: dict[str, Any] | None,
    outputs: Sequence[str],
    signature: dict[str, Any] | None,
) -> None:
    """Refuse what must stay: pictures, another run's results unless it is to be replaced, and files of no run."""
    if run is not None and signature is not None:
        raise _other_run(folder, run, signature)
    foreign = [name for name in outputs if (folder / name).exists() and name not in (run["outputs"] if run else ())]
    if foreign:
        raise OutputError(
            f"{folder} holds {', '.join(foreign)}, and no {RUN_FILE} there says that cyclevos wrote it. This run's own "
            "results have that name, and even --overwrite leaves what others made: choose another folder, or move it "
            "away."
        )
    if pngs:
        shown = ", ".join(path.name for path in pngs[:3]) + (", ..." if len(pngs) > 3 else "")
        raise OutputError(
            f"{folder} already holds {len(pngs)} results or pictures of unknown origin: {shown}. Choose "
            "another folder, or use --overwrite to replace those that cyclevos wrote (others stay)."
        )


def _other_run(folder: Path, run: dict[str, Any], signature: dict[str, Any]) -> OtherRunError:
    different = _differences(run["signature"], signature)
    formats = {**run["signature"], "save": None} == {**signature, "save": None}
    return OtherRunError(
        f"{folder} holds the results of another run; different are {different}. Repeat the same command "
        "to continue that run, choose another folder, or use --overwrite to replace its results."
        + (" Masks that are there become other formats with cyclevos convert." if formats else "")
    )


def _remove_results(folder: Path, pngs: list[Path], run: dict[str, Any] | None) -> None:
    for path in pngs:  # run.json last, when it is replaced: after a kill the rest still has an owner
        if is_finished_mask(path):
            path.unlink()
    for name in run["outputs"] if run else ():
        path = folder / Path(name).name  # a name, whatever the file says: nothing outside the folder
        if path.is_dir():
            for file in path.iterdir():
                if file.name == TIMELINE or (file.suffix == ".npz" and _is_our_npz(file)):
                    file.unlink()
            if not any(path.iterdir()):
                path.rmdir()
        else:
            path.unlink(missing_ok=True)
            path.with_name(f"{path.name}.partial").unlink(missing_ok=True)


def _is_our_npz(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return set(archive.namelist()) == {"probabilities.npy", "object_ids.npy"}
    except (zipfile.BadZipFile, OSError):
        return False


def _differences(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Write "options.size (480 there, 240 now)" for everything that differs."""
    before, now = _flat(old), _flat(new)
    keys = [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
    texts = [f"{key} ({before.get(key, 'nothing')} there, {now.get(key, 'nothing')} now)" for key in keys]
    return ", ".join(texts[:6]) + (", ..." if len(texts) > 6 else "")


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = json.dumps(value)
    return flat
