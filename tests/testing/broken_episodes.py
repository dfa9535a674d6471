"""Environments that break a rule on seeds, on the ends of episodes, on resets, or on closing."""

from __future__ import annotations

import copy
import time
from typing import Any

import numpy as np
from gymnasium.vector import SyncVectorEnv

from tests.testing.vector_envs import DISABLED, MODES, NEXT, SAME, Cases, Good

CASES = Cases()
breaks, steps, strict = CASES.breaks, CASES.steps, {"strict": True}


@breaks("options", r"expected {'reset_mask': array\(.*\)}, got {} \(reset\(reset_mask=", *MODES, **strict)
class TakesFromOptions(Good):
    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return SyncVectorEnv.reset(self, seed=seed, options=options)


@breaks("seed", r"expected the observation array\(.*, got array\(.*\) \(environment 0, after the reset\)", *MODES)
class OneSeed(Good):
    """Takes a seed only the first time."""

    seeded = False

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        seed, self.seeded = None if self.seeded else seed, True
        return super().reset(seed=seed, options=options)


@steps("seed", r"expected the reward .*, got .* \(environment 1, step 1\)")
def rewards_of_the_clock(envs: Any, result: list[Any]) -> None:
    result[1][1] += time.perf_counter()


@steps("infos_repeat", r"expected infos\['count'\] array\(.*, got array\(.*\) \(step 1\)", **strict)
def counts_all_steps(envs: Any, result: list[Any]) -> None:
    envs.counted = getattr(envs, "counted", 0) + 1
    result[4]["count"] += envs.counted


@breaks("np_random_seed", r"expected \(0, 1, 2\), got \(0, 0, 0\) \(after reset\(seed=0\)\)")
class SameSeeds(Good):
    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return super().reset(seed=[seed] * 3 if isinstance(seed, int) else seed, options=options)


@breaks("np_random_seed", r"expected \(0, 1, 2\), got 0 \(after", **strict)
class OneNumber(Good):
    np_random_seed = 0  # type: ignore[assignment]


@breaks("seeds", r"expected the observation array\(.* \(environment 0, after the reset\)", *MODES)
class ListBackwards(Good):
    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return super().reset(seed=seed[::-1] if isinstance(seed, list) else seed, options=options)


@breaks(
    "next_step", r"reward 0.0, termination False, truncation False, got reward 1.0, .* \(environment \d, step \d+, the"
)
class RewardOfReset(Good):
    def step(self, actions: Any) -> Any:
        begun = self._autoreset_envs.copy()
        result = super().step(actions)
        result[1][begun] = 1.0
        return result


@breaks("next_step", r"got reward 0.0, termination True, truncation False")
class FlagStays(Good):
    def step(self, actions: Any) -> Any:
        begun = self._autoreset_envs.copy()
        result = super().step(actions)
        result[2][begun] = True
        return result


@steps("same_step", r"_final_obs \[.*False.*\], got array\(\[ True, True, True\]\) \(step \d", SAME)
def everything_is_final(envs: Any, result: list[Any]) -> None:
    if "_final_obs" in result[4]:
        result[4]["_final_obs"][:] = True


@steps("same_step", r"_final_info \[False, False, False\], got array\(\[ True, False, False\]\) \(step 1\)", SAME)
def final_too_early(envs: Any, result: list[Any]) -> None:
    result[4].setdefault("final_info", {})
    result[4].setdefault("_final_info", np.array([True, False, False]))


@steps("same_step", r"_final_obs \[.*True.*\], got array\(\[False, False, False\]\)", SAME)
def no_final_observation(envs: Any, result: list[Any]) -> None:
    result[4].pop("final_obs", None)
    result[4].pop("_final_obs", None)


@steps("same_step", r"final_info to be a dict, got array\(", SAME)
def array_of_final_infos(envs: Any, result: list[Any]) -> None:
    if "final_info" in result[4]:
        result[4]["final_info"] = np.zeros(3)


@steps(
    "same_step",
    r"final_obs in Box\(-1000.0, 1000.0, \(2,\), float32\), got array\(\[0., 0.\]\) \(environment \d, st",
    SAME,
)
def other_final_observations(envs: Any, result: list[Any]) -> None:
    if "final_obs" in result[4]:
        result[4]["final_obs"] = np.zeros((3, 2))  # float64


