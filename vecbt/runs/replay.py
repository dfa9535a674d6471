"""A recorded episode once more, from what decides it, and whether it comes out the same to the last bit."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from vecbt.data.aligned import AlignedBars
from vecbt.data.bars import Bars
from vecbt.data.domain import Domain
from vecbt.errors import ConfigError, DataError
from vecbt.kernels.layout import Clock
from vecbt.runs.recorder import EpisodeRecorder
from vecbt.runs.recording import Identity, Recording
from vecbt.runs.stock import StockRun, run_stock
from vecbt.settings import check_choice
from vecbt.testing.agreement import Agreement
from vecbt.vector import TradingVectorEnv, make_vec

__all__ = ["REPLAY_ENGINES", "Replay", "replay"]

REPLAY_ENGINES = ("compiled", "cerebro", "stock")
_ACCOUNT = ("rows", "timestamps", "cash", "values", "costs", "positions", "position_prices", "statuses")
_BARS = ("ohlc", "bar_timestamps")


@dataclasses.dataclass(frozen=True)
class Replay:
    """What a replay came to.

    Attributes:
        agreement: Numbers compared and different, by the arrays of `Recording`; ``"steps"`` is the episode's length.
        cerebro: The `backtrader.Cerebro` that has run, where it was stock Backtrader by itself.
    """

    agreement: Agreement
    cerebro: Any = None

    @property
    def equal(self) -> bool:
        """Whether all numbers are equal."""
        return not self.agreement.different.total()


def replay(
    recording: Recording,
    data: Bars | AlignedBars | Domain,
    settings: Mapping[str, Any],
    *,
    engine: str = "cerebro",
    observers: bool = False,
) -> Replay:
    """Replay an episode and compare every number with the recorded one.

    The environment is made anew from the identity: it is seeded and reset until the episode's number has come, so that
    its trial and its first row are drawn once more. Then it is given the recorded actions.

    Args:
        recording: The episode.
        data: The data that it was recorded on.
        settings: The fields of `vecbt.EnvConfig` that it was recorded with.
        engine: ``"compiled"``, ``"cerebro"``, or ``"stock"`` for Backtrader by itself: its own Cerebro, broker, orders
            and feed, and a strategy that places the orders. It has no rewards and no statistics to compare.
        observers: Whether a stock run has Backtrader's standard observers, which its plots show.

    Raises:
        DataError: If the data are not those of the recording.
        ConfigError: If the settings give another episode, or ask for what the engine cannot do.
        UnknownNameError: If there is no such engine.

    Example:
        >>> import vecbt
        >>> from vecbt.runs import EpisodeRecorder, replay
        >>> market = vecbt.data.synthetic_market(500, seed=0)
        >>> envs = vecbt.make_vec(market, num_envs=2, episode_steps=5)
        >>> recorder = EpisodeRecorder(envs, market, envs.reset(seed=7)[1], "compiled")
        >>> while not recorder.finished.all():
        ...     recorder.step([1, 2], envs.step([1, 2]))
        >>> envs.close()
        >>> buyer, seller = recorder.recordings(["buyer", "seller"], fold=0)
        >>> replay(seller, market, {"episode_steps": 5}, engine="stock").agreement.compared["values"]
        6
    """
    check_choice("engine", engine, REPLAY_ENGINES)
    bars: Any = data.bars if isinstance(data, Domain) else data
    _check_data(recording.identity, bars)
    agreement = Agreement()
    kind = "auto" if engine == "stock" else engine
    given = {**settings, "infos": "full"}
    with contextlib.closing(make_vec(data, engine=kind, num_workers=0, **given)) as envs:
        infos = _begin(envs, recording.identity)
        recorder = EpisodeRecorder(envs, bars, infos, kind)
        _check_identity(recorder.identity(0), recording.identity)
        if engine == "stock":
            end = int(envs._batch.arrays["clock"][0, Clock.END])
            run = run_stock(bars, envs.config, recording.actions, recording.identity.start, end, observers=observers)
            _compare_stock(agreement, recording, run, bars)
            return Replay(agreement, run.cerebro)
        again = _play(envs, recorder, recording)
    _compare(agreement, recording, again, ("rewards", *_ACCOUNT, *_BARS))
    names = recording.stats.keys() - {"episode"}
    agreement.compare("stats", *(np.array([own.stats[name] for name in sorted(names)]) for own in (recording, again)))
    return Replay(agreement)


def _check_data(identity: Identity, bars: Any) -> None:
    found = bars.fingerprint()
    if found != identity.fingerprint:
        raise DataError(
            f"the data are not those of the recording: their fingerprint is {found[:16]}, the recording's "
            f"{identity.fingerprint[:16]}. Bring back the data that it was made from, or record it again",
            source=bars.name,
        )


def _begin(envs: TradingVectorEnv, identity: Identity) -> dict[str, Any]:
    """Reset the environment until the episode has begun."""
    options: dict[str, Any] = {"trial_type": identity.trial_type, "sample_type": identity.sample_type}
    order = envs._batch.plan.table.trials.order
    if order == "sequential":  # the trial follows from the numbers of the episode and of the environment
        options["trial"] = identity.episode * identity.num_envs + identity.env
    elif order != "random":  # it follows from global time, which is another one now
        options["trial"] = identity.trial
    _, infos = envs.reset(seed=[identity.seed], options=options)
    for _ in range(identity.episode):
        _, infos = envs.reset(options=options)
    return infos


def _check_identity(found: Identity, expected: Identity) -> None:
    for name in ("episode", "trial_type", "sample_type", "trial", "start"):
        mine, theirs = getattr(found, name), getattr(expected, name)
        if mine != theirs:
            raise ConfigError(
                f"seed {expected.seed} gives another episode than the recorded one: its {name} is {mine!r}, the "
                f"recording's {theirs!r}. Use the domain and the settings that it was recorded with"
            )


def _play(envs: TradingVectorEnv, recorder: EpisodeRecorder, recording: Recording) -> Recording:
    """Give the recorded actions to the environment; where its episode is longer, the last one again and again."""
    step = 0
    while not recorder.finished.all():
        actions = recording.actions[min(step, len(recording.actions) - 1)][np.newaxis]
        recorder.step(actions, envs.step(actions))
        step += 1
    return recorder.recordings([recording.agent], recording.fold)[0]


def _compare_stock(agreement: Agreement, recording: Recording, run: StockRun, bars: Any) -> None:
    found = {field.name: getattr(run, field.name) for field in dataclasses.fields(run)}
    span = bars.rows(int(run.rows[0]), int(run.rows[-1]) + 1)
    found["timestamps"] = bars.timestamps[run.rows]
    found["bar_timestamps"] = span.timestamps
    _compare(agreement, recording, found, (*_ACCOUNT, *_BARS))


def _compare(agreement: Agreement, recording: Recording, again: Any, names: tuple[str, ...]) -> None:
    """Compare arrays as far as both go; the steps tell of what one has more than the other."""
    get = again.__getitem__ if isinstance(again, dict) else again.__getattribute__
    agreement.compare("steps", [len(recording.rows) - 1], [len(get("rows")) - 1])
    for name in names:
        mine, theirs = getattr(recording, name), get(name)
        common = min(len(mine), len(theirs))
        agreement.compare(name, mine[:common], theirs[:common])
