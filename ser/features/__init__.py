"""What the networks hear: MFCCs and a pair of mel-spectrograms, computed in torch and cached.

``mfcc39`` and ``mel_pair`` turn one waveform into features, their ``_batch`` versions many at
once. ``extract`` does it for a corpus and keeps the result on disk; ``save_pack`` and
``load_pack`` carry features to a machine that has no sound libraries. Book: chapters "Two
resolutions" and "MFCC, pitch, level and rate".
"""

from ser.features.extract import extract, resolve_device
from ser.features.mel import MelPair, mel_filterbank, mel_pair, mel_pair_batch
from ser.features.mfcc import mfcc39, mfcc39_batch
from ser.features.pack import load_pack, save_pack
from ser.features.presets import PRESETS, Preset, get_preset, squash
from ser.features.table import Features

__all__ = [
    "PRESETS",
    "Features",
    "MelPair",
    "Preset",
    "extract",
    "get_preset",
    "load_pack",
    "mel_filterbank",
    "mel_pair",
    "mel_pair_batch",
    "mfcc39",
    "mfcc39_batch",
    "resolve_device",
    "save_pack",
    "squash",
]
