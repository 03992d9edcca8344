"""Checking a delivery: a notebook, and the run records it reads, held against what they come to again."""
