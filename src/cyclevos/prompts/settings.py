"""What is pointed at in a video, and which prompter makes masks of it. Creating these settings loads nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cyclevos.prompts.prompts import VideoPrompts

if TYPE_CHECKING:
    from cyclevos.prompts.prompter import Prompter


@dataclass(frozen=True)
class PromptSettings:
    """Prompts of a video.

    Attributes:
        prompts: by frame index and object id; none = only masks are given.
        prompter: what :func:`cyclevos.load_prompter` takes.
    """

    prompts: VideoPrompts = field(default_factory=dict)
    prompter: str = "default"

    def load(self, device: str, dtype: str) -> Prompter:
        """Load the prompter; see :func:`cyclevos.load_prompter`.

        Raises:
            WeightsError: its weights are missing, cannot be fetched, or are other ones.
            MissingExtraError: what it needs is not installed.
            OutputError: what was fetched cannot be written.
            ConfigError: the device or the dtype cannot be used.
        """
        from cyclevos.prompts.loading import load_prompter

        return load_prompter(self.prompter, device=device, dtype=dtype)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the prompter's weights in hexadecimal; they are fetched if they are not on this machine.

        Raises:
            WeightsError: they are missing or cannot be fetched.
            MissingExtraError: what the prompter needs is not installed.
            OutputError: what was fetched cannot be written.
        """
        from cyclevos.network.fingerprint import fingerprint
        from cyclevos.prompts.loading import prompter_file

        return fingerprint(prompter_file(self.prompter))
