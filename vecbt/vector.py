"""Many trading environments behind Gymnasium's vector interface."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from vecbt.arrays import IntArray
from vecbt.batch import Batch
from vecbt.choices import EPISODE_OPTIONS, as_columns, as_seeds
from vecbt.errors import ClosedError, ConfigError, UnknownNameError
from vecbt.follow import Follower, Master, current_trials
from vecbt.kernels.layout import Autoreset
from vecbt.render import FRAMES_PER_SECOND, RENDER_MODES, check_render_mode, drawn, open_renderer

__all__ = ["TradingVectorEnv", "make_vec"]

_OPTIONS = ("reset_mask", *EPISODE_OPTIONS)


def make_vec(
    data: Any,
    *,
    num_envs: int = 1,
    engine: str = "auto",
    num_workers: int | None = None,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    context: str | None = None,
    parent_share: bool = False,
    timeout: float | None = None,
    on_worker_death: str = "raise",
    max_restarts: int = 100,
    render_mode: str | None = None,
    **env_config: Any,
) -> TradingVectorEnv:
    """Make a batch of trading environments.

    Args:
        data: A path (CSV, HistData ASCII, Yahoo, ``.gz``, Parquet), a DataFrame, `vecbt.data.Bars`, a mapping of such
            by asset (the bars that all assets have are traded; `vecbt.data.align_bars` does more), a
            `vecbt.data.Domain` with rules for trials and a test period, or a running `vecbt.DataFeedServer` that is
            shared with other batches.
        num_envs: Environments.
        engine: ``"cerebro"`` runs Backtrader itself, with any strategy; ``"compiled"`` is Backtrader's broker in
            compiled code, equal to the last bit, for configurations without Python code of yours in the loop;
            ``"auto"`` takes the compiled one where it can.
        num_workers: Processes of the Cerebro engine; None for as many as there are usable cores, 0 for everything in
            the calling process, on the same code path and buffers. Of the compiled engine, which runs in the calling
            process, the most threads; None for as many as pay, 0 or 1 for the calling one alone.
        autoreset_mode: What happens when an episode ends, see `gymnasium.vector.AutoresetMode`.
        context: Start method of the processes: ``"forkserver"`` (the default on Linux), ``"spawn"`` or ``"fork"``.
            The results are the same. The compiled engine has no use for this and the next four.
        parent_share: Let the calling process run a share of the environments itself, beside ``num_workers``.
        timeout: Seconds after which a step or reset that has not come back raises; None to wait for ever.
        on_worker_death: ``"raise"`` raises `vecbt.errors.WorkerDiedError`; ``"restart"`` starts the worker again: its
            running episodes are truncated where they stand, with ``worker_restarted`` in the infos, all other
            environments go on untouched.
        max_restarts: How many deaths of workers are made good before the next one raises.
        render_mode: ``"rgb_array"`` for pictures, see `TradingVectorEnv.render`; None for none, which costs nothing.
        **env_config: The fields of `vecbt.EnvConfig`.

    Raises:
        VecbtError: If the configuration or the data are not usable; the message says what would be.

    Example:
        >>> import vecbt
        >>> market = vecbt.data.synthetic_market(3_000, seed=0)
        >>> envs = vecbt.make_vec(market, num_envs=4, num_workers=0, commission=0.0002)
        >>> observations, infos = envs.reset(seed=0)
        >>> observations.shape
        (4, 30, 4)
        >>> observations, rewards, terminations, truncations, infos = envs.step(envs.action_space.sample())
        >>> infos["value"].shape
        (4,)
        >>> envs.close()
    """
    from vecbt.engines import open_batch
    from vecbt.shm.options import WorkerOptions

    check_render_mode(render_mode)
    batch = open_batch(
        data,
        num_envs=num_envs,
        engine=engine,
        autoreset=_autoreset(autoreset_mode),
        workers=WorkerOptions(num_workers, context, parent_share, timeout, on_worker_death, max_restarts),
        settings=env_config,
    )
    return TradingVectorEnv(batch, render_mode)


def _autoreset(mode: AutoresetMode | str) -> Autoreset:
    try:
        return Autoreset[AutoresetMode(mode).name]
    except ValueError:
        raise UnknownNameError.of("autoreset_mode", mode, [str(m.value) for m in AutoresetMode]) from None


class TradingVectorEnv(VectorEnv[Any, Any, Any]):
    """N trading environments that step in lockstep; made by `make_vec`.

    **Observation.** A window of ``window`` bars that ends with the current one, float32 (N, window, F); with
    ``account_features`` a dictionary of ``market`` and ``account`` (N, A); with ``flatten`` one (N, window * F + A).

    **Actions.** int64 (N,) for ``"discrete"`` (0 hold, 1 buy, 2 sell, 3 close) and ``"target_position"``; float32
    (N, K) for ``"target_percent"``; a dictionary of arrays, int64 (N,) or float32 (N, 1), for an `ActionDictSpace`.
    Decided on the observation at bar *t*, filled at the open of bar *t + 1*.

    Of K assets the codes are int64 (N, K) too, in the order of the assets. Orders that reduce a position or turn it
    round are sent before all others, so that they free the cash that these need; each group is in the order of the
    assets.

    **Rewards.** float64 (N,), see `vecbt.EnvConfig.reward`.

    **Episode end.** *Terminated* by ``drawdown_call``, ``target_call``, an account that is worth nothing, or the
    strategy's ``get_done()``; *truncated* at ``episode_steps`` or the end of the trial's data.

    **Infos.** Arrays over the batch, each with Gymnasium's mask ``_key``: ``cash value drawdown costs`` float64,
    ``position position_price`` float64, ``bar start timestamp`` int64 (rows of the data set, UTC seconds),
    ``order_status`` int8 (`vecbt.kernels.layout.OrderStatus`); of several assets ``position``, ``position_price`` and
    ``order_status`` are (N, K). On the step that ends an episode ``episode_stats``
    holds its statistics (`vecbt.kernels.layout.Stat`).

    **Lifetime.** Rewards and flags are always the caller's. Observations and info columns are too, unless ``copy`` is
    False: then they are views of the buffers, which the next call of `step` or `reset` overwrites. What is returned of
    ended episodes (``episode_stats``, ``final_obs``, ``final_info``) is the caller's, with zeros in all other rows.

    Attributes:
        num_trials: Trials of the training rows, ``"train"``, and of the test rows, ``"test"``; where trials have
            training and test rows of their own the names are ``"source"`` and ``"target"``. 0 where they are generated.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": list(RENDER_MODES),
        "render_fps": FRAMES_PER_SECOND,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(self, batch: Batch, render_mode: str | None = None) -> None:
        self._batch = batch
        plan = batch.plan
        self.num_envs = batch.num_envs
        self.single_observation_space = plan.observation_space
        self.single_action_space = plan.action_space
        self.observation_space = batch_space(plan.observation_space, self.num_envs)
        self.action_space = batch_space(plan.action_space, self.num_envs)
        self.metadata = {**self.metadata, "autoreset_mode": AutoresetMode[plan.autoreset.name]}
        self.render_mode = render_mode
        self._renderer = None if render_mode is None else open_renderer(batch)
        self.config = plan.config
        self.feature_names = plan.table.features.names if plan.config.window else ()
        self.num_trials = plan.table.num_trials
        self._follower: Follower | None = None

    @property
    def np_random_seed(self) -> tuple[int | None, ...]:  # type: ignore[override]
        """The seed of each environment; None before the first reset."""
        return tuple(self._batch.seeds)

    @property  # type: ignore[misc]
    def np_random(self) -> Any:
        """There is no generator: every draw is a function of the seed and the episode's number."""
        raise AttributeError("there is no np_random: draws depend on np_random_seed and the episode's number alone")

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """Process ids of the workers, in the order of their environments; none where everything is in this process."""
        return self._batch.runner.pids

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Begin new episodes.

        Args:
            seed: A number *s*, which gives environment *i* the seed *s + i*, or one for each environment. A seed
                starts an environment's count of episodes again; without one it goes on.
            options: ``reset_mask``, bool (N,): the environments to reset, all others stay as they are;
                ``trial_type`` and ``sample_type``: which rows, until the next time; ``trial`` and ``start``: what
                `set_next_reset` says of them, a number or one for each of N environments.

        Returns:
            Observations and infos.

        Raises:
            ConfigError: If a seed or an option is invalid.
            ExhaustedError: If a sequential or causal domain has no trial left; nothing is changed then.
        """
        self._check_open()
        options = dict(options or {})
        for name in options:
            if name not in _OPTIONS:
                raise UnknownNameError.of("reset option", name, _OPTIONS)
        mask = options.get("reset_mask")
        if mask is not None:
            mask = np.asarray(mask)
            if mask.shape != (self.num_envs,) or mask.dtype != bool or not mask.any():
                raise ConfigError(
                    f"reset_mask must be a bool array of shape ({self.num_envs},) with at least one True, got "
                    f"{mask.dtype} {mask.shape}"
                )
        options.pop("reset_mask", None)
        asked = as_columns(options, self.num_envs) if options else None
        if self._follower is not None:
            self._check_free(options)
            asked = self._follower.choose(np.arange(self.num_envs))
        self._batch.reset(as_seeds(seed, range(self.num_envs)), mask, asked)
        results = self._batch.results
        return results.observation(), results.infos(False, self._batch_mask(mask))

    def set_next_reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: Mapping[str, Any] | Sequence[Mapping[str, Any] | None] | None = None,
        envs: Any = None,
    ) -> None:
        """Say what the next reset of environments is given, while their episodes run.

        It makes no difference whether the episode's end brings that reset about or a call of `reset`, whose own seed
        and options go before. In the mode SAME_STEP an episode that ends has its reset in the same step: say before
        that step what the reset is given. A later call replaces what was said and has not been used, name by name.

        Args:
            seed: A number *s*, which gives environment *i* the seed *s + i*, or one for each of ``envs``; None leaves
                it. With it the environment's count of episodes starts again.
            options: For all of ``envs``, or one dictionary for each of them.

                ``sample_type``: ``"train"`` or ``"test"`` rows, until the next time.

                ``trial_type``: ``"source"`` for trials of the domain's training rows, ``"target"`` for trials of its
                test rows, until the next time. Where there are training and test rows in trials of one type alone,
                ``sample_type`` says it too: without test periods of the trials ``"train"`` means source trials and
                ``"test"`` target trials. A change of either drops a trial and a start that were chosen before.

                ``trial``: number of the trial among those of its type, see ``num_trials``; for one episode. If
                no start is chosen, it is drawn as if the trial had been. None takes back a trial and a start.

                ``start``: row of the data set for the first observation, for one episode; with a trial, unless there
                is only one. The rules for episodes of a domain do not bind it. None takes it back.

                ``trial`` and ``start`` may be numbers or one for each of ``envs``.
            envs: Indices of environments, or a bool array (N,), which may be without any; None for all.

        Raises:
            ConfigError: If a seed or an option is invalid; names the environment and what is valid. Nothing is
                changed then.

        Example:
            A curriculum, one trial after the other, of which every environment that has ended takes the next:

            >>> import numpy as np, vecbt
            >>> market = vecbt.data.synthetic_market(3_000, seed=0)
            >>> domain = vecbt.RandomDomain(market, trial=vecbt.SampleRules(duration=500))
            >>> envs = vecbt.make_vec(domain, num_envs=2, episode_steps=10)
            >>> envs.num_trials
            {'train': 2501, 'test': 0}
            >>> observations, infos = envs.reset(seed=0, options={"trial": [0, 1]})
            >>> following, seen = 2, []
            >>> while len(seen) < 6:
            ...     _, _, terminations, truncations, infos = envs.step(envs.action_space.sample())
            ...     ended = terminations | truncations
            ...     if ended.any():
            ...         seen += infos["episode_stats"]["trial"][ended].tolist()
            ...         envs.set_next_reset(options={"trial": following + np.arange(ended.sum())}, envs=ended)
            ...         following += ended.sum()
            >>> seen
            [0, 1, 2, 3, 4, 5]
            >>> envs.close()
        """
        self._check_open()
        if self._follower is not None:
            self._check_free(options)
        chosen = self._indices(envs)
        asked = as_columns({} if options is None else options, len(chosen))
        self._batch.set_next_reset(chosen, as_seeds(seed, chosen.tolist()), asked)

    def _indices(self, envs: Any) -> IntArray:
        if envs is None:
            return np.arange(self.num_envs)
        given = np.atleast_1d(envs)
        if given.dtype == bool and given.shape == (self.num_envs,):
            return np.flatnonzero(given)
        whole = given.dtype.kind in "iu" or not given.size
        if not whole or given.ndim > 1 or len(set(given.tolist()) & set(range(self.num_envs))) < given.size:
            raise ConfigError(
                f"envs must be indices from 0 to {self.num_envs - 1}, each once, or a bool array of shape "
                f"({self.num_envs},), got {envs!r}"
            )
        return given.astype(np.int64)

    def _batch_mask(self, mask: Any) -> Any:
        everything = np.ones(self.num_envs, bool) if mask is None else mask.copy()
        everything.setflags(write=False)
        return everything

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Take a step in every environment.

        Returns:
            Observations, rewards, terminations, truncations, infos.

        Raises:
            ActionError: If an action is not in the action space; no environment has moved then.
            EpisodeError: If an environment has not been reset, or has ended in the mode DISABLED.
            ExhaustedError: If a sequential or causal domain has no trial for an episode that the step begins, or has
                had none for one that was to begin with the last; no environment has moved then.
            WorkerDiedError: If a worker process has ended.
            Exception: Whatever a strategy raises, with the environment in its notes.
        """
        self._check_open()
        batch = self._batch
        if self._follower is not None:
            self._follower.before_step()
        batch.step(actions)
        results = batch.results
        rewards, terminations, truncations = results.flags()
        return results.observation(), rewards, terminations, truncations, results.infos(batch.any_ended)

    def current_trials(self) -> dict[str, Any]:
        """The trials that the environments' episodes are of, running or just ended.

        Returns:
            int64 (N,) each: ``trial_type`` (0 source, 1 target), ``type`` (0 for episodes in training rows of their
            trial, 1 in test rows), ``number`` of the episode, ``trial`` among those of its type, ``first_row`` and
            ``last_row`` of the whole trial, ``first_time`` and ``last_time`` in UTC seconds; and ``fingerprint`` of
            the data.

        Raises:
            EpisodeError: Before the first reset.
        """
        self._check_open()
        return current_trials(self._batch.plan.table, self._batch.arrays["clock"])

    def follow(self, master: Master | str | os.PathLike[str] | None) -> None:
        """Let every episode that begins from now on be of the trial that a master is in at that moment.

        This is evaluation beside training: while the master trains on a trial's training rows, the environments that
        follow show how it fares on the trial's test rows; where trials have no test rows of their own, on the same
        ones. Environment *i* follows the master's environment *i mod M*. First rows are drawn as ever, by the seed and
        number of the episode. What is followed does not notice.

        In the modes NEXT_STEP and DISABLED the master is looked at when an episode begins; in the mode SAME_STEP
        before every step, as an episode may begin in any.

        Args:
            master: Other environments on the same data; a client of a `vecbt.BacktraderServer`, or its address, with
                environments on the same data in another process. None to follow nobody any more: trials are drawn
                again, of the type and sample type of the last one.

        Raises:
            ConfigError: If the master is none, or, when an episode begins, if its data are others or it is in a trial
                that has no room for an episode of these environments.
            EpisodeError: When an episode begins, if the master has not been reset yet.

        Example:
            >>> import vecbt
            >>> market = vecbt.data.synthetic_market(3_000, seed=0)
            >>> domain = vecbt.RandomDomain(market, trial=vecbt.SampleRules(duration=500, test_period=100))
            >>> with vecbt.DataFeedServer(domain) as server:
            ...     master = vecbt.make_vec(server, num_envs=4, episode_steps=50)
            ...     beside = vecbt.make_vec(server, num_envs=2, episode_steps=50)
            >>> beside.follow(master)
            >>> _, infos = master.reset(seed=0)
            >>> _, infos = beside.reset(seed=0)
            >>> beside.current_trials()["trial"].tolist() == master.current_trials()["trial"][:2].tolist()
            True
            >>> beside.current_trials()["type"]  # in the test rows
            array([1, 1])
            >>> master.close()
            >>> beside.close()
        """
        self._check_open()
        if master is self:
            raise ConfigError("environments cannot follow themselves")
        follower = None if master is None else Follower(self._batch, master)
        if self._follower is not None:
            self._follower.end()
        self._follower = follower

    def stop_episodes(self, envs: Any = None) -> None:
        """End episodes where they stand, without a step: `get_stat` tells of them as of any other.

        The next step begins new ones where the autoreset mode is NEXT_STEP; in the other modes a reset has to.

        Args:
            envs: Indices of environments, or a bool array (N,); None for all. Those without a running episode stay as
                they are.

        Raises:
            ConfigError: If there is no such environment.
            EpisodeError: If an error has interrupted the environments in the middle of a call.
        """
        self._check_open()
        self._batch.stop(self._indices(envs))

    def get_stat(self, env: int | None = None) -> Any:
        """What the last ended episode has come to, with everything that the analyzers of your Cerebro say of it.

        Args:
            env: Index of an environment; None for all.

        Returns:
            A dictionary, or a tuple of one for each environment; None where no episode has ended yet. In it

            * ``episode``: number of the episode since the last seeding, ``length``: its steps;
            * ``runtime``: seconds from its reset to its end, your agent's time included; None where
              nobody has looked at a clock, as in the compiled engine;
            * ``stats``: the statistics of `vecbt.kernels.layout.Stat`, as in ``infos["episode_stats"]``;
            * ``analyzers``: ``get_analysis()`` of each analyzer by its name, as dictionaries, lists, numbers, strings
              and dates; an object that is none of these as its ``repr``. Empty for an episode whose worker has died.

        Raises:
            ConfigError: If there is no such environment.

        Example:
            >>> import backtrader as bt, vecbt
            >>> cerebro = bt.Cerebro()
            >>> cerebro.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
            >>> market = vecbt.data.synthetic_market(500, seed=1)
            >>> envs = vecbt.make_vec(market, num_envs=2, num_workers=0, cerebro=cerebro, episode_steps=4)
            >>> observations, infos = envs.reset(seed=1)
            >>> envs.get_stat()
            (None, None)
            >>> for action in (1, 0, 3, 0):
            ...     results = envs.step([action, 0])
            >>> stat = envs.get_stat(0)
            >>> stat["episode"], stat["length"], stat["stats"]["trades"], stat["analyzers"]["trades"]["total"]
            (0, 4, 1, {'total': 1, 'open': 0, 'closed': 1})
            >>> envs.close()
        """
        self._check_open()
        if env is None:
            return tuple(self._batch.stat(None))
        whole = isinstance(env, int | np.integer) and not isinstance(env, bool)
        if not whole or not 0 <= env < self.num_envs:
            raise ConfigError(f"env must be an index from 0 to {self.num_envs - 1}, or None for all, got {env!r}")
        return self._batch.stat(int(env))[0]

    def render(self, mode: str = "human", envs: Any = None) -> tuple[Any, ...]:
        """Draw environments, in this process and without a window.

        Args:
            mode: ``"human"``: the last bars with what was bought (below them), sold (above) and refused (a cross),
                the positions, and the account in figures. ``"episode"``: the environment's last episode that has
                ended, by itself or by a reset: prices, equity and drawdown. ``"observation"``, or a key of
                observations that are dictionaries (``"a/b"`` for a key within): what the agent sees.
            envs: Indices of environments, or a bool array (N,); None for all.

        Returns:
            uint8 (H, W, 3) for each.

        Raises:
            ConfigError: Without a ``render_mode``, or if there is no such environment.
            UnknownNameError: If there is no such mode.
            EpisodeError: If there is nothing to draw yet: before the first reset, or the end of an episode.

        Example:
            >>> import vecbt
            >>> market = vecbt.data.synthetic_market(500, seed=0)
            >>> envs = vecbt.make_vec(market, num_envs=2, episode_steps=20, render_mode="rgb_array")
            >>> observations, infos = envs.reset(seed=0)
            >>> for _ in range(20):
            ...     returned = envs.step([1, 0])
            >>> [picture.shape for picture in envs.render()]
            [(368, 800, 3), (368, 800, 3)]
            >>> envs.render("episode", envs=[1])[0].dtype
            dtype('uint8')
            >>> envs.close()
        """
        self._check_open()
        return tuple(drawn(self._renderer, self._indices(envs).tolist(), mode))

    def close_extras(self, **kwargs: Any) -> None:
        """End the workers; called by `close`, which may be called again."""
        if self._follower is not None:
            self._follower.end()
        self._batch.close()

    def _check_free(self, options: Any) -> None:
        if options:
            raise ConfigError(
                "these environments follow others, of which they get their trials: follow(None) before you choose some"
            )

    def _check_open(self) -> None:
        if self.closed:
            raise ClosedError("the environments have been closed; make new ones")
