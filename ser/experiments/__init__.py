"""Many runs: the grid, the engine that spreads it, the records it leaves (book: "Ablations")."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "compact": ["unpack_logits"],
        "config": ["RunConfig"],
        "grid": ["plan", "run"],
        "records": ["fuse_records", "read_record", "write_record"],
    },
)
