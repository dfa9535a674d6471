"""Pictures of environments: what the last steps were, what the agent sees, and how an episode went.

Everything is drawn in the calling process, from the buffers and from records that are kept only with a ``render_mode``.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vecbt.errors import ConfigError, MissingExtraError, UnknownNameError

if TYPE_CHECKING:
    from vecbt.batch import Batch
    from vecbt.render.renderer import Renderer

__all__ = ["FRAMES_PER_SECOND", "RENDER_MODES", "check_render_mode", "drawn", "open_renderer"]

RENDER_MODES = ("rgb_array",)
"""What Gymnasium calls the form of a picture; which picture it is, is said to ``render``."""
FRAMES_PER_SECOND = 10
"""Pace of a video of steps."""


def check_render_mode(mode: str | None) -> None:
    """Make sure that environments can be drawn as it is asked for; None for not at all.

    Raises:
        UnknownNameError: For another mode.
        MissingExtraError: Without matplotlib.
    """
    if mode is None:
        return
    if mode not in RENDER_MODES:
        raise UnknownNameError.of("render_mode", mode, RENDER_MODES)
    if find_spec("matplotlib") is None:
        raise MissingExtraError.of(f"render_mode={mode!r}", "matplotlib", "render")


def open_renderer(batch: Batch) -> Renderer:
    """What draws a batch; matplotlib is imported with it."""
    from vecbt.render.renderer import Renderer

    return Renderer(batch)


def drawn(renderer: Renderer | None, envs: Iterable[int], mode: str) -> list[NDArray[np.uint8]]:
    """Pictures of environments, see `vecbt.render.renderer.Renderer.draw`.

    Raises:
        ConfigError: If there is no renderer: nobody has asked for one.
    """
    if renderer is None:
        raise ConfigError("render() needs an environment that is made with render_mode='rgb_array'")
    return renderer.draw(envs, mode)
