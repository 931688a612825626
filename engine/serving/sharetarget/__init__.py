"""Whom should a user share an item with: candidates, signals and a learned ranker, in plain numpy."""
