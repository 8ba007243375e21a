"""What a second view costs on new voices: controls of ``ds-lstm-prosody``, all else equal.

Run by ``ser run --rows book/chapters/unheard_voices/views.py --model prosody-twice,...``.
Book: chapter "Voices it has not heard".
"""

from __future__ import annotations

from dataclasses import replace

import torch
from ser.batch import Batch
from ser.models import add_row
from ser.nn import DSLSTM
from ser.nn.branches import DSProsodyBranch, MFCCBranch
from torch import Tensor


class ProsodyTwice(DSProsodyBranch):
    """The cell without a second view: both of its inputs are prosody."""

    needs = frozenset({"prosody"})

    def __init__(self, n_mels: tuple, hidden: int = 200, **options):
        super().__init__(hidden=hidden, **options)
        norms = {"gate_norm": False, "output_norm": False}
        self.lstm = DSLSTM(25, 25, hidden, 2, batch_first=True, **norms)

    def forward(self, batch: Batch) -> Tensor:
        """Batch with prosody (B, T, 25) -> logits (B, classes)."""
        rows, lengths = batch.prosody, batch.prosody_lengths
        return super().forward(replace(batch, mfcc=rows, mfcc_lengths=lengths))


class ViewDropout(DSProsodyBranch):
    """In training every utterance loses a view now and then: a third MFCCs, a third prosody."""

    def __init__(self, n_mels: tuple, **options):
        super().__init__(**options)

    def forward(self, batch: Batch) -> Tensor:
        """Batch with mfcc (B, T, 39) and prosody (B, T, 25) -> logits (B, classes)."""
        if self.training:
            lost = torch.randint(3, (len(batch.mfcc), 1, 1), device=batch.mfcc.device)
            mfcc, prosody = batch.mfcc * (lost != 0), batch.prosody * (lost != 1)
            batch = replace(batch, mfcc=mfcc, prosody=prosody)
        return super().forward(batch)


class SideBySide(MFCCBranch):
    """Both views without the cell: a plain LSTM over 64 numbers a row."""

    needs = frozenset({"mfcc", "prosody"})

    def __init__(self, n_mels: tuple, **options):
        super().__init__(size=64, **options)

    def forward(self, batch: Batch) -> Tensor:
        """Batch with mfcc (B, T, 39) and prosody (B, T, 25) -> logits (B, classes)."""
        steps = min(batch.mfcc.shape[1], batch.prosody.shape[1])
        rows = torch.cat([batch.mfcc[:, :steps], batch.prosody[:, :steps]], 2)
        lengths = torch.minimum(batch.mfcc_lengths, batch.prosody_lengths)
        return super().forward(replace(batch, mfcc=rows, mfcc_lengths=lengths))


if __name__ == "__main__":
    add_row("prosody-twice", ProsodyTwice, "DS-LSTM on prosody and prosody")
    add_row("view-dropout", ViewDropout, "ds-lstm-prosody, in training a view dropped at random")
    add_row("side-by-side", SideBySide, "LSTM on MFCCs and prosody side by side")
