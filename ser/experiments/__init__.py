"""Many runs: the grid, the engine that spreads it, the records it leaves (book: "Ablations")."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "choice": ["choose"],
        "config": ["RunConfig"],
        "grid": ["plan", "run"],
        "record_folder": ["fold_records", "stored_records"],
        "records": ["fuse_records"],
    },
)
