"""Any Gymnasium environments as a batch, many in each worker process, in shared memory."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from gymnasium import Env, Space, logger
from gymnasium.error import CustomSpaceError
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_differing_spaces, batch_space, iterate

from vecbt.arrays import BoolArray, FloatArray
from vecbt.errors import (
    ActionError,
    ClosedError,
    ConfigError,
    EpisodeError,
    NoPendingCallError,
    PendingCallError,
    WorkerTimeoutError,
)
from vecbt.shm.actions import ActionLayout, action_layout
from vecbt.shm.arena import ArraySpec
from vecbt.shm.arguments import check_mask, env_indices, limit_processes, plain_seeds, seed_list
from vecbt.shm.control import Op
from vecbt.shm.env_slice import EnvPlan, EnvSlice, EnvState, MakeEnvSlice
from vecbt.shm.infos import info_specs
from vecbt.shm.news import News
from vecbt.shm.options import WorkerOptions
from vecbt.shm.pool import WorkerPool
from vecbt.shm.report import RemoteTraceback
from vecbt.shm.results import Results
from vecbt.shm.spaces import Layout, layout

__all__ = ["SharedMemoryVectorEnv"]

StepResult: TypeAlias = tuple[Any, FloatArray, BoolArray, BoolArray, dict[str, Any]]


class SharedMemoryVectorEnv(VectorEnv[Any, Any, Any]):
    """Environments of any kind that step in lockstep, many in each worker process.

    It takes the place of `gymnasium.vector.AsyncVectorEnv`: the same arguments, results and exceptions. Observations,
    actions, rewards, flags and the numbers in infos stand in shared memory; a step pickles nothing, but for infos that
    are no numbers.

    **Failures.** An exception of an environment is raised here, with the environment's index and the worker's
    traceback; the environment is closed, and made anew by the next `reset`. A worker that has died raises
    `vecbt.errors.WorkerDiedError` within a tenth of a second, or is started again: see ``on_worker_death``.
    `close` takes at most two seconds, whatever state the workers are in.

    **Actions** reach an environment as they are given, nothing is checked or cast: numbers in arrays or lists through
    shared memory, everything else by message. Numbers in lists arrive as numpy's: the ints of ``[0, 1]`` as int64.

    Args:
        env_fns: Make the environments; anything that can be called, closures too.
        shared_memory: Whether observations stand in shared memory. False sends them as messages, which is slower, and
            needed for spaces without a fixed size (Graph, Sequence) and spaces of your own.
        copy: Whether observations are the caller's. False returns views, which the next call overwrites.
        context: Start method, ``"forkserver"`` (the default on Linux), ``"spawn"`` or ``"fork"``. The results are the
            same.
        daemon: Whether the workers are daemons, which may not have children of their own. They end with this process
            either way.
        worker: A class derived from `vecbt.shm.env_slice.EnvSlice`, to change what workers do with environments. A
            worker function for `AsyncVectorEnv` talks over pipes that do not exist here, and is refused.
        observation_mode: ``"same"``, ``"different"`` (equal shapes and dtypes, other bounds), or a tuple of the batch's
            observation space and a single one, in the order in which `AsyncVectorEnv` takes them.
        autoreset_mode: What happens when an episode ends, see `gymnasium.vector.AutoresetMode`.
        max_concurrency: The most environments that run at the same time: a bound on the number of processes.
        num_workers: Processes; None for as many as there are usable cores, 0 for everything in the calling process, on
            the same code path and buffers.
        parent_share: Let the calling process run a share of the environments itself, beside ``num_workers``.
        double_buffer: Cut the batch into two halves that `send` and `recv` step in turn.
        timeout: Seconds after which a call that has not come back raises; None to wait for ever.
        on_worker_death: ``"raise"``, or ``"restart"``: start the worker again. Its environments are made anew; their
            episodes are truncated with the next step, with ``worker_restarted`` in its infos and the last observation
            that is known. All others go on untouched.
        max_restarts: How many deaths of workers are made good before the next one raises.

    Attributes:
        halves: The environments of each half, as slices of the batch; a single one without ``double_buffer``.

    Raises:
        ConfigError: If an argument is invalid.
        SpaceMismatchError: If the environments' spaces differ.
        Exception: Whatever an ``env_fn`` raises, with the environment in its notes.

    Example:
        >>> import gymnasium, vecbt
        >>> envs = vecbt.SharedMemoryVectorEnv([lambda: gymnasium.make("CartPole-v1")] * 8, num_workers=2)
        >>> observations, infos = envs.reset(seed=0)
        >>> observations, rewards, terminations, truncations, infos = envs.step(envs.action_space.sample())
        >>> observations.shape, rewards.shape
        ((8, 4), (8,))
        >>> envs.close()
    """

    def __init__(
        self,
        env_fns: Sequence[Callable[[], Env[Any, Any]]],
        shared_memory: bool = True,
        copy: bool = True,
        context: str | None = None,
        daemon: bool = True,
        worker: type[EnvSlice] | None = None,
        observation_mode: str | tuple[Space[Any], Space[Any]] = "same",
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        max_concurrency: int | None = None,
        *,
        num_workers: int | None = None,
        parent_share: bool = False,
        double_buffer: bool = False,
        timeout: float | None = None,
        on_worker_death: str = "raise",
        max_restarts: int = 100,
    ) -> None:
        self.env_fns, self.shared_memory, self.copy = env_fns, shared_memory, copy
        self.context, self.daemon, self.worker = context, daemon, worker
        self.observation_mode = observation_mode
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.max_concurrency = max_concurrency
        self.num_envs = len(env_fns)
        workers = WorkerOptions(num_workers, context, parent_share, timeout, on_worker_death, max_restarts)
        processes = limit_processes(workers.processes, max_concurrency, parent_share)
        _check_worker(worker)
        if self.num_envs < 1 + double_buffer:
            raise ConfigError(f"env_fns must be at least {1 + double_buffer} functions, got {self.num_envs}")
        self._look_at_environment()

        n, count = self.num_envs, 1 + double_buffer
        same_step = self.autoreset_mode == AutoresetMode.SAME_STEP
        observation = final = None
        if shared_memory:
            try:
                observation = layout(self.single_observation_space, n, "observation")
                final = layout(self.single_observation_space, n, "final") if same_step else None
            except CustomSpaceError as error:
                raise ConfigError(
                    f"{error}. `shared_memory=False` sends observations as messages, which works for any space but is "
                    f"slower"
                ) from error
        self._action = action_layout(self.single_action_space, n, "action")
        plan = EnvPlan(
            tuple(env_fns),
            self.single_observation_space,
            self.single_action_space,
            observation_mode == "same",
            self.autoreset_mode,
            observation,
            final,
            self._action,
        )
        specs = _specs(n, observation, final, self._action)
        self._news = News(n, count)
        restore = ["episodes", "states", "choice_waits", *(observation.specs if observation is not None else ())]
        self._pool = WorkerPool(
            MakeEnvSlice(plan, worker or EnvSlice),
            specs,
            n,
            processes,
            context=context,
            parent_share=parent_share,
            timeout=timeout,
            groups=count,
            daemon=daemon,
            recovery=workers.recovery(restore, self._news),
        )
        self._arrays = self._pool.arrays
        ranges = self._pool.ranges
        self._read = Results(plan, self._arrays, ranges, copy=copy, owned=processes > 0 and not parent_share)
        self._news.columns = self._read.columns
        self._bounds = [(0, n), *ranges]
        action = self._action
        self._actions = None if action is None else [action.bind(self._arrays, *bounds) for bounds in self._bounds]
        self.halves = [slice(low, high) for low, high in ranges]
        self._late = False  # a time-out has left a call under way, which may be waited for again
        self._asked: list[str] = []  # calls that have been begun by themselves
        self._turns = [0, 0]  # of `send` and of `recv`

    @property
    def observations(self) -> Any:
        """The last observations of the whole batch, which the next call overwrites."""
        return self._read.observations

    def _look_at_environment(self) -> None:
        """Read the spaces and the like from an environment that is made for it."""
        env = self.env_fns[0]()
        self.metadata = {**env.metadata, "autoreset_mode": self.autoreset_mode}
        self.render_mode = env.render_mode
        self.single_action_space = env.action_space
        self.action_space = batch_space(env.action_space, self.num_envs)
        mode = self.observation_mode
        if isinstance(mode, tuple) and len(mode) == 2:
            if not all(isinstance(space, Space) for space in mode):
                raise TypeError(f"expected both elements of observation_mode to be spaces, got {list(map(type, mode))}")
            self.observation_space, self.single_observation_space = mode
        elif mode == "same":
            self.single_observation_space = env.observation_space
            self.observation_space = batch_space(env.observation_space, self.num_envs)
        elif mode == "different":
            others = []
            for env_fn in self.env_fns[1:]:
                other = env_fn()
                others.append(other.observation_space)
                other.close()
            self.single_observation_space = env.observation_space
            self.observation_space = batch_differing_spaces([env.observation_space, *others])
        else:
            raise ConfigError(
                f"Invalid `observation_mode`, expected: 'same' or 'different' or tuple of single and batch observation "
                f"space, actual got {mode}"
            )
        env.close()

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """The seed of each environment."""
        return self.get_attr("np_random_seed")

    @property  # type: ignore[misc]
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """The generator of each environment, as it stands."""
        return self.get_attr("np_random")

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """Process ids of the workers, in the order of their environments; none where everything is in this process."""
        return self._pool.pids

    # -- reset ---------------------------------------------------------------------------------------------------------

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin new episodes.

        Args:
            seed: A number *s*, which gives environment *i* the seed *s + i*, or one for each environment.
            options: What the environments' ``reset`` is given; ``reset_mask``, bool (N,), says which of them to reset,
                all others stay as they are.

        Returns:
            Observations and infos.
        """
        self.reset_async(seed, options)
        return self.reset_wait()

    def reset_async(
        self, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> None:
        """Begin a `reset` and come back at once."""
        self._check_open()
        seeds = seed_list(seed, self.num_envs)
        if self._late:  # whoever resets has no use for what has come too late
            with contextlib.suppress(Exception):
                self._pool.settle()
            self._late, self._asked = False, []
        self._check_idle("reset_async")
        options = None if options is None else dict(options)
        mask = None
        if options is not None and "reset_mask" in options:
            mask = check_mask(options.pop("reset_mask"), self.num_envs)
        self._turns = [0, 0]
        argument = {"mask": mask, "seeds": seeds, "options": options, **(self._news.outgoing(0) or {})}
        self._begin("reset", Op.RESET, 0, argument)
        self._news.remember(seeds, mask)

    def reset_wait(self, timeout: float | None = None) -> tuple[Any, dict[str, Any]]:
        """Wait for the `reset` that has been begun.

        Args:
            timeout: Seconds before `WorkerTimeoutError`, after which it may be waited for again.
        """
        answers = self._finish("reset", timeout)
        observations, infos, columns = self._read.of_reset(answers)
        self._news.teach(columns)
        return observations, infos

    def set_next_reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: Mapping[str, Any] | Sequence[Mapping[str, Any] | None] | None = None,
        envs: Sequence[int] | BoolArray | None = None,
    ) -> None:
        """Choose what the next reset of environments is given, also when it is an automatic one.

        An explicit `reset` that names a seed or options of its own goes before. What has been chosen holds for one
        reset; another choice before it takes its place.

        Args:
            seed: A number *s*, which gives environment *i* the seed *s + i*, or one for each of ``envs``.
            options: For all of them, or one for each.
            envs: Indices, or a mask over the batch; None for all.

        Example:
            >>> import gymnasium, vecbt
            >>> envs = vecbt.SharedMemoryVectorEnv([lambda: gymnasium.make("CartPole-v1")] * 4, num_workers=0)
            >>> observations, infos = envs.reset(seed=0)
            >>> envs.set_next_reset(seed=[7], envs=[2])
            >>> terminations = [False] * 4
            >>> while not terminations[2]:
            ...     _, _, terminations, _, _ = envs.step([0] * 4)
            >>> observations, *_ = envs.step([0] * 4)  # resets it
            >>> observation, _ = gymnasium.make("CartPole-v1").reset(seed=7)
            >>> (observations[2] == observation).all()
            np.True_
            >>> envs.close()
        """
        self._check_open()
        chosen = env_indices(envs, self.num_envs)
        if isinstance(seed, int | np.integer):
            seeds: list[int | None] = [int(seed) + env for env in chosen]
        else:
            seeds = [None] * len(chosen) if seed is None else plain_seeds(seed)
        each = [options] * len(chosen) if options is None or isinstance(options, Mapping) else list(options)
        for name, values in (("seed", seeds), ("options", each)):
            if len(values) != len(chosen):
                raise ConfigError(
                    f"{name} must be one for all of {len(chosen)} environments or one for each, got {values}"
                )
        for env, its_seed, its_options in zip(chosen, seeds, each, strict=True):
            choice = {"seed": its_seed, "options": None if its_options is None else dict(its_options)}
            group = next(number for number, half in enumerate(self.halves) if half.start <= env < half.stop)
            self._news.choose(env, group, choice)

    # -- step ----------------------------------------------------------------------------------------------------------

    def step(self, actions: Any) -> StepResult:
        """Take a step in every environment.

        Returns:
            Observations, rewards float64 (N,), terminations and truncations bool (N,), infos.

        Raises:
            TypeError: If ``actions`` are no batch.
            ActionError: If they are not one for each environment.
            EpisodeError: If an environment has raised, or ended in the mode DISABLED, and has not been reset.
            WorkerDiedError: If a worker has died.
            WorkerTimeoutError: If it takes longer than ``timeout``; the next call goes on from there.
            Exception: Whatever an environment raises, with its index in the notes.
        """
        if self.closed or self._asked:
            self._check_open()
            self._check_idle("step_async")
        argument = self._take_actions(actions, 0)
        if argument is not None:
            self._pool.begin(Op.STEP, 0, argument)
            self._news.sent(0)
        try:
            answers = self._pool.step() if argument is None else self._pool.finish()
        except Exception:
            self._log_failures()
            raise
        return self._results(answers, 0)

    def step_async(self, actions: Any) -> None:
        """Begin a `step` and come back at once."""
        self._check_open()
        self._check_idle("step_async")
        self._begin("step", Op.STEP, 0, self._take_actions(actions, 0))

    def step_wait(self, timeout: float | None = None) -> StepResult:
        """Wait for the `step` that has been begun.

        Args:
            timeout: Seconds before `WorkerTimeoutError`, after which it may be waited for again.
        """
        return self._results(self._finish("step", timeout), 0)

    def send(self, actions: Any) -> None:
        """Begin a step of the half whose turn it is, while the other half may still be at its own.

        The halves take turns, beginning with the first after every `reset`. Both may be under way at a time; `recv`
        returns them in the same order. Without ``double_buffer`` the only half is the whole batch.

        Args:
            actions: For the environments of the half.

        Example:
            >>> import gymnasium, vecbt
            >>> env_fns = [lambda: gymnasium.make("CartPole-v1")] * 4
            >>> envs = vecbt.SharedMemoryVectorEnv(env_fns, num_workers=1, double_buffer=True)
            >>> observations, _ = envs.reset(seed=0)
            >>> for half in envs.halves:
            ...     envs.send([0] * len(observations[half]))
            >>> for _ in range(10):
            ...     observations, rewards, terminations, truncations, infos = envs.recv()
            ...     envs.send([1] * len(observations))  # what a policy makes of them, while the others step
            >>> rewards.shape
            (2,)
            >>> envs.close()
        """
        self._check_open()
        if self._late or any(call != "half" for call in self._asked) or len(self._asked) == len(self.halves):
            raise PendingCallError(
                f"Calling `send` while waiting for {len(self._asked)} pending call(s) to complete: `recv` first.",
                self._asked[0],
            )
        group = self._turns[0] % len(self.halves) + 1
        self._begin("half", Op.STEP, group, self._take_actions(actions, group))
        self._turns[0] += 1

    def recv(self, timeout: float | None = None) -> StepResult:
        """Wait for the half that was sent first.

        Args:
            timeout: Seconds before `WorkerTimeoutError`, after which it may be waited for again.

        Returns:
            As `step`, for the environments of the half.
        """
        answers = self._finish("half", timeout, "recv", "send")
        group = self._turns[1] % len(self.halves) + 1
        self._turns[1] += 1
        return self._results(answers, group)

    def _take_actions(self, actions: Any, group: int) -> dict[str, Any] | None:
        """Write the actions of a half (0 for all) where workers find them; returns what is to go along as a message."""
        if not self._asked:
            self._pool.settle()  # of a call that was interrupted: workers may not have read its actions yet
        low, high = self._bounds[group]
        if self.autoreset_mode == AutoresetMode.DISABLED:
            self._check_running(low, high)
        if self._actions is not None:
            try:
                if self._actions[group].write(actions):
                    return self._news.outgoing(group) if self._news.has_news else None
            except (ValueError, TypeError):
                pass  # numpy can make no array of them
        elements = list(iterate(self.action_space, actions))
        if len(elements) != high - low:
            raise ActionError(f"expected {high - low} actions, one for each environment, got {len(elements)}")
        return {**(self._news.outgoing(group) or {}), "actions": elements, "first": low}

    def _check_running(self, low: int, high: int) -> None:
        ended = np.flatnonzero(self._arrays["states"][low:high] == EnvState.ENDED) + low
        if len(ended):
            raise EpisodeError(
                f"the episodes of environments {ended.tolist()} have ended, and the autoreset mode is DISABLED: "
                f"reset(options={{'reset_mask': terminations | truncations}}) first"
            )

    def _results(self, answers: Sequence[Any], group: int) -> StepResult:
        observations, rewards, terminations, truncations, infos, columns = self._read.of_step(answers, group)
        if columns:
            self._news.teach(columns)
        return observations, rewards, terminations, truncations, infos

    # -- everything else -----------------------------------------------------------------------------------------------

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Call a method of every environment, or read an attribute.

        Args:
            name: Of the method or attribute; wrappers are looked through.
            *args: Of the method.
            **kwargs: Of the method.

        Returns:
            What each environment has answered.
        """
        self.call_async(name, *args, **kwargs)
        return self.call_wait()

    def call_async(self, name: str, /, *args: Any, **kwargs: Any) -> None:
        """Begin a `call` and come back at once."""
        self._check_open()
        self._check_idle("call_async")
        self._begin("call", Op.CALL, 0, ("call", (None, name, args, kwargs)))

    def call_wait(self, timeout: float | None = None) -> tuple[Any, ...]:
        """Wait for the `call` that has been begun.

        Args:
            timeout: Seconds before `WorkerTimeoutError`, after which it may be waited for again.
        """
        return _in_order(self._finish("call", timeout))

    def call_on(
        self, envs: Sequence[int] | BoolArray | None, name: str | Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> tuple[Any, ...]:
        """Call a method or read an attribute of some environments, or run a function on them.

        Args:
            envs: Indices, or a mask over the batch; None for all.
            name: Of the method or attribute; or a function, which runs in the workers on ``(env, *args, **kwargs)``.
            *args: Of the method or function.
            **kwargs: Of the method or function.

        Returns:
            What each of the environments has answered, in the order of ``envs``.
        """
        self._check_open()
        self._check_idle("call_on")
        chosen = env_indices(envs, self.num_envs)
        answers = self._pool.call("call", (chosen, name, args, kwargs))
        by_env = dict(pair for part in answers for pair in part)
        return tuple(by_env[env] for env in chosen)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """An attribute of every environment."""
        return self.call(name)

    def set_attr(self, name: str, values: Any) -> None:
        """Set an attribute of every environment.

        Args:
            name: Of the attribute.
            values: A list or tuple of one for each environment, or anything else for all.
        """
        self._check_open()
        if not isinstance(values, list | tuple):
            values = [values] * self.num_envs
        if len(values) != self.num_envs:
            raise ConfigError(
                f"Values must be a list or tuple with length equal to the number of environments. Got `{len(values)}` "
                f"values for {self.num_envs} environments."
            )
        self._check_idle("set_attr")
        self._pool.call("set", (name, values))

    def render(self) -> tuple[Any, ...] | None:
        """What the environments have rendered."""
        return self.call("render")

    def close_extras(self, timeout: float | None = None, terminate: bool = False) -> None:
        """End the workers; called by `close`, which may be called again. Takes at most two seconds beyond ``timeout``.

        Args:
            timeout: Seconds to wait for a call that is still under way; it is given up otherwise.
            terminate: Whether not to wait for it at all.
        """
        try:
            if self._asked:
                with contextlib.suppress(UserWarning):  # where warnings are errors
                    logger.warn(f"Calling `close` while waiting for a pending call to `{self._asked[0]}` to complete.")
                if timeout is not None and not terminate:
                    with contextlib.suppress(Exception):
                        self._pool.finish(timeout)
        finally:
            self._asked = []
            self._pool.close()

    def _check_open(self) -> None:
        if self.closed:
            raise ClosedError(f"Trying to operate on `{type(self).__name__}`, after a call to `close()`.")

    def _check_idle(self, caller: str) -> None:
        if self._asked:
            call = self._asked[0]
            raise PendingCallError(f"Calling `{caller}` while waiting for a pending call to `{call}` to complete", call)

    def _begin(self, call: str, operation: int, group: int, argument: Any) -> None:
        if not self._asked:
            self._pool.settle()  # of a call that was interrupted
        self._pool.begin(operation, group, argument)
        self._asked.append(call)  # not before: an argument may be one that cannot be sent
        if operation != Op.CALL and self._news.has_news:
            self._news.sent(group)

    def _finish(self, call: str, timeout: float | None, wait: str | None = None, begin: str | None = None) -> list[Any]:
        self._check_open()
        if not self._asked or self._asked[0] != call:
            raise NoPendingCallError(
                f"Calling `{wait or call + '_wait'}` without any prior call to `{begin or call + '_async'}`.", call
            )
        try:
            answers = self._pool.finish(timeout)
        except WorkerTimeoutError:
            self._late = True
            raise
        except Exception:
            self._asked.pop(0)
            if call != "call":
                self._log_failures()
            raise
        self._late = False
        self._asked.pop(0)
        return answers

    def _log_failures(self) -> None:
        """Say what every environment has raised, of which only the first can be raised here."""
        if not self._pool.failures:
            return
        with contextlib.suppress(UserWarning):  # where warnings are errors
            for env, error in self._pool.failures:
                text = "".join(traceback.format_exception(error))
                if isinstance(error.__cause__, RemoteTraceback):
                    text = error.__cause__.args[0]
                logger.error("Received the following error from Worker-%s - Shutting it down", env)
                logger.error("%s", text)
            logger.error("Raising the last exception back to the main process.")


def _check_worker(worker: Any) -> None:
    if worker is not None and not (isinstance(worker, type) and issubclass(worker, EnvSlice)):
        raise ConfigError(
            f"worker must be a class derived from vecbt.shm.env_slice.EnvSlice, got {worker!r}. A function for "
            f"AsyncVectorEnv talks over pipes, one process for each environment; here a process has many, and no pipes"
        )


def _specs(n: int, *layouts: Layout | ActionLayout | None) -> dict[str, ArraySpec]:
    specs = {
        "rewards": ArraySpec((n,), "float64"),
        "terminations": ArraySpec((n,), "bool"),
        "truncations": ArraySpec((n,), "bool"),
        "episodes": ArraySpec((n,), "int64"),  # since the environment was seeded
        "states": ArraySpec((n,), "uint8"),
        "choice_waits": ArraySpec((n,), "bool"),
        "final_mask": ArraySpec((n,), "bool"),
        **info_specs(n),
    }
    for each in layouts:
        if each is not None:
            specs |= each.specs
    return specs


def _in_order(answers: Sequence[Sequence[tuple[int, Any]]]) -> tuple[Any, ...]:
    pairs: Iterator[tuple[int, Any]] = (pair for part in answers for pair in part)
    return tuple(answer for _, answer in sorted(pairs, key=lambda pair: pair[0]))
