"""Where episodes come from: a domain has trials, a trial has episodes.

A domain cuts a data set into training and test rows and says which stretches of rows (trials) and which first rows of
episodes it admits. It writes them all into tables once; a reset then draws by arithmetic and cannot fail.
"""

from vecbt.data.domain.causal import CausalDomain
from vecbt.data.domain.durations import Duration, rows_of
from vecbt.data.domain.random import RandomDomain
from vecbt.data.domain.rules import SampleRules
from vecbt.data.domain.sequential import SequentialDomain, WalkForward
from vecbt.data.domain.tables import Domain, TrialTable

__all__ = [
    "CausalDomain",
    "Domain",
    "Duration",
    "RandomDomain",
    "SampleRules",
    "SequentialDomain",
    "TrialTable",
    "WalkForward",
    "rows_of",
]
