"""Which values a setting of a training run may have, in words for help and for messages."""

from __future__ import annotations

RANGES: dict[str, str] = {
    "epochs": "a whole number from 1",
    "batch_size": "a whole number from 2",
    "lr": "above 0",
    "optimiser": "adam, adamw or sgd",
    "weight_decay": "0 or more",
    "gamma": "above 0, at most 1",
    "clip": "0 or more",
    "hidden": "a whole number from 1",
    "precision": "float32 or bfloat16",
    "frames": "preset, fixed or true",
    "spec_augment": "0 to 20",
    "level": "0 to 60",
    "speed": "factors from 0.5 to 2 but 1, each once",
    "mixup": "0 or more",
    "dropout": "0 or more, below 1",
    "pooling": "mean, mean-deviation or attention",
    "channels": "two whole numbers from 1",
    "ema": "0 or more, below 1",
    "batches": "shuffled, similar or balanced",
    "layers": "a whole number from 1",
    "stride": "1 to 20",
    "recurrent_dropout": "0 or more, below 1",
    "schedule": "steps or one-cycle",
    "label_smoothing": "0 or more, below 1",
    "clip_z": "0 or more",
    "vtlp": "two factors A,B from 0.5 to 2, A not above B",
    "tempo": "two factors A,B from 0.5 to 2, A not above B",
    "adversarial": "0 or more",
    "pitch_shift": "0 to 24",
}
"""Setting of :class:`ser.training.TrainConfig` -> what it may be; all numbers are finite."""