@breaks(
    "disabled", r"the observation to stay array\(.*, got array\(.*\(environment \d, reset_mask after step \d", DISABLED
)
class ResetsAll(Good):
    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return super().reset(seed=seed)


@breaks("ended_step", r"an error, got none \(a step after the episode's end at step \d\)", DISABLED, **strict)
class StepsOn(Good):
    def step(self, actions: Any) -> Any:
        self._autoreset_envs[:] = False
        return super().step(actions)


@breaks(
    "new_episode",
    r"the observation of reset\(\) at this point, .* \(environment \d, after the episode's end at step \d",
)
class ShowsTheEndAgain(Good):
    def step(self, actions: Any) -> Any:
        begun, last = self._autoreset_envs.copy(), copy.deepcopy(self._observations)
        result = super().step(actions)
        result[0][begun] = last[begun]
        return result


@breaks(
    "new_episode", r"the observation of reset\(\) at this point, .* \(environment \d, after the episode's end", DISABLED
)
class SeedsPartialResets(Good):
    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return super().reset(seed=[7] * 3 if options and "reset_mask" in options else seed, options=options)


@steps(
    "new_episode", r"final_obs of the episode that has ended and the observation of a new one, got .* for both", SAME
)
def final_is_first(envs: Any, result: list[Any]) -> None:
    if "final_obs" in result[4]:
        result[4]["final_obs"] = result[0].copy()


@breaks("reset_after_end", r"expected the observation array\(.* \(environment \d, step 1\)")
class ResetsTwice(Good):
    """Does not notice that a reset has come before its own."""

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        pending = self._autoreset_envs
        result = super().reset(seed=seed, options=options)
        # A rollout that ends with an end is another matter.
        self._autoreset_envs = pending if self.stepped < 20 else self._autoreset_envs
        self.stepped = 0
        return result

    stepped = 0

    def step(self, actions: Any) -> Any:
        self.stepped += 1
        return super().step(actions)


@breaks(
    "partial_reset",
    r"the observation to stay array\(.* \(environment 1, reset_mask after step \d",
    NEXT,
    SAME,
    **strict,
)
class ResetsAllOfThem(ResetsAll):
    pass


@breaks(
    "partial_reset", r"expected the (observation|termination|truncation) .* \(environment 1, step \d+\)", NEXT, **strict
)
class DisturbsOthers(Good):
    """The others show what they showed, and have another future."""

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        if options:
            for env in self.envs:
                env.unwrapped.np_random.normal()
        return super().reset(seed=seed, options=options)


@breaks(
    "partial_reset",
    r"the observation of reset\(\) at this point, .* \(environment 0, reset_mask after step",
    SAME,
    **strict,
)
class SeedsSomeResets(SeedsPartialResets):
    pass


def takes_wrong(kind: str) -> Any:
    class Lenient(Good):
        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            mask = (options or {}).get("reset_mask", np.ones(3, bool))
            right = {"shape": mask[:3], "dtype": mask.astype(bool), "no True": mask if mask.any() else ~mask}[kind]
            return super().reset(seed=seed, options={"reset_mask": right})

    return Lenient


breaks("wrong_masks", r"an error, got none for a reset_mask with the shape \(4,\)", DISABLED, **strict)(
    takes_wrong("shape")
)
breaks("wrong_masks", r"an error, got none for a reset_mask with the dtype int64", NEXT, **strict)(takes_wrong("dtype"))
breaks("wrong_masks", r"an error, got none for a reset_mask with no True", SAME, **strict)(takes_wrong("no True"))


@breaks("close", r"close\(\) to return, got RuntimeError: closed already \(the second call\)")
class ClosesOnce(Good):
    def close(self, **arguments: Any) -> None:
        if self.closed:
            raise RuntimeError("closed already")
        super().close(**arguments)


@breaks("closed", r"closed to be True, got False \(after close\(\)\)", **strict)
class NeverClosed(Good):
    def close(self, **arguments: Any) -> None:
        pass


@breaks("closed", r"step to raise, got no error", **strict)
class StepsAfterClose(Good):
    def step(self, actions: Any) -> Any:
        return SyncVectorEnv.step(self, actions)


@breaks("closed", r"reset to raise, got no error", **strict)
class ResetsAfterClose(Good):
    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return SyncVectorEnv.reset(self, seed=seed, options=options and dict(options))
