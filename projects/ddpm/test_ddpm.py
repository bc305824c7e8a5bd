"""The diffusion model: the laws it obeys, and what is special to its papers."""

from __future__ import annotations

from projects.ddpm.model import DDPM
from projects.ddpm.network import UNet
from projects.ddpm.sampler import ddim_step
from projects.ddpm.schedule import NoiseSchedule, cosine, linear
from tests import laws
from tests.laws import seeded


def tiny(parameterisation: str = "eps", variance: str = "small", **settings) -> DDPM:
    """A diffusion model of 1 x 1 x 2 pixels with 33 levels."""
    outputs = 2 if variance == "learned" else 1
    network = UNet(
        (1, 1, 2),
        outputs,
        width=8,
        multipliers=(1,),
        num_blocks=1,
        attention=(1,),
        generator=seeded(0),
    )
    betas = settings.pop("betas", linear(100, first=1e-3, last=0.2))
    return DDPM(
        network,
        NoiseSchedule(betas),
        (1, 1, 2),
        num_levels=33,
        parameterisation=parameterisation,
        variance=variance,
        **{"clip": False, "num_sample_steps": 5} | settings,
    )


class TestDDPM(laws.Diffusion):
    gap_nats = 0.7  # beta-tilde is the variance for data that are points; a hundred steps show it

    def model(self):
        return tiny()


class TestLearnedVariancesAndV(laws.Diffusion):
    def model(self):
        return tiny("v", "learned", betas=cosine(100))


class TestLargeVariancesAndX0(laws.Diffusion):
    def model(self):
        return tiny("x0", "large")


class Sampling(laws.DiffusionSampler):
    def step(self, model, x, t, s, eta):
        return ddim_step(model, x, t, s, eta=eta)


class TestSampling(Sampling):
    def model(self):
        return tiny(betas=linear(1000))


class TestSamplingOfV(Sampling):
    def model(self):
        return tiny("v", "learned", betas=cosine(1000))
