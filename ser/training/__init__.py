"""One training run: seed, loop, checkpoint, resume (book: "Training on a GPU")."""

from ser.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from ser.training.config import TrainConfig, derived_seed
from ser.training.loop import Outcome, batches, epoch_batches, epoch_order, logits_of, train
from ser.training.optimiser import make_optimiser

__all__ = [
    "Outcome",
    "Progress",
    "TrainConfig",
    "batches",
    "derived_seed",
    "epoch_batches",
    "epoch_order",
    "load_checkpoint",
    "logits_of",
    "make_optimiser",
    "save_checkpoint",
    "train",
]
