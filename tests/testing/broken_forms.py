"""Environments that break a rule on what they are, or on the form and the memory of what they return."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from tests.testing.vector_envs import MODES, SAME, Cases, Good

CASES = Cases()
breaks, steps, strict = CASES.breaks, CASES.steps, {"strict": True}


@breaks("attributes", r"num_envs to be a whole number of 1 or more, got None")
class NoNumber(Good):
    def __init__(self, mode: AutoresetMode) -> None:
        super().__init__(mode)
        self.num_envs = None  # type: ignore[assignment]


@breaks("attributes", r"single_action_space to be a space, got 3")
class NoSpace(Good):
    def __init__(self, mode: AutoresetMode) -> None:
        super().__init__(mode)
        self.single_action_space = 3  # type: ignore[assignment]


@breaks("attributes", r"action_space to be a batch of 3 Discrete\(3\), got MultiDiscrete\(\[3 3\]\)")
class TwoActions(Good):
    def __init__(self, mode: AutoresetMode) -> None:
        super().__init__(mode)
        self.action_space = spaces.MultiDiscrete([3, 3])


@breaks("autoreset_mode", r"an AutoresetMode in the metadata, got 'NextStep'")
class NamedMode(Good):
    def __init__(self, mode: AutoresetMode) -> None:
        super().__init__(mode)
        self.metadata = {"autoreset_mode": mode.value}


@steps("calls", r"the call to return, got ZeroDivisionError: .* \(step 1 after reset\(seed=0\)\)")
def raise_error(envs: Any, result: list[Any]) -> None:
    1 / 0  # noqa: B018


@breaks("returns", r"a tuple of 2, got a ndarray \(reset\(seed=0\)\)")
class ObservationsAlone(Good):
    def reset(self, **arguments: Any) -> Any:
        return super().reset(**arguments)[0]


@steps("returns", r"a tuple of 5, got a tuple of 4 \(step 1 after reset\(seed=0\)\)")
def one_flag(envs: Any, result: list[Any]) -> None:
    del result[2]


@steps("returns", r"rewards to be a floating array \(3,\), got \[")
def list_of_rewards(envs: Any, result: list[Any]) -> None:
    result[1] = result[1].tolist()


@steps("returns", r"rewards to be a floating array \(3,\), got float64 \(3, 1\)")
def column_of_rewards(envs: Any, result: list[Any]) -> None:
    result[1] = result[1][:, None]


@steps("returns", r"truncations to be a bool array \(3,\), got int64 \(3,\)")
def whole_flags(envs: Any, result: list[Any]) -> None:
    result[3] = result[3].astype(np.int64)


@steps("returns", r"infos to be a dict, got \[")
def list_of_infos(envs: Any, result: list[Any]) -> None:
    result[4] = [result[4]]


@steps("float64", r"float64, got float32", **strict)
def single_precision(envs: Any, result: list[Any]) -> None:
    result[1] = result[1].astype(np.float32)


@steps("observations", r"a member of Box\(-1000.0, 1000.0, \(3, 2\), float32\), got ")
def outside(envs: Any, result: list[Any]) -> None:
    result[0] += 2000.0


@breaks("observations", r"a member of Box\(-1000.0, 1000.0, \(2,\), float32\), got ")
class SpaceOfOne(Good):
    def __init__(self, mode: AutoresetMode) -> None:
        super().__init__(mode)
        self.observation_space = self.single_observation_space


@breaks("observations", r"3 rows, got 2")
class TwoRows(Good):
    def __init__(self, mode: AutoresetMode) -> None:
        super().__init__(mode)
        self.observation_space = spaces.Box(-1000.0, 1000.0, (2, 2), np.float32)

    def reset(self, **arguments: Any) -> Any:
        observations, infos = super().reset(**arguments)
        return observations[:2], infos


@steps("infos", r"infos\['_count'\] to be a bool array \(3,\), got None")
def no_mask(envs: Any, result: list[Any]) -> None:
    del result[4]["_count"]


@steps("infos", r"infos\['_count'\] to be a bool array \(3,\), got bool \(2,\)")
def short_mask(envs: Any, result: list[Any]) -> None:
    result[4]["_count"] = np.ones(2, bool)


@steps("infos", r"infos\['_more'\] to be a bool array \(3,\), got int64 \(3,\)")
def whole_mask(envs: Any, result: list[Any]) -> None:
    result[4]["_more"] = np.ones(3, np.int64)


@steps("infos", r"infos\['count'\] to be an array with 3 rows, or a dict of such, got 7")
def single_info(envs: Any, result: list[Any]) -> None:
    result[4]["count"] = 7


@steps("infos", r"infos\['more'\]\['place'\] to be an array with 3 rows, or a dict of such, got float64 \(2,\)")
def short_nested_info(envs: Any, result: list[Any]) -> None:
    result[4]["more"]["place"] = np.zeros(2)


@steps("nested_masks", r"infos\['more'\]\['_place'\] to be a bool array \(3,\), got None", **strict)
def no_nested_mask(envs: Any, result: list[Any]) -> None:
    del result[4]["more"]["_place"]


@breaks("memory", r"observations in memory of its own, got observations of reset\(seed=0\) \(step 1", *MODES)
class Views(Good):
    def __init__(self, mode: AutoresetMode) -> None:
        super().__init__(mode, copy=False)


@steps("memory", r"rewards in memory of its own, got rewards of step 1 after .* \(step 2 after", copies=False)
def one_buffer_of_rewards(envs: Any, result: list[Any]) -> None:
    envs.buffer = getattr(envs, "buffer", result[1])
    envs.buffer[:] = result[1]
    result[1] = envs.buffer


@steps("memory", r"observations to stay as returned, got other values after later calls \(step 1 after")
def ring_of_buffers(envs: Any, result: list[Any]) -> None:
    envs.ring = getattr(envs, "ring", [np.zeros_like(result[0]) for _ in range(2)])[::-1]
    envs.ring[0][:] = result[0]
    result[0] = envs.ring[0]


@steps("memory", r"infos\['more'\]\['place'\] in memory of its own, got infos\['more'\]\['place'\] of step 1")
def one_buffer_of_infos(envs: Any, result: list[Any]) -> None:
    envs.buffer = getattr(envs, "buffer", np.zeros(3))
    result[4]["more"]["place"] = envs.buffer


@steps("memory", r"infos\['final_obs'\] in memory of its own, got observations \(", SAME)
def final_observations_in_the_new_ones(envs: Any, result: list[Any]) -> None:
    if "final_obs" in result[4]:
        result[4]["final_obs"] = result[0].view()


@breaks("actions", r"expected array\(\[.*\]\), got array\(\[0, 0, 0\]\) after the call \(step 1")
class ChangesActions(Good):
    def step(self, actions: Any) -> Any:
        result = super().step(actions)
        actions[:] = 0
        return result


@breaks("actions", r"expected the observation array\(.*, got array\(.* \(environment 0, step 2\)", *MODES)
class KeepsActions(Good):
    """Executes the actions of the step before."""

    late: Any = None

    def reset(self, **arguments: Any) -> Any:
        self.late = None
        return super().reset(**arguments)

    def step(self, actions: Any) -> Any:
        late, self.late = self.late, actions
        return super().step(np.ones_like(actions) if late is None else late)


@breaks("actions", r"result\[4\]\['taken'\] in memory of its own, got that of the actions")
class ReturnsActions(Good):
    def step(self, actions: Any) -> Any:
        result = super().step(actions)
        result[-1].update({"taken": actions, "_taken": np.ones(3, bool)})
        return result
