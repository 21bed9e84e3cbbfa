"""run.json: which run a folder belongs to, what that run follows from, and how another one differs from it."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cyclevos.errors import OutputError
from cyclevos.exchange.formats import RUN, offered
from cyclevos.exchange.object_names import RUN_FILE as RUN_FILE  # others take it from here
from cyclevos.files.atomic import output_errors, replacing, sync_folder
from cyclevos.media.writers import is_finished_mask
from cyclevos.words import listed

SOURCE, CONTENT = "source", "source_content"
"""Names of the source's path and of its content among the values of the identity."""

ADAPTATION = "adaptation"
"""Name of the adaptation's settings among the values of the identity, and of what came of it beside them."""

_UNNAMED = {ADAPTATION: None}  # values of runs that do not name them, because they are older than the setting
_CORRECTION = "correction"
_UNNAMED_SETTINGS = {_CORRECTION: {"prune": False}, ADAPTATION: {"decoder": True, "guard": False}}  # the same of these
_TOOL = "cyclevos"
_OWNER = f'"tool": "{_TOOL}"'.encode()
_AUTO = "auto"  # kept by version 0.1 as it was given; since then what it stood for is kept
_MOST_DIFFERENCES = 6
_LONGEST = 160  # characters of a list that a refusal shows


class OtherRunError(OutputError):
    """The folder holds the results of another run, which are not to be replaced."""


class DamagedRunError(OutputError):
    """The folder's run.json is damaged, so nobody knows which run its results belong to."""


