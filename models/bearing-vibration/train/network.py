"""The graph of ``bearing-vibration``: fixed signal processing, then a small network. Raw rows in, probabilities out.

Fixed (``Spectra``), all of it in matrix products and convolutions that every runtime has:

1. The mean of each axis is taken off, and all three are divided by their common RMS: gain and offset do not matter.
2. A bank of complex band-pass filters gives the analytic signal of each band. Its power summed over the axes does not
   change when the sensor is turned. The root of it, softly limited, is the envelope of that band.
3. The spectrum of each envelope (a Hann window, a Fourier transform in two steps of 64 points), and of the low-passed
   rows themselves, where the shaft shows.
4. Each spectrum on a logarithmic frequency axis, 48 bins to the octave. There a change of speed is a shift: what tells
   the classes apart looks the same at 10 and at 60 turns a second.
5. The three bands in which something repeats most clearly, the strongest and the mean over all bands, and the rows.

Learned (``Judge``): it sees each spectrum beside itself shifted by 1/2, 2, 3 and 4, so that harmonics of one frequency
stand at one place; convolutions with a reach of more than three octaves compare a fault line with shaft and cage.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

SAMPLE_RATE_HZ = 12_800
ROWS = 8192

_STRIDE = 4  # envelopes at 3200 Hz
_POINTS = ROWS // _STRIDE
_PADDED = 2 * _POINTS  # 64 x 64
_BIN_HZ = SAMPLE_RATE_HZ / _STRIDE / _PADDED
# Centre in Hz and length in taps: narrow bands for narrow resonances, wide ones for fast bearings.
_BANDS = [(hz, 48) for hz in range(650, 6151, 500)] + [(hz, 16) for hz in (1500, 2900, 4300, 5500)]
_PER_OCTAVE = 48
_LOWEST_HZ = 2.5
BINS = 444
_TAPS = 8
_CLEAREST = 3
_SHIFTS = tuple(round(_PER_OCTAVE * math.log2(h)) for h in (0.5, 1, 2, 3, 4))


class Spectra(nn.Module):
    """Rows ``[N, 8192, 3]`` to ``[N, kept, 2, BINS]``: log contrast and log depth of the spectra of step 5."""

    bands = len(_BANDS)
    kept = _CLEAREST + 3

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filters", _filter_bank())
        self.register_buffer("low", _low_pass())
        self.register_buffer("hann", torch.hann_window(_POINTS, periodic=True))
        n = np.arange(64)
        turn = np.exp(-2j * np.pi * np.outer(n, n) / 64)
        twiddle = np.exp(-2j * np.pi * np.outer(n, n) / _PADDED)
        # Half of the 64 x 64 grid is padding, and half of the result mirrors the other.
        self.register_buffer("first", _real(np.concatenate([turn[:, :32].real, turn[:, :32].imag])))
        self.register_buffer("twiddle_re", _real(twiddle.real))
        self.register_buffer("twiddle_im", _real(twiddle.imag))
        self.register_buffer("second_re", _real(turn[:, :32].real))
        self.register_buffer("second_im", _real(turn[:, :32].imag))
        below, share = _log_axis()
        self.register_buffer("below", below)
        self.register_buffer("share", share)

    def forward(self, window: Tensor) -> Tensor:
        """Steps 1 to 5."""
        x = window - window.mean(dim=1, keepdim=True)
        x = x / torch.sqrt((x * x).mean(dim=(1, 2), keepdim=True) + 1e-24)
        x = x.transpose(1, 2).reshape(-1, 1, ROWS)
        power = nnf.conv1d(x, self.filters, stride=_STRIDE, padding=24)[..., :_POINTS]
        power = (power * power).reshape(-1, 3, 2, self.bands, _POINTS).sum(dim=(1, 2))
        envelope = torch.sqrt(power + 1e-12)
        envelope = envelope / envelope.mean(dim=-1, keepdim=True)
        # One loud knock must not drown what repeats.
        envelope = envelope / (1 + envelope / 6)
        envelope = envelope / envelope.mean(dim=-1, keepdim=True) - 1
        slow = nnf.conv1d(x, self.low, stride=_STRIDE, padding=24)[..., :_POINTS].reshape(-1, 3, _POINTS)
        slow = slow - slow.mean(dim=-1, keepdim=True)
        bands = self._power_spectrum(envelope)
        rows = self._power_spectrum(slow).sum(dim=1, keepdim=True)
        spectrum = torch.cat([bands, rows], dim=1)
        taps = spectrum[..., self.below] * (1 - self.share) + spectrum[..., self.below + 1] * self.share
        depth = torch.log(taps.reshape(-1, self.bands + 1, BINS, _TAPS).amax(dim=-1) + 1e-9)
        around = nnf.avg_pool1d(depth, 65, stride=1, padding=32, count_include_pad=False)
        return self._kept(torch.stack([depth - around, depth * 0.25 + 1], dim=2))

    def _kept(self, x: Tensor) -> Tensor:
        bands = x[:, : self.bands]
        contrast = nnf.pad(bands[:, :, 0], (0, 76))
        once, twice, thrice = (contrast[..., shift : shift + BINS] for shift in (0, 48, 76))
        clearness = (once + 0.7 * twice + 0.4 * thrice).amax(dim=-1)
        clearest = clearness.topk(_CLEAREST, dim=1).indices
        top = torch.gather(bands, 1, clearest[:, :, None, None].expand(-1, -1, 2, BINS))
        strongest, mean = bands.amax(dim=1, keepdim=True), bands.mean(dim=1, keepdim=True)
        return torch.cat([top, strongest, mean, x[:, self.bands :]], dim=1)

    def _power_spectrum(self, x: Tensor) -> Tensor:
        """``[N, C, 2048]`` to ``[N, C, 2048]``: power at multiples of half a bin, from 0."""
        c = x.shape[1]
        x = (x * self.hann).reshape(-1, c, 32, 64)
        half = torch.matmul(self.first, x)
        re, im = half[..., :64, :], half[..., 64:, :]
        re, im = re * self.twiddle_re - im * self.twiddle_im, re * self.twiddle_im + im * self.twiddle_re
        full_re = torch.matmul(re, self.second_re) - torch.matmul(im, self.second_im)
        full_im = torch.matmul(re, self.second_im) + torch.matmul(im, self.second_re)
        power = (full_re * full_re + full_im * full_im) * (4 / _POINTS)
        return power.transpose(-1, -2).reshape(-1, c, _POINTS)


def _real(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def _filter_bank() -> Tensor:
    """Complex band passes (Blackman), ``[2 * bands, 1, 49]``: first the real parts, then the imaginary ones."""
    taps = np.zeros((2, len(_BANDS), 49))
    for place, (hz, length) in enumerate(_BANDS):
        at = np.arange(-(length // 2), length // 2 + 1)
        shape = np.blackman(length + 1) / np.blackman(length + 1).sum()
        wave = shape * np.exp(2j * np.pi * hz / SAMPLE_RATE_HZ * at)
        taps[:, place, 24 + at] = wave.real, wave.imag
    # No gain at zero frequency: gravity and the shaft stay out.
    taps[0] -= taps[0].sum(axis=1, keepdims=True) / 49
    return _real(taps.reshape(-1, 1, 49))


def _low_pass() -> Tensor:
    shape = np.blackman(49)
    return _real((shape / shape.sum())[None, None])


def _log_axis() -> tuple[Tensor, Tensor]:
    """Where each of 8 taps of each logarithmic bin lies between two bins of the transform."""
    bins = np.arange(BINS)[:, None] + (np.arange(_TAPS) + 0.5) / _TAPS - 0.5
    place = _LOWEST_HZ * 2 ** (bins / _PER_OCTAVE) / _BIN_HZ
    below = np.floor(place).astype(np.int64).ravel()
    assert below.max() + 1 < _POINTS
    return torch.from_numpy(below), _real(place.ravel() - below)


class Judge(nn.Module):
    """Spectra ``[N, kept, 2, BINS]`` to logits ``[N, 4]``."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv1d(Spectra.kept * (len(_SHIFTS) + 1), width, 7, stride=2, padding=3),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Conv1d(width, width, 5, stride=2, padding=2),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            *(_Reach(width, dilation) for dilation in (1, 2, 4, 8)),
        )
        self.head = nn.Sequential(nn.Linear(2 * width, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 4))

    def forward(self, spectra: Tensor) -> Tensor:
        """Harmonics side by side, then the trunk."""
        contrast = nnf.pad(spectra[:, :, 0], (48, 96))
        stack = [contrast[..., 48 + shift : 48 + shift + BINS] for shift in _SHIFTS]
        x = self.trunk(torch.stack([*stack, spectra[:, :, 1]], dim=2).flatten(1, 2))
        return self.head(torch.cat([x.amax(dim=-1), x.mean(dim=-1)], dim=1))


class _Reach(nn.Module):
    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, width, 5, padding=2 * dilation, dilation=dilation)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.relu(self.norm(self.conv(x)))


class Model(nn.Module):
    """``window`` to ``probabilities``: what is exported."""

    def __init__(self, judge: Judge) -> None:
        super().__init__()
        self.spectra, self.judge = Spectra(), judge

    def forward(self, window: Tensor) -> Tensor:
        """Both."""
        return torch.softmax(self.judge(self.spectra(window)), dim=-1)
