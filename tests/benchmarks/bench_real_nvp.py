"""Real NVP in two dimensions: 32 couplings with [1, 64, 64, 2] conditioners, beside the peers.

All rows: 256 points, float32. A train step is loss, backward and an Adam update. Each peer is used
as its own documentation does; zuko counts its lazy construction of the transformation, which every
call needs.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from projects.real_nvp.model import vector_real_nvp
from tests.benchmarks.timing import Row, side_by_side

BATCH, NUM_COUPLINGS, HIDDEN = 256, 32, (64, 64)


def ours() -> tuple[nn.Module, Callable[[Tensor], Tensor], Callable[[], Tensor]]:
    """Our model, its log_prob, and a sampler of one batch."""
    generator = torch.Generator().manual_seed(0)
    model = vector_real_nvp(
        2, num_couplings=NUM_COUPLINGS, hidden_sizes=HIDDEN, generator=generator
    )
    return model, model.log_prob, lambda: model.sample(BATCH, generator=generator)


def normflows() -> tuple[nn.Module, Callable[[Tensor], Tensor], Callable[[], Tensor]]:
    """The package's Real NVP: affine coupling blocks with swaps between them."""
    import normflows as nf

    flows = []
    for _ in range(NUM_COUPLINGS):
        network = nf.nets.MLP([1, *HIDDEN, 2], init_zeros=True)
        flows += [nf.flows.AffineCouplingBlock(network), nf.flows.Permute(2, mode="swap")]
    model = nf.NormalizingFlow(nf.distributions.base.DiagGaussian(2, trainable=False), flows)
    return model, model.log_prob, lambda: model.sample(BATCH)[0]


def zuko() -> tuple[nn.Module, Callable[[Tensor], Tensor], Callable[[], Tensor]]:
    """The package's Real NVP, whose flow is called to make a distribution."""
    from zuko.flows import RealNVP

    flow = RealNVP(2, transforms=NUM_COUPLINGS, hidden_features=HIDDEN)
    return flow, lambda x: flow().log_prob(x), lambda: flow().sample((BATCH,))


def train_step(model: nn.Module, log_prob: Callable[[Tensor], Tensor], x: Tensor) -> Callable:
    """One Adam update on minus the mean of log_prob."""
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-5, fused=True)

    def step() -> None:
        optimiser.zero_grad()
        loss = -log_prob(x).mean()
        loss.backward()
        optimiser.step()

    return step


def rows() -> list[Row]:
    """Train step, log_prob and sampling against each peer."""
    x = torch.randn(BATCH, 2, generator=torch.Generator().manual_seed(1))
    table = []
    for peer_name, make_peer in (("normflows", normflows), ("zuko", zuko)):
        model, log_prob, sample = ours()
        peer, peer_log_prob, peer_sample = make_peer()
        work = f"Real NVP 2-D, {NUM_COUPLINGS} couplings, B={BATCH}"
        pairs = [
            (
                f"{work}: train step",
                train_step(model, log_prob, x),
                train_step(peer, peer_log_prob, x),
            ),
            (f"{work}: log_prob", lambda: log_prob(x), lambda: peer_log_prob(x)),  # noqa: B023
            (f"{work}: sample", sample, peer_sample),
        ]
        for name, our_work, peer_work in pairs:
            with torch.set_grad_enabled("train" in name):
                table.append(side_by_side(name, our_work, peer_name, peer_work))
    return table
