"""Errors a user can act on: each message names the file or option and the way out.

Everything the package raises on purpose derives from :class:`SerError`; the command line
prints its message without a traceback and exits with :attr:`SerError.exit_code`.
"""

from __future__ import annotations


class SerError(Exception):
    """Base of all errors with a message for the user."""

    exit_code = 2


class AudioError(SerError, ValueError):
    """A file that cannot become a waveform: missing, empty, corrupt, NaN, too short."""


class CorpusError(SerError, ValueError):
    """A corpus that cannot be read: missing root, wrong layout, unknown label."""


class FetchError(SerError, RuntimeError):
    """A download that failed: network, size, checksum, unsafe archive member, disk."""


class FeatureError(SerError, ValueError):
    """Features that cannot be computed or read back."""


class ProtocolError(SerError, ValueError):
    """A split that cannot be made: too few speakers, no sessions, unknown protocol."""


class ModelError(SerError, ValueError):
    """An unknown row name, or a checkpoint that does not fit."""


class TrainingError(SerError, RuntimeError):
    """A run that cannot go on: NaN or infinite loss, divergence, no data."""

    exit_code = 3


class RecordError(SerError, ValueError):
    """A record that cannot be read or does not belong with the others."""
