"""Why this answer: what of a recording an answer rests on, and what of a corpus a classifier does.

For a recording and a network (:func:`explain`): occlusion, and integrated gradients, over time and
band. For a corpus (:func:`explain_corpus`): which kinds of functionals a linear classifier needs
for speakers whom it has not heard, and what lies near what, before and after each speaker is
normalised. Book: chapter "Mistakes and certainty, in full".
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "explanation": ["Explanation"],
        "recording": ["explain"],
        "corpus": ["explain_corpus", "read_voices"],
        "functionals": ["GROUPS", "group_of", "importance"],
        "patches": ["View"],
    },
)
