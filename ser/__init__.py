"""Speech emotion recognition with the Dual-Sequence LSTM, as the book *opens it up*.

The way of an utterance: corpus table -> split -> features -> batch -> model -> logits ->
record -> metric -> figure. Names below are loaded on first use, so ``import ser`` is quick.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "corpora": ["load_corpus", "Corpus"],
        "audio": ["load_audio"],
        "features": ["mfcc39", "mel_pair"],
        "nn": ["DSLSTMCell", "DSLSTM"],
        "models": ["add_row", "build_model"],
        "protocols": ["split"],
        "experiments": ["RunConfig", "run"],
        "prediction": ["predict"],
        "errors": ["SerError"],
    },
)
__all__ += ["__version__"]
