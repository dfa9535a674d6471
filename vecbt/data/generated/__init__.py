"""Trials that are generated while environments run; `vecbt.data.generated.domain` is where it begins."""
