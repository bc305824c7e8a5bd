"""WGAN-GP: a whole step, five updates of the critic and one of the generator, in float32.

The peer is Algorithm 1 as it is usually written in plain torch: three passes of the critic, the
penalty by `autograd.grad(..., create_graph=True)` and a double backward pass, a fresh batch of
samples for every update of the critic, whose weights are frozen while the generator learns. Networks,
weights, batches, noise and optimisers are the same, and so are the gradients, which is checked before
any clock starts.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import Adam

from projects.wgan_gp.loss import critic_loss, frozen, generator_loss
from projects.wgan_gp.model import WGAN, image_wgan, toy_wgan
from tests.benchmarks.timing import Row, side_by_side

CRITIC_STEPS = 5
PEER = "double backward"


def rows() -> list[Row]:
    """The step on points and on images, ours against the plain one."""
    generator = torch.Generator().manual_seed(0)
    points = toy_wgan(2, generator=generator)
    images = image_wgan((1, 28, 28), num_channels=32, generator=generator)
    return [
        row("WGAN-GP step, 3 x 512, B = 256, 2-D", points, 256, 0.1, repeats=9),
        row("WGAN-GP step, conv 32, B = 64, 1x28x28", images, 64, 10.0, repeats=5),
    ]


def row(work: str, model: WGAN, size: int, weight: float, *, repeats: int) -> Row:
    """Both steps, checked and timed."""
    noise = torch.Generator().manual_seed(1)
    real = [torch.rand(size, *model.shape, generator=noise) for _ in range(CRITIC_STEPS)]
    check_same_gradients(model, real[0], weight)
    ours, theirs = copy.deepcopy(model), copy.deepcopy(model)
    return side_by_side(
        work,
        our_step(ours, real, weight),
        PEER,
        plain_step(theirs, real, weight),
        repeats=repeats,
        warmup=2,
    )


def our_step(model: WGAN, real: list[Tensor], weight: float) -> Callable[[], None]:
    """The step of `projects.wgan_gp.train`, less the run's bookkeeping."""
    critic, generator, size = model.critic, model.generator, len(real[0])
    critic_optimiser, generator_optimiser = optimisers(model)

    def step():
        with torch.no_grad():
            fake = generator(torch.randn(size * len(real), model.latent_size)).split(size)
        for x, sample in zip(real, fake, strict=True):
            update(critic_loss(critic, x, sample, penalty_weight=weight).total, critic_optimiser)
        with frozen(critic):
            loss = generator_loss(critic, generator(torch.randn(size, model.latent_size)))
        update(loss, generator_optimiser)

    return step


def plain_step(model: WGAN, real: list[Tensor], weight: float) -> Callable[[], None]:
    """Algorithm 1, line by line."""
    critic, generator, size = model.critic, model.generator, len(real[0])
    critic_optimiser, generator_optimiser = optimisers(model)

    def step():
        for x in real:
            with torch.no_grad():
                sample = generator(torch.randn(size, model.latent_size))
            eps = torch.rand(size, *[1] * (x.dim() - 1))
            update(plain_loss(critic, x, sample, eps, weight), critic_optimiser)
        critic.requires_grad_(False)
        loss = -critic(generator(torch.randn(size, model.latent_size))).mean()
        update(loss, generator_optimiser)
        critic.requires_grad_(True)

    return step


def plain_loss(critic: nn.Module, real: Tensor, fake: Tensor, eps: Tensor, weight: float) -> Tensor:
    """Eq. (3) with the gradient by automatic differentiation."""
    between = (eps * real + (1 - eps) * fake).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    penalty = (gradient.flatten(1).norm(dim=1) - 1).square().mean()
    return critic(fake).mean() - critic(real).mean() + weight * penalty


def optimisers(model: WGAN) -> tuple[Adam, Adam]:
    """Adam for the critic and for the generator."""
    return tuple(
        Adam(net.parameters(), lr=1e-4, betas=(0.5, 0.9), fused=True)
        for net in (model.critic, model.generator)
    )


def update(loss: Tensor, optimiser: Adam) -> None:
    """One step of an optimiser."""
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def check_same_gradients(model: WGAN, real: Tensor, weight: float) -> None:
    """RuntimeError unless both losses have the same gradients in every weight of the critic."""
    with torch.no_grad():
        fake = model.generator(torch.randn(len(real), model.latent_size))
    noise = torch.Generator().manual_seed(2)
    ours = critic_loss(model.critic, real, fake, penalty_weight=weight, generator=noise).total
    noise = torch.Generator().manual_seed(2)
    eps = torch.rand(len(real), *[1] * (real.dim() - 1), generator=noise)
    theirs = plain_loss(model.critic, real, fake, eps, weight)
    weights = list(model.critic.parameters())
    pairs = zip(
        torch.autograd.grad(ours, weights), torch.autograd.grad(theirs, weights), strict=True
    )
    for mine, other in pairs:
        if (mine - other).norm() > 1e-4 * other.norm():
            raise RuntimeError(
                f"gradients of shape {tuple(mine.shape)} differ by {(mine - other).norm():.3g} of "
                f"{other.norm():.3g}: not the same work"
            )
