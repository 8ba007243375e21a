"""Faults on purpose: mutated sounds and corpora, damaged files, killed runs, and what came of each.

``python -m tools.campaign --help``. Every case is seeded; the same seed gives the same cases.
"""
