"""``vecbt warmup``: compile everything now rather than when it is first needed."""

from __future__ import annotations

import dataclasses

from vecbt.warmup import warm_up

__all__ = ["Warmup"]


@dataclasses.dataclass(frozen=True)
class Warmup:
    """Compile all kernels of both engines, once per machine; numba keeps them on disk."""

    def run(self) -> None:
        """Run it."""
        done = warm_up("compiling")
        if done.compiled:
            print(
                f"Functions compiled: {len(done.compiled)}, in {done.seconds:.1f} s; from now on they are in the cache."
            )
        else:
            print(f"Everything was in the cache; looking through it took {done.seconds:.1f} s.")
