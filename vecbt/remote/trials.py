"""Trials in messages: those that are drawn for a client, those that environments are in, and those they are to have."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from vecbt.choices import as_seeds
from vecbt.data.sample import draw_sample
from vecbt.errors import ExhaustedError, UnknownNameError
from vecbt.kernels.layout import Clock
from vecbt.settings import check_flag
from vecbt.vector import TradingVectorEnv

__all__ = ["describe_trial", "episode_options", "next_draws"]

_OF_TRIALS = ("sample_type", "get_new", "b_alpha", "b_beta", "timestamp")
_OF_EPISODES = ("sample_type", "get_new", "b_alpha", "b_beta", "align_left")


def describe_trial(source: Any, sample_config: Mapping[str, Any]) -> dict[str, Any]:
    """A trial, drawn for a client, and the statistics that go with it.

    Args:
        source: The data server.
        sample_config: See `vecbt.DataFeedServer.get_data`.

    Raises:
        ExhaustedError: If there is none any more.
    """
    sample = source.get_data(sample_config)
    if sample is None:
        raise ExhaustedError("there is no such trial any more: every one has had its turn")
    rows = {name: getattr(sample, name) for name in ("stamps", "ohlc", "volume")}
    return {
        "sample": {**sample.metadata, **rows},
        "trial_stat": sample.describe(),
        "dataset_stat": sample.table.describe(),
    }


def episode_options(
    envs: TradingVectorEnv,
    trial_config: Mapping[str, Any],
    episode_config: Mapping[str, Any],
    seeds: Sequence[int],
    numbers: Sequence[int],
) -> dict[str, Any]:
    """What BTGym's configurations of trial and episode come to as options of a reset.

    Args:
        envs: The environments.
        trial_config: ``sample_type``, ``get_new``, ``b_alpha``, ``b_beta``, ``timestamp``; None is as good as nothing.
        episode_config: ``sample_type``, ``get_new``, ``b_alpha``, ``b_beta``, ``align_left``.
        seeds: The seed of each environment's next episode.
        numbers: Its number.

    Raises:
        ConfigError: If a value is invalid.
        UnknownNameError: For any other name.
    """
    trial = _said("trial_config", trial_config, _OF_TRIALS)
    episode = _said("episode_config", episode_config, _OF_EPISODES)
    options = {
        name: config.pop("sample_type")
        for name, config in (("trial_type", trial), ("sample_type", episode))
        if "sample_type" in config
    }
    new_trial, new_episode = trial.pop("get_new", True), episode.pop("get_new", True)
    if not new_trial:
        options["trial"] = envs.current_trials()["trial"]
        if not new_episode:
            return options | {"start": envs._batch.arrays["clock"][:, Clock.START].copy()}
    if not trial and not episode:
        return options
    draws = zip(seeds, numbers, strict=True)
    table, kind = envs._batch.plan.table, options.get("trial_type", 0)
    samples = [draw_sample(table, number, seed=seed, sample_type=kind, **trial) for seed, number in draws]
    if new_trial:
        options["trial"] = [sample.trial for sample in samples]
    else:
        kept = zip(samples, options["trial"].tolist(), strict=True)
        samples = [dataclasses.replace(sample, trial=number) for sample, number in kept]
    if episode:
        kind = options.get("sample_type", 0)
        options["start"] = [sample.sample(sample_type=kind, **episode).first_row for sample in samples]
    return options


def next_draws(envs: TradingVectorEnv, seed: Any) -> tuple[list[int | None], list[int], list[int]]:
    """What decides the next episode of each environment.

    Args:
        envs: The environments.
        seed: Of the coming reset, as that takes it.

    Returns:
        What to give to that reset, in which those that have no seed yet have one; the seeds of the draws; their
        numbers.
    """
    table, count = envs._batch.plan.table, envs.num_envs
    following = (envs._batch.arrays["clock"][:, Clock.EPISODE] + 1).tolist()
    given, seeds, numbers = list(as_seeds(seed, range(count))), [], []
    for env, own in enumerate(envs.np_random_seed):
        if given[env] is None and own is None:
            given[env] = secrets.randbits(63)
        new = given[env]
        seeds.append(int(own if new is None else new))  # type: ignore[arg-type]
        number = following[env] if new is None else 0
        numbers.append(number * count + env if table.trials.order == "sequential" else number)
    return given, seeds, numbers


def _said(name: str, config: Mapping[str, Any], known: Sequence[str]) -> dict[str, Any]:
    for key in config:
        if key not in known:
            raise UnknownNameError.of(f"setting of {name}", key, known)
    said = {key: value for key, value in config.items() if value is not None}
    check_flag(f"{name}: get_new", said.get("get_new", True))
    return said
