"""The chapters' own code: what notebooks call and the package ``ser`` does not need.

A module or folder a chapter, named as its notebook, and :mod:`chapters.shared` for what several
use. A chapter's code may use ``ser`` and the shared room, never another chapter's.
"""
