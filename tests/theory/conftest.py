"""Settings that the theory tests share."""

from __future__ import annotations

import pytest
import torch

from manyshot.theory.data import torch_generator
from manyshot.theory.setting import Setting, make_setting

torch.set_num_threads(1)


def skewed_setting(d: int, *, noise: float = 0.3, m: int = 20) -> Setting:
    """Return a setting with a random Sigma and a target task that is not of unit norm."""
    source = torch_generator(7, "skewed", d)
    root = torch.randn(d, d, generator=source, dtype=torch.float64)
    sigma = root @ root.T / d + 0.3 * torch.eye(d, dtype=torch.float64)
    theta_0 = torch.randn(d, generator=source, dtype=torch.float64) / d**0.5
    return make_setting(d, noise=noise, m=m, sigma=sigma, theta_0=theta_0)


def random_task(d: int, name: str = "task") -> torch.Tensor:
    return torch.randn(d, generator=torch_generator(3, name, d), dtype=torch.float64) / d**0.5


@pytest.fixture
def published() -> Setting:
    """The published experiment: d = 5, s2 = .1, m = 20, Sigma = I."""
    return make_setting()
