"""The laws that the WGAN with gradient penalty obeys, and what is special to the paper."""

import copy
import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from common.training import Run
from projects.wgan_gp import critics, pictures
from projects.wgan_gp import loss as losses
from projects.wgan_gp import train as training
from projects.wgan_gp.model import image_wgan, toy_wgan
from projects.wgan_gp.networks import conv_critic, mlp_critic
from tests import laws
from tests.laws import seeded


class CriticLaws(laws.Critic):
    """The laws of critics, with the functions of `loss.py`."""

    def penalty(self, critic, x):
        return losses.gradient_penalty(critic, x)

    def interpolates(self, real, fake, generator):
        return losses.interpolates(real, fake, generator)

    def critic_loss(self, critic, real, fake, **args):
        return losses.critic_loss(critic, real, fake, **args).total

    def line_critic(self):
        return mlp_critic(1, (32, 32), generator=seeded(0))


class TestToyCritic(CriticLaws):
    event_shape = (2,)

    def model(self):
        return mlp_critic(2, (8, 6), generator=seeded(0))


class TestImageCritic(CriticLaws):
    event_shape = (1, 8, 7)
    test_trained_critic_finds_the_wasserstein_distance = None  # the same functions: once is enough

    def model(self):
        return conv_critic((1, 8, 7), 3, 2, generator=seeded(1))


class Samples(laws.Sampler):
    test_one_batch_can_be_overfitted = None  # a game of two losses: their sum need not fall

    def evaluate(self, model, x):
        return model.critic(x)

    def entries(self, model):
        return {"the critic": model.critic}

    def loss(self, model, x, generator):
        fake = model.sample(len(x), generator=generator)
        args = {"penalty_weight": 0.1, "generator": generator}
        critic = losses.critic_loss(model.critic, x, fake.detach(), **args).total
        return critic + losses.generator_loss(model.critic, fake)


class TestToyWGAN(Samples):
    def model(self):
        return toy_wgan(2, hidden_sizes=(8, 6), generator=seeded(2))


class TestImageWGAN(Samples):
    def model(self):
        return image_wgan(
            (1, 8, 7), latent_size=3, num_channels=2, num_scales=2, generator=seeded(3)
        )


# --- the input gradient in closed form -----------------------------------------------------------


def parameter_gradients(critic, total):
    """The gradients in all parameters, as one vector."""
    return torch.cat([g.flatten() for g in torch.autograd.grad(total, list(critic.parameters()))])


def test_closed_form_is_right_at_points_where_a_rectifier_is_at_zero():
    """White images and zero biases put every rectifier exactly at its kink."""
    critic = conv_critic((1, 9, 9), 2, 2, generator=seeded(4)).double()
    x = torch.zeros(3, 1, 9, 9, dtype=torch.float64)
    x[1, 0, 4, 4] = 1
    torch.testing.assert_close(critic.input_gradient(x), losses.differentiated(critic, x))


def model_and_batch(kind, n, *, seed):
    """A small model of points or of images, and n things that it could be shown."""
    if kind == "points":
        return toy_wgan(2, generator=seeded(seed)), torch.randn(n, 2, generator=seeded(seed + 1))
    model = image_wgan((1, 28, 28), num_channels=8, generator=seeded(seed))
    return model, torch.rand(n, 1, 28, 28, generator=seeded(seed + 1))


@pytest.mark.parametrize("kind", ["points", "images"])
def test_one_loss_by_both_ways_has_the_same_gradients_in_single_precision(kind):
    model, real = model_and_batch(kind, 64 if kind == "points" else 16, seed=5)
    fake, found = model.sample(len(real), generator=seeded(7)).detach(), []
    for critic in (model.critic, model.critic.forward):  # a bare function: double backward
        total = losses.critic_loss(
            critic, real, fake, penalty_weight=10.0, generator=seeded(8)
        ).total
        found.append(parameter_gradients(model.critic, total))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-5 * found[1].abs().max().item())


@pytest.mark.parametrize("kind", ["points", "images"])
def test_mixed_precision_gives_nearly_the_gradients_of_float32(kind):
    """Bfloat16 has 8 binary digits; what must not happen is a penalty that autocast breaks."""
    model, real = model_and_batch(kind, 256 if kind == "points" else 64, seed=9)
    fake, found = model.sample(len(real), generator=seeded(11)).detach(), []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            total = losses.critic_loss(
                model.critic, real, fake, penalty_weight=10.0, generator=seeded(12)
            ).total
        found.append(parameter_gradients(model.critic, total))
    exact, mixed = found
    assert mixed.dtype == torch.float32
    assert (mixed - exact).norm() < 0.06 * exact.norm()  # measured: 0.04 and 0.02


def test_mixed_precision_leaves_the_coordinates_of_points_their_digits():
    model = toy_wgan(2, hidden_sizes=(64, 64), generator=seeded(13))
    x = 1 + torch.arange(8.0)[:, None] * 1e-4 + torch.zeros(8, 2)  # one number in bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        first = model.critic.layers[0](x)
        samples = model.sample(4, generator=seeded(14))
        gradient = model.critic.input_gradient(x)
    assert len(torch.unique(first, dim=0)) == 8
    assert first.dtype == samples.dtype == gradient.dtype == torch.float32
    assert not torch.equal(samples, samples.bfloat16().float())


# --- Algorithm 1 ---------------------------------------------------------------------------------


def test_generator_loss_moves_samples_uphill():
    critic, fake = mlp_critic(2, (8,), generator=seeded(15)), torch.zeros(3, 2, requires_grad=True)
    found = losses.generator_loss(critic, fake)
    torch.testing.assert_close(found, -critic(fake).mean())


def test_interpolates_of_unlike_batches_are_refused():
    with pytest.raises(ValueError, match=r"real has shape \(4, 2\) and fake \(3, 2\)"):
        losses.interpolates(torch.zeros(4, 2), torch.zeros(3, 2), seeded(0))


def test_frozen_passes_gradients_through_and_none_in():
    critic = mlp_critic(2, (4,), generator=seeded(16))
    x = torch.ones(1, 2, requires_grad=True)
    with losses.frozen(critic):
        value = critic(x).sum()
    value.backward()
    assert x.grad.any()
    assert all(p.grad is None and p.requires_grad for p in critic.parameters())


TINY = training.Config(
    data="ring",
    latent_size=2,
    hidden_sizes=(8,),
    penalty_weight=0.3,
    critic_steps=3,
    batch_size=16,
    learning_rate=1e-3,
    betas=(0.5, 0.9),
    steps=2,
    validate_every=10,
)


@pytest.mark.parametrize("critic_steps", [1, 3])
def test_training_is_algorithm_1_step_by_step(tmp_path, critic_steps):
    """Two steps of `train`, against the algorithm written out with a double backward pass."""
    config = replace(TINY, critic_steps=critic_steps)
    trained = training.train(config, Run(tmp_path / "a", seed=3, progress=False))

    run = Run(tmp_path / "b", seed=3, progress=False)
    data = training.load_data(config)
    model = training.build(config, data, generator=run.init_generator)
    batches = run.batches(data.train, 16, steps=2, per_step=critic_steps)
    adams = [
        torch.optim.Adam(net.parameters(), lr=1e-3, betas=(0.5, 0.9))
        for net in (model.critic, model.generator)
    ]
    critic = model.critic.forward
    for real in batches:
        real = real if critic_steps > 1 else [real]
        noise = run.normal(16 * critic_steps, 2).split(16)
        for x, z in zip(real, noise, strict=True):
            sample = model.generator(z).detach()
            eps = torch.rand(16, 1, generator=run.generator)
            points = (eps * x + (1 - eps) * sample).requires_grad_()
            (gradient,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
            penalty = (gradient.norm(dim=1) - 1).square().mean()
            adams[0].zero_grad()
            (critic(sample).mean() - critic(x).mean() + 0.3 * penalty).backward()
            adams[0].step()
        adams[1].zero_grad()
        (-critic(model.generator(run.normal(16, 2))).mean()).backward()
        adams[1].step()
    for (name, found), expected in zip(
        trained.state_dict().items(), model.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6, msg=name)


def test_rates_fall_along_a_line_in_both_networks(tmp_path):
    run = Run(tmp_path, seed=0, progress=False)
    training.train(replace(TINY, steps=4, final_rate=0.0), run)
    assert [network.updates for network in run.networks] == [12, 4]
    rates = [network.optimiser.param_groups[0]["lr"] for network in run.networks]
    assert rates == pytest.approx([1e-3 / 12, 1e-3 / 4])


def test_the_paper_preset_is_the_authors_toy_setting():
    assert training.PRESETS["paper"] == training.Config(
        data="twenty_five_gaussians",
        latent_size=2,
        hidden_sizes=(512, 512, 512),
        penalty_weight=0.1,
        critic_steps=5,
        batch_size=256,
        learning_rate=1e-4,
        betas=(0.5, 0.9),
        steps=100_000,
    )


@pytest.mark.parametrize("field", ["critic_steps", "penalty_weight"])
def test_a_setting_out_of_range_is_refused(field):
    with pytest.raises(ValueError, match=f"{field} is -1, expected at least"):
        training.Config(**{field: -1})


def test_sizes_that_make_no_network_are_refused():
    with pytest.raises(ValueError, match="at least one hidden layer"):
        toy_wgan(2, hidden_sizes=())
    with pytest.raises(ValueError, match="num_scales=0"):
        image_wgan((1, 8, 8), num_scales=0)
    with pytest.raises(ValueError, match="n is -1"):
        toy_wgan(2, hidden_sizes=(4,)).sample(-1)


# --- the networks --------------------------------------------------------------------------------


def test_toy_networks_are_the_papers():
    model = toy_wgan(2, generator=seeded(17))
    assert [tuple(p.shape) for p in model.critic.parameters() if p.dim() > 1] == [
        (512, 2), (512, 512), (512, 512), (1, 512),
    ]  # fmt: skip
    assert [tuple(p.shape) for p in model.generator.parameters() if p.dim() > 1] == [
        (512, 2), (512, 512), (512, 512), (2, 512),
    ]  # fmt: skip


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 9, 14), (1, 8, 8)])
def test_image_networks_take_every_size(shape):
    model = image_wgan(shape, latent_size=3, num_channels=2, num_scales=2, generator=seeded(18))
    images = model.sample(2, generator=seeded(19))
    assert images.shape == (2, *shape)
    assert images.min() > 0
    assert images.max() < 1
    assert model.critic(images).shape == (2,)


def test_signals_keep_their_size_at_the_start():
    """He's law: the size of what goes forward is that of what came in, whatever the depth."""
    model = image_wgan((1, 28, 28), num_channels=16, generator=seeded(20))
    x = torch.randn(64, 1, 28, 28, generator=seeded(21))
    outputs = model.critic.hidden(x)
    for hidden in outputs:
        assert 0.5 < hidden[..., 1:-1, 1:-1].square().mean() < 2.0
    assert not any(p.any() for name, p in model.named_parameters() if name.endswith("bias"))


def test_the_critic_has_no_normalisation():
    norms = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm)
    for model in (toy_wgan(2), image_wgan((1, 28, 28), num_channels=2)):
        assert not any(isinstance(module, norms) for module in model.modules())


def test_smoke_preset_comes_nearer_to_the_digits(tmp_path):
    run = Run(tmp_path, seed=0, progress=False)
    config = training.PRESETS["smoke"]
    data = training.load_data(config)
    model = training.build(config, data, generator=seeded(22))
    before = training.judge(copy.deepcopy(model), data)()
    training.train(config, run)
    assert run.loops[0].best_value < before


# --- the critics of Figure 1, and the pictures ---------------------------------------------------


def test_clipped_weights_stay_in_the_box_and_go_to_its_walls():
    draw = lambda n: torch.randn(n, 2, generator=seeded(23)) + 2  # noqa: E731
    critic = critics.fit(
        mlp_critic(2, (16, 16), generator=seeded(24)),
        draw,
        critics.WeightClipping(0.05),
        steps=60,
        generator=seeded(25),
        batch_size=64,
    )
    weights = torch.cat([p.detach().flatten() for p in critic.parameters()]).abs()
    assert weights.max() <= 0.05
    assert (weights > 0.049).float().mean() > 0.4  # spread out, it would be a fiftieth


def test_the_penalty_is_what_holds_the_slope():
    draw = lambda n: 0.1 * torch.randn(n, 2, generator=seeded(26))  # noqa: E731
    norms = {}
    for weight in (0.0, 10.0):
        critic = critics.fit(
            mlp_critic(2, (32, 32), generator=seeded(27)),
            draw,
            critics.GradientPenalty(weight),
            steps=150,
            generator=seeded(28),
            batch_size=64,
        )
        norms[weight] = critic.input_gradient(torch.randn(256, 2, generator=seeded(29)))
    slopes = {weight: g.norm(dim=1).mean().item() for weight, g in norms.items()}
    assert slopes[10.0] == pytest.approx(1, abs=0.25)
    assert slopes[0.0] > 3


def test_layer_gradients_are_those_of_the_chain_rule():
    critic = mlp_critic(2, (5, 4), generator=seeded(30)).double()
    x = torch.randn(7, 2, generator=seeded(31), dtype=torch.float64)
    hidden = critic.hidden(x)
    top = critic.head.weight.expand(7, 4)  # of f in h_2
    below = (top * (hidden[1] > 0)) @ critic.layers[1].weight  # of f in h_1
    expected = torch.stack([below.norm(dim=1).mean(), top.norm(dim=1).mean()])
    torch.testing.assert_close(critics.layer_gradients(critic, x), expected)


def test_curves_are_the_runs(tmp_path):
    rows = [
        {"step": step, "critic_loss": -1.0 / step, "valid": 2.0 / step} for step in range(1, 41)
    ]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert pictures.estimates(tmp_path)[:2].tolist() == [[1, 1.0], [2, 0.5]]
    assert pictures.distances(tmp_path)[3].tolist() == [4, 0.5]
    assert pictures.agreement(tmp_path, after=0.5) == pytest.approx(1)
