"""The player of the chapters' pages: the one of the command's, :mod:`ser.plots.player`."""

from ser.plots.player import Player, page_gain, player, players

__all__ = ["Player", "page_gain", "player", "players"]
