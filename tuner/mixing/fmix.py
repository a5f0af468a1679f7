"""FMix: masks of arbitrary shape, cut at a level of low-frequency noise."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Gt
from jaxtyping import Float
from torch import Tensor

from tuner.mixing.base import Mixture
from tuner.mixing.blend import masked
from tuner.mixing.masks import top_share


def fmix(
    features: Float[Tensor, "batch c h w"],
    mixture: Mixture,
    rng: torch.Generator,
    *,
    decay_power: Annotated[float, Gt(0)] = 3.0,
    official: bool = False,
) -> tuple[Float[Tensor, "batch c h w"], Mixture]:
    """Two images through a mask of low-frequency noise, cut so that each has its share of the pixels.

    One mask an example; the target follows the mask's real mean, which is within a pixel or two of the drawn ratio.
    `official: true` gives the law of the authors' code, whose spectrum is built along the wrong axis: at 32x32 only 49
    of 544 frequencies are not zero, and masks are longer one way than the other. Published numbers were measured with
    it.

    Source: Harris et al., FMix (arXiv 2002.12047), section 3; code ecs-vlc/FMix, `make_low_freq_image`.
    """
    height, width = features.shape[-2:]

    def mask(own: Tensor) -> Tensor:
        noise = _low_frequency_noise((len(own), height, width), decay_power, official, rng)
        return top_share(noise.to(own.device, non_blocking=True), own)

    return masked(features, mixture, mask)


def _low_frequency_noise(
    shape: tuple[int, int, int], decay_power: float, official: bool, rng: torch.Generator
) -> Float[Tensor, "batch h w"]:
    """Return Gaussian noise of `shape` (batch, height, width), its amplitude falling with frequency to a power."""
    batch, height, width = shape
    rows = torch.fft.fftfreq(height, device=rng.device)[:, None]
    frequencies = torch.fft.rfftfreq if official else torch.fft.fftfreq
    columns = frequencies(width, device=rng.device)[None, :]
    amplitude = (rows**2 + columns**2).sqrt().clamp(min=1 / max(height, width)) ** -decay_power
    if official:
        # Two rows of frequencies taken for real and imaginary part, and (real, imaginary) for columns.
        drawn = torch.randn(batch, 2, width // 2 + 1, 2, generator=rng, device=rng.device)
        scaled = drawn * amplitude[:2, :, None]
        noise: Tensor = torch.fft.irfft2(torch.complex(scaled[:, 0], scaled[:, 1]), s=(height, width))
        return noise
    # The whole spectrum: with half of it (irfft2) the column of frequency 0 would have half its variance. Real and
    # imaginary part are two independent noises of the same law, as the amplitude is the same for opposite frequencies.
    drawn = torch.randn((batch + 1) // 2, height, width, 2, generator=rng, device=rng.device)
    both = torch.fft.ifft2(torch.view_as_complex(drawn) * amplitude)
    return torch.cat([both.real, both.imag])[:batch]
