"""Many runs: the grid, the engine that spreads it, the records it leaves (book: "Ablations")."""

from ser.experiments.compact import unpack_logits
from ser.experiments.config import RunConfig
from ser.experiments.grid import plan, run
from ser.experiments.records import fuse_records, read_record, write_record

__all__ = [
    "RunConfig",
    "fuse_records",
    "plan",
    "read_record",
    "run",
    "unpack_logits",
    "write_record",
]
