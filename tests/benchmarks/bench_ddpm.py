"""U-Net of 1 x 32 x 32 images, B = 16: a training step and 50 DDIM steps, beside two peers.

diffusers' UNet2DModel is the same network: it gets our weights, and output, gradient and samples must
agree before any clock. denoising-diffusion-pytorch has another U-Net (linear attention, weights
standardised differently); its width is the one whose number of parameters comes nearest to ours, and
it must lie within five per cent. Everybody computes in float32 with fused Adam.
"""

import contextlib
import io
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.data.torchvision_import import prepare_torchvision
from projects.ddpm.loss import draw, simple_loss
from projects.ddpm.model import DDPM
from projects.ddpm.network import Attention, GroupNorm, ResidualBlock, Stage, UNet
from projects.ddpm.schedule import NoiseSchedule, linear
from tests.benchmarks.timing import Row, side_by_side

SHAPE, BATCH, STEPS = (1, 32, 32), 16, 50
WIDTH, MULTIPLIERS, NUM_BLOCKS, ATTENTION = 32, (1, 2, 4), 2, (16,)


def rows() -> list[Row]:
    """Training step and sampling, first beside diffusers, then beside denoising-diffusion-pytorch."""
    prepare_torchvision()
    generator = torch.Generator().manual_seed(0)
    ours = our_model(generator)
    x = torch.randint(256, (BATCH, *SHAPE), generator=generator).float()
    count = sum(p.numel() for p in ours.parameters())
    name = f"U-Net {count / 1e6:.1f}M, B = {BATCH}, 1x32x32"
    table = []
    for peer, make in (("diffusers", Diffusers), ("denoising-diffusion", DenoisingDiffusion)):
        theirs = make(ours)
        table.append(
            side_by_side(
                f"{name}: training step",
                our_step(ours, x, generator),
                peer,
                theirs.step(x),
                repeats=5,
                warmup=1,
            )
        )
        ours.eval(), theirs.network.eval()
        table.append(
            side_by_side(
                f"{name}: {STEPS} DDIM steps",
                lambda: ours.sample(BATCH, generator=generator),
                peer,
                theirs.sample,
                repeats=3,
                warmup=1,
            )
        )
    return table


def our_model(generator: torch.Generator) -> DDPM:
    """The model with weights that are not special, so that equality means something."""
    network = UNet(
        SHAPE,
        SHAPE[0],
        width=WIDTH,
        multipliers=MULTIPLIERS,
        num_blocks=NUM_BLOCKS,
        attention=ATTENTION,
        generator=generator,
    )
    for module in network.modules():
        if isinstance(module, ResidualBlock | Attention):
            last = module.second if isinstance(module, ResidualBlock) else module.out
            nn.init.normal_(last.weight, std=0.02, generator=generator)
    nn.init.normal_(network.last.weight, std=0.02, generator=generator)
    return DDPM(network, NoiseSchedule(linear(1000)), SHAPE, num_levels=256, num_sample_steps=STEPS)


def our_step(model: DDPM, x: Tensor, generator: torch.Generator) -> Callable[[], None]:
    """Algorithm 1."""
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-6, fused=True)

    def step() -> None:
        model.train()
        t, eps = draw(model, x, generator)
        loss = simple_loss(model, x, t, eps).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


class Diffusers:
    """diffusers' UNet2DModel with our weights, its DDPM noise and its DDIM scheduler."""

    def __init__(self, ours: DDPM):
        from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel

        widths = [WIDTH * m for m in MULTIPLIERS]
        sides = [SHAPE[1] // 2**level for level in range(len(widths))]
        down = ["AttnDownBlock2D" if s in ATTENTION else "DownBlock2D" for s in sides]
        self.network = UNet2DModel(
            SHAPE[1],
            1,
            1,
            freq_shift=1,
            flip_sin_to_cos=False,
            down_block_types=tuple(down),
            up_block_types=tuple(kind.replace("Down", "Up") for kind in reversed(down)),
            block_out_channels=tuple(widths),
            layers_per_block=NUM_BLOCKS,
            attention_head_dim=None,
            norm_num_groups=8,
            norm_eps=1e-6,
        )
        copy_weights(ours.network, self.network)
        kinds = {"beta_start": 1e-4, "beta_end": 0.02, "clip_sample": True}
        self.noise = DDPMScheduler(1000, **kinds)
        self.scheduler = DDIMScheduler(1000, timestep_spacing="trailing", **kinds)
        self.scheduler.set_timesteps(STEPS)
        self.check(ours)

    def step(self, x: Tensor) -> Callable[[], None]:
        """Add noise, predict it, one step of Adam."""
        optimiser = torch.optim.Adam(self.network.parameters(), lr=1e-6, fused=True)
        x0 = x / 127.5 - 1

        def step() -> None:
            self.network.train()
            eps, t = torch.randn_like(x0), torch.randint(1000, (len(x0),))
            noised = self.noise.add_noise(x0, eps, t)
            loss = F.mse_loss(self.network(noised, t).sample, eps)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

        return step

    @torch.no_grad()
    def denoise(self, x: Tensor) -> Tensor:
        """Deterministic DDIM; their times count from 0, and the network is told ours."""
        for t in self.scheduler.timesteps:
            eps = self.network(x, t + 1).sample
            x = self.scheduler.step(eps, t, x, use_clipped_model_output=True).prev_sample
        return x

    def sample(self) -> Tensor:
        """From noise to levels."""
        return ((self.denoise(torch.randn(BATCH, *SHAPE)) + 1) * 127.5).round().clamp(0, 255)

    def check(self, ours: DDPM) -> None:
        """RuntimeError unless output, gradient and samples are ours."""
        generator = torch.Generator().manual_seed(1)
        x = torch.randn(4, *SHAPE, generator=generator)
        t = torch.tensor([1, 10, 100, 1000])
        mine, theirs = ours.network(x, t), self.network(x, t).sample
        agree(mine, theirs, "output")
        agree(
            torch.autograd.grad(mine.square().sum(), ours.network.first.weight)[0],
            torch.autograd.grad(theirs.square().sum(), self.network.conv_in.weight)[0],
            "gradient",
        )
        with torch.no_grad():
            *_, last = ours.denoise(x, num_steps=STEPS)
        agree(last, self.denoise(x), "samples")


class DenoisingDiffusion:
    """denoising-diffusion-pytorch's own U-Net, of nearly our number of parameters."""

    def __init__(self, ours: DDPM):
        from denoising_diffusion_pytorch import GaussianDiffusion, Unet

        wanted = sum(p.numel() for p in ours.parameters())
        sizes = {}
        with torch.device("meta"):
            for dim in range(16, 65, 2):
                network = Unet(dim=dim, dim_mults=MULTIPLIERS, channels=1)
                sizes[dim] = sum(p.numel() for p in network.parameters())
        dim = min(sizes, key=lambda dim: abs(sizes[dim] - wanted))
        if abs(sizes[dim] - wanted) > 0.05 * wanted:
            raise RuntimeError(f"no width has {wanted} parameters within 5 %: {sizes}")
        self.network = Unet(dim=dim, dim_mults=MULTIPLIERS, channels=1)
        self.diffusion = GaussianDiffusion(
            self.network,
            image_size=SHAPE[1],
            timesteps=1000,
            sampling_timesteps=STEPS,
            objective="pred_noise",
            beta_schedule="linear",
        )

    def step(self, x: Tensor) -> Callable[[], None]:
        """Their loss, one step of Adam."""
        optimiser = torch.optim.Adam(self.network.parameters(), lr=1e-6, fused=True)

        def step() -> None:
            self.network.train()
            loss = self.diffusion(x / 255)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

        return step

    def sample(self) -> Tensor:
        """Their DDIM, whose progress bar is kept from the table."""
        with contextlib.redirect_stderr(io.StringIO()):
            return self.diffusion.sample(batch_size=BATCH)


def agree(ours: Tensor, theirs: Tensor, what: str) -> None:
    """RuntimeError unless two tensors are equal to a thousandth of their size."""
    distance = (ours - theirs).norm() / ours.norm()
    if not distance < 1e-3:
        raise RuntimeError(f"{what}: {distance:.2e} apart: not the same work")


@torch.no_grad()
def copy_weights(ours: UNet, theirs: nn.Module) -> None:
    """Our weights into diffusers' network, layer by layer."""

    def layer(mine: nn.Module, other: nn.Module) -> None:
        for name, value in mine.named_parameters():
            getattr(other, name).copy_(value.view_as(getattr(other, name)))
        if isinstance(mine, GroupNorm):
            other.num_groups, other.eps = mine.num_groups, mine.eps

    def block(mine: ResidualBlock, other: nn.Module) -> None:
        layer(mine.first_norm, other.norm1), layer(mine.second_norm, other.norm2)
        layer(mine.first, other.conv1), layer(mine.second, other.conv2)
        layer(mine.time, other.time_emb_proj)
        if isinstance(mine.shortcut, nn.Conv2d):
            layer(mine.shortcut, other.conv_shortcut)

    def attention(mine: Attention, other: nn.Module) -> None:
        layer(mine.norm, other.group_norm), layer(mine.out, other.to_out[0])
        for part, to in zip(range(3), (other.to_q, other.to_k, other.to_v), strict=True):
            to.weight.copy_(mine.qkv.weight.chunk(3)[part])
            to.bias.copy_(mine.qkv.bias.chunk(3)[part])

    def stages(mine: list[nn.Module], others: nn.ModuleList) -> None:
        rest = iter(mine)
        for other in others:
            for i, resnet in enumerate(other.resnets):
                stage: Stage = next(rest)
                block(stage["block"], resnet)
                if "attention" in stage:
                    attention(stage["attention"], other.attentions[i])
            for sampler in (
                getattr(other, "downsamplers", 0) or getattr(other, "upsamplers", 0) or []
            ):
                layer(next(rest), sampler.conv)

    layer(ours.time[0], theirs.time_embedding.linear_1)
    layer(ours.time[2], theirs.time_embedding.linear_2)
    layer(ours.first, theirs.conv_in)
    stages(list(ours.down), theirs.down_blocks)
    stages(list(ours.up), theirs.up_blocks)
    block(ours.middle[0]["block"], theirs.mid_block.resnets[0])
    attention(ours.middle[0]["attention"], theirs.mid_block.attentions[0])
    block(ours.middle[1]["block"], theirs.mid_block.resnets[1])
    layer(ours.last_norm, theirs.conv_norm_out), layer(ours.last, theirs.conv_out)
