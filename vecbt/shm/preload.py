"""Imported once by the fork server, so that the workers it forks start with everything at hand."""

import vecbt.brokers.cerebro.slice
import vecbt.dataserver  # noqa: F401
