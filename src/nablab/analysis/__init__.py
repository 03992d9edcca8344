"""What the records of runs say: metrics, curves, costs, and which differences can be trusted. Never torch."""