@dataclass(frozen=True)
class Identity:
    """What a run's results follow from. The same identity continues a run, another one is refused.

    Attributes:
        values: by name, as JSON values, with every ``auto`` resolved.
        automatic: names of the values that the user left to ``auto``, the size only where it is the network's own. A
            run that continues keeps the ``dtype`` that it began with if that is one of them.
    """

    values: Mapping[str, Any]
    automatic: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Bring the values into the form in which JSON gives them back."""
        object.__setattr__(self, "values", json.loads(json.dumps(dict(self.values))))


@dataclass(frozen=True)
class RunRecord:
    """The content of a folder's run.json.

    Attributes:
        signature: the values of the run's identity.
        outputs: names within the folder of its results other than the masks.
        finished: number of frames, once the run has ended; None before.
        may_change: name of a value of the signature that may be another one when the run continues.
        extra: what else is recorded about the run; it does not change the run's identity.
    """

    signature: Mapping[str, Any]
    outputs: Sequence[str] = ()
    finished: int | None = None
    may_change: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> RunRecord | None:
        """Read a folder's record; None if it has none.

        Raises:
            DamagedRunError: the folder's run.json is ours, and damaged.
            OutputError: it is not ours, or cannot be read.
        """
        path = folder / RUN_FILE
        with output_errors(path):
            if not path.exists():
                return None
            text = path.read_bytes()
        try:
            run = json.loads(text)
            if run["tool"] == _TOOL and isinstance(run["signature"], dict) and isinstance(run["outputs"], list):
                known = {"tool", "signature", "outputs", "finished", "may_change"}
                return cls(
                    run["signature"],
                    tuple(map(str, run["outputs"])),
                    run["finished"] if isinstance(run.get("finished"), int) else None,
                    run.get("may_change"),
                    {key: value for key, value in run.items() if key not in known},
                )
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
        if _was_ours(text, folder):
            raise DamagedRunError(
                f"{path} is damaged: it is not the complete JSON that cyclevos wrote, so the settings of the run in "
                f"{folder} are lost.",
                "Use --overwrite to replace the results of that run, or choose another folder.",
            )
        raise OutputError(
            f"{path} was not written by cyclevos, so {folder} belongs to something else.",
            "Choose another output folder.",
        )

    def write(self, folder: Path) -> None:
        """Write it to a folder's run.json.

        Raises:
            OutputError: the system refuses to write.
        """
        run: dict[str, Any] = {
            "tool": _TOOL,
            "signature": self.signature,
            "outputs": sorted(self.outputs),
            **self.extra,
        }
        run |= {} if self.finished is None else {"finished": self.finished}
        run |= {} if self.may_change is None else {"may_change": self.may_change}
        path = folder / RUN_FILE
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(run, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())  # without run.json nobody knows whose the results are
        with output_errors(path):
            sync_folder(folder)


@dataclass(frozen=True)
class Comparison:
    """A run's recorded signature and that of the present run, each with every ``auto`` resolved.

    Attributes:
        there: the recorded values.
        now: the present ones.
        may_change: name of a value that may differ.
        finished: the recorded run has come to its end.
    """

    there: Mapping[str, Any]
    now: Mapping[str, Any]
    may_change: str | None = None
    finished: bool = False

    @classmethod
    def of(cls, record: RunRecord, identity: Identity, state_dtype: str | None, *, partly: bool = False) -> Comparison:
        """Compare a record with the identity of the present run.

        Args:
            record: of the folder.
            identity: of the present run.
            state_dtype: dtype of the state that the recorded run has left; None if it has left none.
            partly: the identity holds only some of the values; the others count as equal.
        """
        there, now = {**_UNNAMED, **record.signature}, dict(identity.values)
        for name, unnamed in _UNNAMED_SETTINGS.items():
            if isinstance(there.get(name), dict):
                there[name] = {**unnamed, **there[name]}
        if there.get("size") == _AUTO and "size" in identity.automatic:
            # It stood for the size of the weights, and other weights differ by themselves. Now it may be undecided yet.
            there["size"] = now.setdefault("size", _AUTO)
        if there.get("dtype") == _AUTO and (state_dtype is not None or "dtype" in identity.automatic):
            there["dtype"] = state_dtype or now["dtype"]
        if "dtype" in identity.automatic:
            now["dtype"] = there.get("dtype", now["dtype"])
        if _content(there.get("weights")) == _content(now.get("weights")) is not None:
            there["weights"] = now["weights"]  # the same file under another name
        now = {**(there if partly else _UNNAMED), **now}
        return cls(there, now, record.may_change, record.finished is not None)

    @property
    def same(self) -> bool:
        """Whether both are the same run."""
        free = {} if self.may_change is None else {self.may_change: None}
        return {**self.there, **free} == {**self.now, **free}

    def error(self, folder: Path) -> OtherRunError:
        """Return the refusal of the present run in the folder of the recorded one."""
        keys = {key for key in {**self.there, **self.now} if self.there.get(key) != self.now.get(key)}
        remedy = "Repeat the same command to continue that run"
        for key in ("dtype", "size"):
            if keys == {key} and self.there.get(key) not in (None, _AUTO):
                remedy = f"Use --{key} {self.there.get(key)} to continue that run"
        if keys == {_CORRECTION} and self.there.get(_CORRECTION) is None:  # what version 0.1 did unless told otherwise
            remedy = "Use --correction off to continue that run"
        remedy += ", choose another folder, or use --overwrite to replace its results."
        if keys == {"save"}:
            remedy += self._advice_to_convert(folder)
        return OtherRunError(
            f"{folder} holds the results of another run; these settings differ: {self._differences()}.", remedy
        )

    def _advice_to_convert(self, folder: Path) -> str:
        """Return how to get what the recorded run lacks without segmenting again; empty if there is no way."""
        saved, wanted = self.there.get("save"), self.now.get("save")
        if not self.finished or not isinstance(saved, list) or not isinstance(wanted, list) or "masks" not in saved:
            return ""
        if set(wanted) <= set(saved):
            return " That run wrote all of these formats already."
        lacking = (each for each in offered(RUN) if each.name in wanted and each.name not in saved)
        made = [each.name for each in lacking if "probabilities" not in each.needs or "probabilities" in saved]
        commands = ", ".join(f"cyclevos convert {shlex.quote(str(folder))} --to {name}" for name in made)
        return f" To make what it lacks from its masks, run: {commands}." if commands else ""

    def _differences(self) -> str:
        """Write "options.size (480 there, 240 now)" for everything that differs, "correction (off there, on now)"."""
        before, now = _flat(self.there), _flat(self.now)
        for key, there in self.there.items():
            if {type(there), type(self.now.get(key, there))} == {dict, type(None)}:  # its settings say less
                before, now = ({k: v for k, v in flat.items() if k.partition(".")[0] != key} for flat in (before, now))
                before[key], now[key] = ("off", "on") if there is None else ("on", "off")
        keys = [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
        texts = [_without_long_hashes(f"{key} ({_shown(before, key)} there, {_shown(now, key)} now)") for key in keys]
        return listed(texts, _MOST_DIFFERENCES)


def _shown(values: Mapping[str, str], key: str) -> str:
    """Return a value as text, of a long list, say of a stroke's points, its beginning."""
    text = values.get(key, "nothing")
    return f"{text[:_LONGEST]}..." if text.startswith("[") and len(text) > _LONGEST else text


def _without_long_hashes(text: str) -> str:
    """Shorten checksums to the eight digits that people compare."""
    return re.sub(r"\b([0-9a-f]{8})[0-9a-f]{24,}\b", r"\1...", text)


def _was_ours(text: bytes, folder: Path) -> bool:
    """Return whether a run.json that is no valid record was once one: it, or the masks beside it, carry our mark."""
    written = b"{\n  " + _OWNER
    if _OWNER in text or written.startswith(text) or not text.strip(b"\0"):
        return True
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return any(is_finished_mask(path) for path in folder.glob("*.png"))
    return False  # a whole file of another program, even among our masks


def _content(weights: Any) -> str | None:
    """Return the checksum within the identity of weights; None where it has none."""
    found = re.search(r"\(SHA-256 ([0-9a-f]{64})\)$", str(weights))
    return found and found[1]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = json.dumps(value)
    return flat
