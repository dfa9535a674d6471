"""What a training run leaves behind: a folder with its settings, models, curves and recorded episodes."""

from vecbt.runs.folder import Run
from vecbt.runs.recorder import EpisodeRecorder
from vecbt.runs.recording import Identity, Recording
from vecbt.runs.replay import Replay, replay

__all__ = ["EpisodeRecorder", "Identity", "Recording", "Replay", "Run", "replay"]
