"""A whole run: fold after fold it trains, is tested on what comes next, and moves on."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO

from vecbt.dataserver import DataFeedServer
from vecbt.errors import ConfigError
from vecbt.integrations.sb3 import SB3VecEnv
from vecbt.runs.folder import Run
from vecbt.training.curves import open_logger
from vecbt.training.evaluate import Validation, pass_test_rows, run_test
from vecbt.training.files import latest_checkpoint, save_checkpoint, save_model
from vecbt.training.interrupt import Interrupt
from vecbt.training.learner import make_ppo
from vecbt.training.market import Fold, Market, open_market
from vecbt.training.progress import FoldProgress
from vecbt.training.settings import TrainSettings
from vecbt.vector import make_vec

__all__ = ["go_on", "train"]

_PACKAGES = ("vecbt", "backtrader", "gymnasium", "numba", "numpy", "stable-baselines3", "torch")
_APART, _STARTS = 100_003, 100
"""Between the seeds of one start and the next, and starts of a fold: no episode is trained on again."""


def train(settings: TrainSettings, folder: Path, *, shown: bool = True) -> Run:
    """Train an agent, test it on rows that it has not seen, and keep everything in a folder.

    The first fold's bars are divided as `Market` says. A fold that has been tested leaves its policy to the next, which
    goes on learning with what is known by then. The policy that is tested is the best one on the validation rows.

    The same settings and data give the same parameters to the last bit, on the same machine and releases.

    Args:
        settings: What to do.
        folder: Where to keep it; must not hold a run yet.
        shown: Whether to show progress bars, on standard error, if that is a terminal.

    Returns:
        The run; ``facts["state"]`` is ``"interrupted"`` if Ctrl-C has ended it, after a test of what had been learned.

    Raises:
        ConfigError: If the settings are invalid or the folder holds a run.
        DataError: If the data cannot be used.

    Example:
        >>> import tempfile, vecbt.training
        >>> settings = TrainSettings(steps=2_000, num_envs=16, update_steps=1_000, evaluations=1, random_agents=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = train(settings, Path(folder) / "run", shown=False)
        ...     [episode["agent"] for episode in run.episodes]
        ['policy', 'buy and hold', 'flat', 'random']
    """
    market = open_market(settings)
    run = Run.create(folder, _facts(settings, market))
    return _train_folds(run, settings, market, shown)


def go_on(folder: Path, *, shown: bool = True) -> Run:
    """Go on with a run that has been interrupted, from its last checkpoint.

    The parameters, the optimizer, the validation's results and the curves go on as they were. Episodes that were
    running are not: training goes on with new ones, so that the result is another than without the interruption, though
    the same every time one goes on from the same checkpoint.

    Args:
        folder: The run's.
        shown: See `train`.

    Raises:
        DataFileError: If the folder holds no run.
        ConfigError: If the run has been finished, or its data are not what they were.
    """
    run = Run.load(folder)
    if run.facts["state"] == "finished":
        raise ConfigError(f"the run in {folder} has been finished: there is nothing to go on with")
    settings = TrainSettings.of(run.facts["settings"])
    market = open_market(settings)
    expected, found = run.facts["data"]["fingerprint"], market.bars.fingerprint()
    if expected != found:
        raise ConfigError(
            f"the data of the run in {folder} have changed since it began: their fingerprint was {expected[:16]} and "
            f"is {found[:16]}. Bring back the data, or begin a new run"
        )
    return _train_folds(run, settings, market, shown)


def _facts(settings: TrainSettings, market: Market) -> dict[str, Any]:
    bars = market.bars
    first, last = (str(np.datetime64(int(bars.timestamps[row]), "ns").astype("datetime64[s]")) for row in (0, -1))
    kept = settings.as_dict()
    kept["data"] = tuple(str(Path(path).resolve()) for path in settings.data)
    return {
        "settings": kept,
        "env": {name: value for name, value in market.env.items() if name != "strategy"},
        "data": {
            "name": bars.name,
            "source": ", ".join(kept["data"]) or f"synthetic_market({len(bars)}, seed={settings.seed})",
            "fingerprint": bars.fingerprint(),
            "bars": len(bars),
            "first_time": first,
            "last_time": last,
        },
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in _PACKAGES},
        "folds": [
            {
                "train": fold.train,
                "validation": fold.validation,
                "test": fold.test,
                "steps": 0,
                "seconds": 0.0,
                "starts": 0,
                "done": False,
                "last": None,
                "best": None,
                "best_step": None,
                "waited": 0,
                "stopped": None,
            }
            for fold in market.folds
        ],
        "state": "training",
    }


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _train_folds(run: Run, settings: TrainSettings, market: Market, shown: bool) -> Run:
    run.facts["state"] = "training"
    with _threads(settings.threads), DataFeedServer(market.domain) as server, Interrupt() as interrupt:
        model: PPO | None = None
        for fold in market.folds:
            facts = run.facts["folds"][fold.number]
            if facts["done"]:
                pass_test_rows(server, market, settings)
                continue
            run.episodes[:] = [own for own in run.episodes if own["fold"] < fold.number]
            before = run.fold_path(fold.number - 1) / "model.zip" if fold.number else None
            model = _train_fold(run, settings, market, fold, server, interrupt, before, shown)
            for recording in run_test(model, server, market, settings, fold, shown=shown):
                run.add(recording)
            if interrupt.asked:
                run.facts["state"] = "interrupted"
                run.save()
                return run
            facts["done"] = True
            run.save()
        run.facts["state"] = "finished"
        run.save()
    return run


def _train_fold(
    run: Run,
    settings: TrainSettings,
    market: Market,
    fold: Fold,
    server: DataFeedServer,
    interrupt: Interrupt,
    before: Path | None,
    shown: bool,
) -> PPO:
    """Train on a fold, and return its best policy."""
    folder, facts = run.fold_path(fold.number), run.facts["folds"][fold.number]
    with contextlib.ExitStack() as stack:
        envs = make_vec(
            server,
            num_envs=settings.num_envs,
            engine=settings.engine,
            num_workers=settings.num_workers,
            autoreset_mode="SameStep",
            infos="episode",
            **market.env,
        )
        stack.callback(envs.close)
        vec_env = SB3VecEnv(envs)
        model = _open_model(settings, vec_env, fold, folder, before, facts)
        vec_env.set_options({"trial_type": "source", "sample_type": "train"})
        model.set_logger(open_logger(folder, model.num_timesteps))
        validation = Validation(server, market, settings, fold)
        stack.callback(validation.close)
        progress = FoldProgress(
            run,
            fold.number,
            validation,
            every=max(1, settings.steps // settings.evaluations),
            total=settings.steps,
            patience=settings.patience,
            interrupt=interrupt,
            shown=shown,
            title=f"training, fold {fold.number}" if settings.walk_forward > 1 else "training",
        )
        begun = time.perf_counter()
        left = settings.steps - model.num_timesteps
        if left > 0:
            model.learn(left, callback=progress, reset_num_timesteps=False, log_interval=1)
        if progress.stopped is None:
            progress.evaluate()  # the last update, of which no rollout tells any more
        save_checkpoint(model, folder / "checkpoints")
        facts["steps"] = model.num_timesteps
        facts["seconds"] += time.perf_counter() - begun
        facts["stopped"] = progress.stopped
        if not (folder / "model.zip").exists():
            save_model(model, folder / "model.zip")
        run.save()
        return PPO.load(folder / "model.zip", device="cpu")


def _open_model(
    settings: TrainSettings, vec_env: SB3VecEnv, fold: Fold, folder: Path, before: Path | None, facts: dict[str, Any]
) -> PPO:
    """The learner to go on with: the fold's own, that of the fold before, or a new one."""
    seed = settings.seed + _APART * (_STARTS * fold.number + facts["starts"])
    facts["starts"] += 1
    checkpoint = latest_checkpoint(folder / "checkpoints")
    if checkpoint is not None:
        model = PPO.load(checkpoint, env=vec_env, device="cpu")
    elif before is not None:
        model = PPO.load(before, env=vec_env, device="cpu")
        model.num_timesteps = 0
    else:
        model = make_ppo(
            vec_env,
            update_steps=settings.update_steps,
            batch_size=settings.batch_size,
            epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            gamma=settings.gamma,
            gae_lambda=settings.gae_lambda,
            entropy=settings.entropy,
            network=settings.network,
            seed=seed,
        )
    model.set_random_seed(seed)  # the environments' too
    return model
