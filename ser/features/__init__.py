"""What the networks hear: MFCCs, a pair of mel-spectrograms (in torch), prosody; all cached.

``mfcc39``, ``mel_pair`` and ``prosody25`` turn one waveform into features. ``extract`` does it for
a corpus and keeps the result on disk; ``save_pack`` and ``load_pack`` carry features to a machine
that has no sound libraries. Book: chapters "Two resolutions" and "MFCC: a spectrum in a few
numbers".
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "extract": ["extract"],
        "mel": ["MelPair", "mel_filterbank", "mel_pair"],
        "mfcc": ["mfcc39"],
        "pack": ["load_pack", "save_pack"],
        "prosody": ["prosody25"],
        "presets": ["PRESETS", "Preset", "get_preset", "squash"],
        "table": ["Features"],
    },
)
