"""What goes on beside learning: figures, validation, checkpoints, and the end."""

from __future__ import annotations

from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from tqdm import tqdm

from vecbt.runs.folder import Run
from vecbt.training.evaluate import Validation
from vecbt.training.files import save_checkpoint, save_model
from vecbt.training.interrupt import Interrupt

__all__ = ["FoldProgress"]


class FoldProgress(BaseCallback):
    """Looks after the training of a fold.

    Between two updates it tries the policy on the validation rows when it is time to, keeps the best one as
    ``model.zip`` and a checkpoint; it ends training when there has been no better one for long, or somebody asks.

    Args:
        run: The run, whose facts it keeps.
        fold: Number of the fold, whose facts tell of validation: ``last``, ``best`` (mean returns, None at first),
            ``best_step``, and ``waited``, the evaluations since.
        validation: The validation rows.
        every: Steps from one evaluation to the next.
        total: Steps of the fold, for the progress bar.
        patience: Evaluations without a better one that end training; None for no end.
        interrupt: Who may ask for the end.
        shown: Whether to show a progress bar.
        title: Its title.

    Attributes:
        stopped: Why training has ended before its time: ``"patience"``, ``"interrupt"``; None if it has not.
    """

    def __init__(
        self,
        run: Run,
        fold: int,
        validation: Validation,
        *,
        every: int,
        total: int,
        patience: int | None,
        interrupt: Interrupt,
        shown: bool,
        title: str,
    ) -> None:
        super().__init__()
        self.stopped: str | None = None
        self._run, self._validation = run, validation
        self._folder, self._state = run.fold_path(fold), run.facts["folds"][fold]
        self._every, self._total, self._patience, self._interrupt = every, total, patience, interrupt
        self._shown, self._title = shown, title
        self._bar: tqdm[Any] | None = None
        self._next = 0

    def _on_training_start(self) -> None:
        done = self.num_timesteps
        self._next = done + self._every
        self._bar = tqdm(
            total=self._total,
            initial=min(done, self._total),
            desc=self._title,
            unit="step",
            unit_scale=True,
            disable=None if self._shown else True,
        )

    def _on_rollout_end(self) -> None:
        # Episodes that begin together end together, and say nothing in between; steps do.
        self.logger.record("rollout/step_reward", float(self.model.rollout_buffer.rewards.mean()))  # type: ignore[attr-defined]

    def _on_rollout_start(self) -> None:
        if self.num_timesteps >= self._next:
            self._next += self._every
            self.evaluate()
        self._show()

    def evaluate(self) -> None:
        """Try the policy, and keep it."""
        result = self._validation.measure(self.model)  # type: ignore[arg-type]
        self.logger.record("validation/mean_return", result)
        state = self._state
        if state["best"] is None or result > state["best"]:
            state.update(best=result, best_step=self.num_timesteps, waited=0)
            save_model(self.model, self._folder / "model.zip")  # type: ignore[arg-type]
        else:
            state["waited"] += 1
            if self._patience is not None and state["waited"] >= self._patience:
                self.stopped = "patience"
        state["last"] = result
        state["steps"] = self.num_timesteps
        save_checkpoint(self.model, self._folder / "checkpoints")  # type: ignore[arg-type]
        self._run.save()

    def _on_step(self) -> bool:
        if self._interrupt.asked:
            self.stopped = "interrupt"
        return self.stopped is None

    def _on_training_end(self) -> None:
        self._show()
        if self._bar is not None:
            self._bar.close()

    def _show(self) -> None:
        if self._bar is None:
            return
        figures = {}
        if self.model.ep_info_buffer:
            figures["reward"] = f"{np.mean([info['r'] for info in self.model.ep_info_buffer]):+.3g}"
        if self._state.get("last") is not None:
            figures["validation"] = f"{self._state['last']:+.2%}"
            figures["best"] = f"{self._state['best']:+.2%}"
        self._bar.set_postfix(figures, refresh=False)
        self._bar.update(min(self.num_timesteps, self._total) - self._bar.n)
