"""Train, compare and explain neural image classifiers, with numbers that can be trusted."""
