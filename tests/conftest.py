from __future__ import annotations

from hypothesis import settings

# The first call of a kernel compiles it: the time of an example says nothing.
settings.register_profile("vecbt", deadline=None)
settings.load_profile("vecbt")
