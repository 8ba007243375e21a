"""The release's formulas written plainly: what fast code is compared with, in tests and timings.

Order and layout of the release: convolution, batch norm, ReLU, max pool; a loop over time with a
loop over layers inside; a concatenation and three linear maps a cell.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class PlainFrontEnd(nn.Module):
    """(B, n_mels, T) -> (B, T', channels * bands)."""

    def __init__(self, kernel, channels=(64, 16)):
        super().__init__()
        padding = tuple((k - 1) // 2 for k in kernel)
        layers = []
        for inputs, outputs in ((1, channels[0]), channels):
            layers += [
                nn.Conv2d(inputs, outputs, kernel, padding=padding),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, spectrogram):
        return self.layers(spectrogram[:, None]).flatten(1, 2).transpose(1, 2)


class PlainCell(nn.Module):
    """One layer of the release: gates through a batch norm with statistics per step."""

    def __init__(self, x_size, y_size, hidden, steps):
        super().__init__()
        self.gates = nn.Linear(x_size + y_size + hidden, 4 * hidden)
        self.from_x = nn.Linear(x_size + hidden, hidden)
        self.from_y = nn.Linear(y_size + hidden, hidden)
        self.gate_norms = nn.ModuleList(
            nn.BatchNorm1d(4 * hidden, affine=False) for _ in range(steps)
        )
        self.scale = nn.Parameter(torch.full((4 * hidden,), 0.1))
        self.shift = nn.Parameter(torch.zeros(4 * hidden))
        self.output_norm = nn.BatchNorm1d(hidden)

    def forward(self, x, y, h, c, step):
        gates = torch.sigmoid(self.gates(torch.cat([x, y, h], 1)))
        gates = self.gate_norms[step](gates) * self.scale + self.shift
        f, i_t, o, i_f = gates.chunk(4, 1)
        g_t = torch.tanh(self.from_x(torch.cat([x, h], 1)))
        g_f = torch.tanh(self.from_y(torch.cat([y, h], 1)))
        c = f * c + i_t * g_t + i_f * g_f
        h = o * torch.tanh(c)
        return self.output_norm(h), h, c


class PlainDSLSTM(nn.Module):
    """x (B, T, X), y (B, T, Y) -> (B, T, H), step after step."""

    def __init__(self, x_size, y_size, hidden, layers, steps):
        super().__init__()
        sizes = [x_size, *[hidden] * (layers - 1)]
        self.hidden = hidden
        self.cells = nn.ModuleList(PlainCell(size, y_size, hidden, steps) for size in sizes)

    def forward(self, x, y):
        zeros = x.new_zeros(len(x), self.hidden)
        states = [(zeros, zeros)] * len(self.cells)
        outputs = []
        for t in range(x.shape[1]):
            out = x[:, t]
            for k, cell in enumerate(self.cells):
                out, h, c = cell(out, y[:, t], *states[k], t)
                states[k] = (h, c)
            outputs.append(out)
        return torch.stack(outputs, 1)


def plain_align(x, y):
    steps = min(y.shape[1], x.shape[1] // 2 - 1)
    means = [x[:, 2 * t : 2 * t + 3].mean(1) for t in range(steps)]
    return torch.stack(means, 1), y[:, :steps]


class PlainDS(nn.Module):
    """The release's M_DS-LSTM on squashed spectrograms, with the names of no one else's weights."""

    def __init__(self, hidden=200, layers=2, classes=4, channels=(64, 16), n_mels=(128, 256)):
        super().__init__()
        self.front1 = PlainFrontEnd((4, 2), channels)
        self.front2 = PlainFrontEnd((2, 4), channels)
        with torch.no_grad():
            x = self.front1.eval()(torch.zeros(1, n_mels[0], 230))
            y = self.front2.eval()(torch.zeros(1, n_mels[1], 120))
            steps = plain_align(x, y)[0].shape[1]
        self.train()
        self.lstm = PlainDSLSTM(x.shape[2], y.shape[2], hidden, layers, steps)
        self.linear = nn.Linear(hidden, classes)

    def forward(self, batch):
        x, y = plain_align(self.front1(batch.s1), self.front2(batch.s2))
        return self.linear(self.lstm(x, y).mean(1))


class PlainCNNLSTM(nn.Module):
    """The release's CNN and LSTM on one squashed spectrogram, S1 or S2."""

    def __init__(self, which="s1", hidden=200, layers=2, classes=4, channels=(64, 16)):
        super().__init__()
        self.which = which
        kernel, shape = {"s1": ((4, 2), (128, 230)), "s2": ((2, 4), (256, 120))}[which]
        self.front = PlainFrontEnd(kernel, channels)
        with torch.no_grad():
            size = self.front.eval()(torch.zeros(1, *shape)).shape[2]
        self.train()
        self.lstm = nn.LSTM(size, hidden, layers, batch_first=True)
        self.linear = nn.Linear(hidden, classes)

    def pooled(self, batch):
        output, _ = self.lstm(self.front(getattr(batch, self.which)))
        return output.mean(1)

    def forward(self, batch):
        return self.linear(self.pooled(batch))


class PlainPair(nn.Module):
    """The release's two CNNs and LSTMs, their pooled outputs side by side."""

    def __init__(self, hidden=200, layers=2, classes=4, channels=(64, 16)):
        super().__init__()
        self.s1 = PlainCNNLSTM("s1", hidden, layers, classes, channels)
        self.s2 = PlainCNNLSTM("s2", hidden, layers, classes, channels)
        self.s1.linear, self.s2.linear = nn.Identity(), nn.Identity()
        self.linear = nn.Linear(2 * hidden, classes)

    def forward(self, batch):
        return self.linear(torch.cat([self.s1.pooled(batch), self.s2.pooled(batch)], 1))


class PlainMFCC(nn.Module):
    """The release's MFCC LSTM: runs over the padding, averages the valid frames."""

    def __init__(self, hidden=200, layers=2, classes=4):
        super().__init__()
        self.lstm = nn.LSTM(39, hidden, layers, batch_first=True)
        self.linear = nn.Linear(hidden, classes)

    def forward(self, batch):
        output, _ = self.lstm(batch.mfcc)
        lengths = batch.mfcc_lengths.to(output.device)
        valid = torch.arange(output.shape[1], device=output.device) < lengths[:, None]
        return self.linear((output * valid[..., None]).sum(1) / lengths[:, None])


def training_step(model, batch, optimiser):
    """Forward, backward and update, as the release: cross entropy and Adam."""
    loss = F.cross_entropy(model(batch), batch.labels)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss
