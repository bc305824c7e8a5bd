"""The laws of adversarial losses hold for a plain GAN and catch each broken one."""

import torch
from torch import nn
from torch.nn import functional as F

from tests import laws
from tests.laws.broken import Break, parametrise


class PlainGAN(nn.Module):
    """One replicate, affine players, the losses written with logarithms of D."""

    def __init__(self, rng):
        super().__init__()
        self.generator, self.discriminator = nn.Linear(1, 2), nn.Linear(4, 1)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.normal_(generator=rng)
        self.generator_losses = {"minimax": self.minimax, "non-saturating": self.non_saturating}

    @property
    def players(self):
        return self.discriminator, self.generator

    def discriminator_loss(self, real, fake):
        return -F.logsigmoid(real).mean(1) - F.logsigmoid(-fake).mean(1)

    def minimax(self, fake):
        return F.logsigmoid(-fake).mean(1)

    def non_saturating(self, fake):
        return -F.logsigmoid(fake).mean(1)

    def pack(self, x, m):
        return torch.stack([row.flatten() for row in x.split(m)])

    def turns(self, x, generator):
        z = torch.randn(len(x), 1, generator=generator, dtype=x.dtype)
        fake = self.pack(self.generator(z), 2)
        real_logits = self.discriminator(self.pack(x, 2)).T
        fake_logits = self.discriminator(self.given(fake)).T
        yield self.discriminator_loss(real_logits, fake_logits).sum()
        yield self.non_saturating(self.discriminator(fake).T).sum()

    def given(self, fake):
        return fake.detach()


class TestPlainGAN(laws.Adversarial):
    def model(self):
        return PlainGAN(laws.seeded(0))


class SwappedSigns(PlainGAN):
    """Real is called generated."""

    def discriminator_loss(self, real, fake):
        return super().discriminator_loss(-real, -fake)


class HalfTheSum(PlainGAN):
    """The mean of both halves of a batch: log 2 where log 4 belongs."""

    def discriminator_loss(self, real, fake):
        return super().discriminator_loss(real, fake) / 2


class ForgetsGenerated(PlainGAN):
    """Only the real term: calling everything real is best."""

    def discriminator_loss(self, real, fake):
        return -F.logsigmoid(real).mean(1)


class MeanOverReplicates(PlainGAN):
    """The mean over the wrong axis."""

    def discriminator_loss(self, real, fake):
        return -F.logsigmoid(real).mean(0) - F.logsigmoid(-fake).mean(0)


class LeastSquares(PlainGAN):
    """Another divergence (Mao et al. 2017), by the probability."""

    def discriminator_loss(self, real, fake):
        return (1 - real.sigmoid()).square().mean(1) + fake.sigmoid().square().mean(1)


class PacksAcross(PlainGAN):
    """The first halves of all packs first."""

    def pack(self, x, m):
        return x.view(m, -1, x.shape[1]).transpose(0, 1).flatten(1)


class PacksTheSameTwice(PlainGAN):
    def pack(self, x, m):
        return x[::m].repeat(1, m)


class HelpsTheDiscriminator(PlainGAN):
    """log D minimised."""

    def non_saturating(self, fake):
        return F.logsigmoid(fake).mean(1)


class SumOfLosses(PlainGAN):
    def minimax(self, fake):
        return F.logsigmoid(-fake).sum(1)


class NamesExchanged(PlainGAN):
    def __init__(self, rng):
        super().__init__(rng)
        losses = self.generator_losses
        names = reversed(losses)
        self.generator_losses = dict(zip(names, losses.values(), strict=True))


class ClampedProbability(PlainGAN):
    """log max(D, 1e-8): no gradient where it is needed."""

    def non_saturating(self, fake):
        return -fake.sigmoid().clamp(min=1e-8).log().mean(1)


class ForgotDetach(PlainGAN):
    def given(self, fake):
        return fake


class DetachedForBoth(PlainGAN):
    """The generator's turn is detached, too."""

    def turns(self, x, generator):
        losses = list(super().turns(x, generator))
        yield losses[0]
        yield losses[1].detach() + 0 * sum(p.sum() for p in self.parameters())


ADVERSARIAL = laws.Adversarial
JS = "test_loss_of_the_best_discriminator_is_log_4_less_twice_js"
DENSITIES = "test_it_is_the_js_of_densities_too"
BEST = "test_no_discriminator_does_better"
PRODUCTS = "test_packing_is_the_js_of_products_and_grows_with_m"
NEIGHBOURS = "test_a_pack_is_m_neighbours"
DIRECTION = "test_both_generator_losses_point_the_same_way"
FADES = "test_against_a_sure_discriminator_only_the_minimax_gradient_fades"
TURNS = "test_each_turn_teaches_its_own_player"
BREAKS = (
    Break(ADVERSARIAL, JS, SwappedSigns, "a sign"),
    Break(ADVERSARIAL, JS, HalfTheSum, "log 4 becomes log 2"),
    Break(ADVERSARIAL, JS, MeanOverReplicates, "a mean over replicates"),
    Break(ADVERSARIAL, DENSITIES, LeastSquares, r"not that of Eq. \(1\)"),
    Break(ADVERSARIAL, BEST, ForgetsGenerated, "the slope of the discriminator's loss"),
    Break(ADVERSARIAL, BEST, SwappedSigns, "real and generated change places"),
    Break(ADVERSARIAL, PRODUCTS, PacksAcross, "samples of different packs are mixed"),
    Break(ADVERSARIAL, PRODUCTS, PacksTheSameTwice, "one is used twice"),
    Break(ADVERSARIAL, NEIGHBOURS, PacksAcross, "packs share samples"),
    Break(ADVERSARIAL, DIRECTION, HelpsTheDiscriminator, "would help the discriminator"),
    Break(ADVERSARIAL, DIRECTION, SumOfLosses, "a sum in place of the mean"),
    Break(ADVERSARIAL, DIRECTION, NamesExchanged, "under the other's name"),
    Break(ADVERSARIAL, FADES, NamesExchanged, "or the other loss"),
    Break(ADVERSARIAL, FADES, ClampedProbability, "rounded or clamped"),
    Break(ADVERSARIAL, TURNS, ForgotDetach, "samples are not detached"),
    Break(ADVERSARIAL, TURNS, DetachedForBoth, "moves 0 of its 2"),
)


@parametrise(*BREAKS)
def test_caught(case):
    case.check()
