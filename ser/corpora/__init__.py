"""Corpora: one reader a corpus, one table of utterances for all (book: chapter "Corpora").

>>> from ser.corpora import CORPORA, EMOTIONS
>>> EMOTIONS
('angry', 'happy', 'neutral', 'sad')
>>> CORPORA["emodb"].total, CORPORA["emodb"].four_class, CORPORA["emodb"].speakers
(535, 339, 10)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["COLUMNS", "EMOTIONS", "Corpus"],
        "load": ["corpus_info", "load_corpus", "read_corpus"],
        "registry": ["CORPORA", "CorpusInfo"],
    },
)
