"""One training run: seed, loop, checkpoint, resume (book: "Training on a GPU")."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "checkpoint": ["Progress", "load_checkpoint", "save_checkpoint"],
        "config": ["TrainConfig", "derived_seed"],
        "loop": ["Outcome", "logits_of", "train"],
        "optimiser": ["make_optimiser"],
        "order": ["batches", "epoch_batches", "epoch_order"],
    },
)
