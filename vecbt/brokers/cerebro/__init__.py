"""The engine that runs Backtrader itself."""
