"""Real NVP obeys the laws of a flow and a density, and what is special to its couplings."""

from __future__ import annotations

import math

import pytest
import torch

from common.config import ConfigError, override
from common.data import Dataset
from common.data.registry import get_info
from common.training import Run
from projects.real_nvp.couplings import (
    AffineCoupling,
    BatchNorm,
    ChannelMask,
    CheckerboardMask,
    Couplings,
    squeeze,
    unsqueeze,
)
from projects.real_nvp.model import RealNVP, image_real_nvp, vector_real_nvp
from projects.real_nvp.networks import MLP, ResidualBlock, ResidualNet, WeightNormConv2d
from projects.real_nvp.train import PRESETS, build, load_data, mirrored, train, validation
from tests import laws
from tests.laws import seeded


def tiny_plane(batch_norm: bool = False) -> RealNVP:
    return vector_real_nvp(
        2, num_couplings=4, hidden_sizes=(8,), batch_norm=batch_norm, generator=seeded(0)
    )


def tiny_image(shape: tuple[int, int, int] = (1, 4, 4), num_scales: int = 2) -> RealNVP:
    return image_real_nvp(
        shape, num_scales=num_scales, num_hidden=4, num_blocks=1, generator=seeded(0)
    )


class TestPlane(laws.Flow, laws.ContinuousDensity):
    def model(self):
        return tiny_plane()


class TestPlaneWithBatchNorm(laws.Flow, laws.ContinuousDensity):
    def model(self):
        return tiny_plane(batch_norm=True)


class TestVectorOfOddLength(laws.Flow):
    def model(self):
        return vector_real_nvp(5, num_couplings=3, hidden_sizes=(8,), generator=seeded(0))


class TestImage(laws.Flow):
    def model(self):
        return tiny_image()


class TestColourImageOfOneScale(laws.Flow):
    def model(self):
        return tiny_image((2, 2, 4), num_scales=1)


MASKS = {"channels": ChannelMask(), "checkerboard": CheckerboardMask()}


def indicator(kind: str, shape: tuple[int, int, int]) -> torch.Tensor:
    """1 in the first half of a mask, 0 in the second, in the layout of the image."""
    first, second = MASKS[kind].split(torch.zeros(1, *shape))
    return MASKS[kind].merge(torch.ones_like(first), torch.zeros_like(second))[0]


@pytest.mark.parametrize("kind", MASKS)
def test_merge_undoes_split(kind):
    x = torch.randn(3, 2, 4, 6, generator=seeded(1))
    assert torch.equal(MASKS[kind].merge(*MASKS[kind].split(x)), x)


def test_checkerboard_is_one():
    row, column = torch.meshgrid(torch.arange(4), torch.arange(6), indexing="ij")
    expected = ((row + column) % 2 == 0).float()[None]
    assert torch.equal(indicator("checkerboard", (1, 4, 6)), expected)


@pytest.mark.parametrize("kind", MASKS)
def test_masks_alternate_and_cover(kind):
    halves = indicator(kind, (2, 4, 4)).bool()
    channels = MASKS[kind].split(torch.zeros(1, 2, 4, 4))[0].shape[1]
    network = WeightNormConv2d(channels, 2 * channels, 1, gain=0.0)  # only the bias counts
    torch.nn.init.ones_(network.bias)
    layers = [AffineCoupling(network, channels) for _ in range(3)]
    x = torch.zeros(1, 2, 4, 4)
    h = [x, *(Couplings(MASKS[kind], layers[: i + 1])(x)[0] for i in range(3))]
    for i in range(3):
        changed = (h[i] != h[i + 1])[0]
        assert torch.equal(changed, halves if i % 2 else ~halves)


def test_squeeze_order_is_that_of_figure_3():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    first_block = squeeze(x)[0, :, 0, 0]
    assert first_block.tolist() == [0.0, 1.0, 4.0, 5.0]
    x = torch.randn(2, 3, 4, 6, generator=seeded(2))
    assert squeeze(x).shape == (2, 12, 2, 3)
    assert torch.equal(unsqueeze(squeeze(x)), x)


def test_channel_masks_after_squeezing_are_not_the_checkerboard_again():
    rows = unsqueeze(indicator("channels", (4, 2, 2))[None])[0]
    board = indicator("checkerboard", (1, 4, 4))
    assert not torch.equal(rows, board)
    assert not torch.equal(rows, 1 - board)


def coupling(seed: int = 3) -> AffineCoupling:
    """A coupling of two entries by two others that is far from the identity."""
    network = MLP((2, 8, 4), generator=seeded(seed))
    torch.nn.init.normal_(network.last.weight, generator=seeded(seed + 1))
    return AffineCoupling(network, 2).double()


def test_coupling_keeps_its_half_and_changes_the_other():
    x = torch.randn(5, 4, dtype=torch.float64, generator=seeded(5))
    y, _ = Couplings(ChannelMask(), [coupling()])(x)
    assert torch.equal(y[:, :2], x[:, :2])
    assert (y[:, 2:] != x[:, 2:]).all()


def test_coupling_jacobian_is_triangular_with_the_scale_on_its_diagonal():
    layer = coupling()
    flow = Couplings(ChannelMask(), [layer])
    x = torch.randn(4, dtype=torch.float64, generator=seeded(6))
    jacobian = torch.autograd.functional.jacobian(lambda v: flow(v[None])[0][0], x)
    assert torch.equal(jacobian.triu(1), torch.zeros(4, 4, dtype=torch.float64))
    s, _ = layer.scale_and_shift(x[None, :2])
    expected = torch.cat((torch.ones(2, dtype=torch.float64), s[0].exp()))
    torch.testing.assert_close(jacobian.diagonal(), expected)


def test_couplings_start_as_the_identity():
    x = torch.randn(3, 1, 4, 4, generator=seeded(7))
    z, log_abs_det = tiny_image().eval()(x)
    torch.testing.assert_close(z, x, rtol=1e-4, atol=1e-4)  # batch norm's eps is all that is left
    torch.testing.assert_close(log_abs_det, torch.zeros(3), rtol=0, atol=1e-3)


@pytest.mark.parametrize("shape", [(3,), (2, 2, 3)])
def test_batch_norm_log_det_while_training_is_that_of_its_own_affine_map(shape):
    layer = BatchNorm(shape[0]).double().train()
    x = 3 + 2 * torch.randn(6, *shape, dtype=torch.float64, generator=seeded(8))
    y, log_abs_det = layer(x)
    slopes = (y[1] - y[0]) / (x[1] - x[0])  # one slope for each entry, the same for all rows
    torch.testing.assert_close(log_abs_det, slopes.log().sum().expand(6))


def test_batch_norm_averages_running_and_batch_statistics():
    layer = BatchNorm(1, momentum=0.75, eps=0.0).double().train()
    x = torch.tensor([[2.0], [6.0]], dtype=torch.float64)  # mean 4, variance 4
    y, _ = layer(x)
    assert layer.mean.item() == 1.0  # 0.75 * 0 + 0.25 * 4
    assert layer.variance.item() == 1.75  # 0.75 * 1 + 0.25 * 4
    assert BatchNorm(1).momentum == 0.9
    torch.testing.assert_close(y, (x - 1.0) / math.sqrt(1.75))


def test_batch_norm_gradient_goes_through_the_batch_alone():
    layer = BatchNorm(1, momentum=0.75).train()
    for _ in range(2):
        x = torch.randn(4, 1, generator=seeded(9)).requires_grad_()
        layer(x)[1].sum().backward()
        assert x.grad.abs().sum() > 0
    assert not layer.mean.requires_grad
    assert not layer.variance.requires_grad


def test_batch_norm_in_evaluation_is_fixed():
    layer = BatchNorm(2).double()
    layer.train()(torch.randn(50, 2, dtype=torch.float64, generator=seeded(10)) * 5)
    layer.eval()
    x = torch.randn(4, 2, dtype=torch.float64, generator=seeded(11))
    alone = torch.cat([layer(row)[0] for row in x.split(1)])
    torch.testing.assert_close(layer(x)[0], alone)
    torch.testing.assert_close(layer.inverse(layer(x)[0])[0], x)


def test_an_empty_batch_leaves_the_statistics_alone():
    model = tiny_image().train()
    before = {name: value.clone() for name, value in model.named_buffers()}
    assert model.log_prob(torch.zeros(0, 1, 4, 4)).shape == (0,)
    for name, value in model.named_buffers():
        assert torch.equal(value, before[name]), name


def test_factored_out_half_is_not_touched_by_the_coarser_scales():
    model = tiny_image((1, 4, 4))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=seeded(12))
    model.eval()
    x = torch.randn(2, 1, 4, 4, generator=seeded(13))
    before = model(x)[0]
    for parameter in model.flow.rest.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=seeded(14))
    after = model(x)[0]
    moved = (squeeze(before) != squeeze(after))[0].flatten(1).any(1)
    assert moved.tolist() == [True, True, False, False]


def test_three_scales_invert_exactly():
    model = tiny_image((3, 8, 8), num_scales=3).double().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=seeded(19))
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64, generator=seeded(20))
    with torch.no_grad():
        z, forward = model(x)
        back, inverse = model.inverse(z)
    torch.testing.assert_close(back, x, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(inverse, -forward)
    assert z.shape == x.shape


def test_couplings_compose_and_their_log_determinants_add():
    layers = [coupling(3), coupling(7)]
    x = torch.randn(3, 4, dtype=torch.float64, generator=seeded(15))
    changed, first = layers[0](x[:, :2], x[:, 2:])
    other, second = layers[1](changed, x[:, :2])
    z, total = Couplings(ChannelMask(), layers)(x)
    torch.testing.assert_close(z, torch.cat((other, changed), 1))
    torch.testing.assert_close(total, first + second)


def test_weight_norm_ignores_the_length_of_the_direction():
    layer = WeightNormConv2d(2, 3, 3, gain=2.0)
    torch.nn.init.normal_(layer.weight, generator=seeded(16))
    x = torch.randn(1, 2, 5, 5, generator=seeded(17))
    before = layer(x)
    with torch.no_grad():
        layer.weight.mul_(7.0)
    torch.testing.assert_close(layer(x), before)


def test_weight_norm_is_that_of_torch_one_length_for_each_output_channel():
    ours, reference = WeightNormConv2d(2, 3, 3), torch.nn.Conv2d(2, 3, 3, padding=1)
    torch.nn.init.normal_(ours.gain, generator=seeded(16))
    reference.load_state_dict({"weight": ours.weight, "bias": ours.bias})
    torch.nn.utils.parametrizations.weight_norm(reference)
    reference.parametrizations.weight.original0.data.copy_(ours.gain)
    x = torch.randn(1, 2, 5, 5, generator=seeded(17))
    torch.testing.assert_close(ours(x), reference(x))


def test_residual_block_that_computes_nothing_is_the_identity():
    block = ResidualBlock(3)
    for parameter in (block.second.gain, block.second.bias):
        torch.nn.init.zeros_(parameter)
    h = torch.randn(2, 3, 4, 4, generator=seeded(18))
    assert torch.equal(block(h), h)


def test_mlp_alternates_linear_maps_and_relus():
    network = MLP((2, 8, 8, 4), generator=seeded(21))
    torch.nn.init.normal_(network.last.weight, generator=seeded(22))
    first, second = network.hidden
    reference = torch.nn.Sequential(first, torch.nn.ReLU(), second, torch.nn.ReLU(), network.last)
    x = torch.randn(5, 2, generator=seeded(23))
    torch.testing.assert_close(network(x), reference(x))


def test_scale_and_shift_are_computed_in_single_precision_under_autocast():
    network = ResidualNet(1, 4, 2, 1, generator=seeded(18))
    torch.nn.init.normal_(network.last.gain, generator=seeded(19))
    x = torch.randn(2, 1, 4, 4, generator=seeded(20))
    with torch.autocast("cpu", torch.bfloat16):
        out = network(x)
    assert out.dtype == torch.float32
    assert (out != out.bfloat16()).any(), "more than bfloat16's digits"


def test_image_model_has_the_couplings_widths_and_blocks_of_section_3_6():
    model = image_real_nvp((1, 8, 8), num_scales=2, num_hidden=4, num_blocks=3, generator=seeded(0))
    stages = (model.flow.fine, model.flow.coarse, model.flow.rest)
    assert [len(stage.layers) for stage in stages] == [3, 3, 4]
    assert [type(stage.mask) for stage in stages] == [
        CheckerboardMask,
        ChannelMask,
        CheckerboardMask,
    ]
    for stage, width in zip(stages, (4, 4, 8), strict=True):
        for layer in stage.layers:
            assert layer.network.first.weight.shape[0] == width
            assert len(layer.network.blocks) == 3
            assert layer.batch_norm is not None


def test_image_model_without_batch_norm_has_none():
    model = image_real_nvp(
        (1, 4, 4), num_scales=2, num_hidden=4, num_blocks=1, batch_norm=False, generator=seeded(0)
    )
    assert not any(isinstance(module, BatchNorm) for module in model.modules())


def smoke(tmp_path, *assignments) -> tuple[RealNVP, Dataset]:
    """The smoke preset with some of its fields changed, trained, and its data."""
    config = override(PRESETS["smoke"], assignments)
    return train(config, Run(tmp_path, progress=False)).eval(), load_data(config)


@pytest.mark.parametrize(
    ("preset", "assignment", "told"),
    [
        ("ring", "batch_norm=false", "ring, vectors, does not read batch_norm"),
        ("ring", "alpha=0.3", "alpha; expected alpha=0.05"),
        ("ring", "flip=true", "flip; expected flip=False"),
        ("ring", "data=digits", "digits, images, does not read fresh_samples"),
        ("digits", "num_couplings=4", "num_couplings; expected num_couplings=32"),
    ],
)
def test_a_field_that_would_do_nothing_cannot_be_set(preset, assignment, told):
    with pytest.raises(ConfigError, match=told):
        override(PRESETS[preset], [assignment])


def test_the_paper_s_model_can_be_built_and_evaluated():
    shape = get_info(PRESETS["paper"].data).shape
    model = build(PRESETS["paper"], get_info("cifar10"), generator=seeded(0)).eval()
    assert sum(p.numel() for p in model.parameters()) == 13_099_940
    assert model.log_prob(torch.zeros(1, *shape)).isfinite().all()


def test_validation_is_the_negative_log_likelihood_per_dimension():
    data = load_data(PRESETS["smoke"])
    model = build(PRESETS["smoke"], data, generator=seeded(0)).eval()
    with torch.no_grad():
        expected = -model.log_prob(data.valid.tensor()).double().mean().item() / 64
        assert validation(model, data) == pytest.approx(expected, rel=1e-5)


def test_training_raises_the_likelihood(tmp_path):
    steps = ("steps=40", "validate_every=40")
    frozen, data = smoke(tmp_path / "frozen", *steps, "learning_rate=1e-9")
    model, _ = smoke(tmp_path / "trained", *steps)
    with torch.no_grad():  # running statistics alone raise it too: a flipped loss beats a new model
        assert validation(model, data) < validation(frozen, data) - 0.2  # nats per dimension


def test_the_penalty_shrinks_the_scales(tmp_path):
    def length(model):
        return sum(p.square().sum() for n, p in model.named_parameters() if n.endswith("gain"))

    free, _ = smoke(tmp_path / "free", "scale_penalty=0")
    shrunk, _ = smoke(tmp_path / "shrunk", "scale_penalty=0.1")
    assert length(shrunk) < length(free)


def test_the_constant_of_the_logit_is_the_config_s():
    pixels = load_data(override(PRESETS["smoke"], ["alpha=0.2"])).test.tensor()
    ends = torch.tensor([0.2, 0.8]).logit()
    torch.testing.assert_close(torch.stack((pixels.min(), pixels.max())), ends, atol=0.01, rtol=0)


def test_flips_are_left_to_right_and_of_about_half_the_images():
    x = torch.randn(1000, 1, 2, 3, generator=seeded(24))
    y = mirrored(x, seeded(25))
    same, flipped = ((y == z).flatten(1).all(1) for z in (x, x.flip(-1)))
    assert (same ^ flipped).all()
    assert 400 < flipped.sum() < 600


def test_the_paper_penalises_scales_beside_the_nats_of_an_image():
    num_dims = math.prod(get_info(PRESETS["paper"].data).shape)
    assert PRESETS["paper"].scale_penalty * num_dims == pytest.approx(5e-5)  # ours is per dimension


def test_images_that_cannot_be_halved_are_refused():
    with pytest.raises(ValueError, match=r"num_scales=3.*28 x 28.*fewer scales"):
        image_real_nvp((1, 28, 28), num_scales=3, num_hidden=4, num_blocks=1, generator=seeded(0))


@pytest.mark.parametrize("sizes", [(0, 4, 1), (1, 0, 1), (1, 4, -1)])
def test_impossible_sizes_of_an_image_model_are_refused(sizes):
    options = dict(zip(("num_scales", "num_hidden", "num_blocks"), sizes, strict=True))
    with pytest.raises(ValueError, match=r"num_hidden >= 1.*got {}, {} and {}".format(*sizes)):
        image_real_nvp((1, 8, 8), **options, generator=seeded(0))


@pytest.mark.parametrize("dtype", [torch.float64, torch.int64])
def test_inputs_of_another_dtype_than_the_weights_are_refused(dtype):
    with pytest.raises(ValueError, match=rf"torch.float32.*got {dtype}"):
        tiny_image().eval().log_prob(torch.zeros(1, 1, 4, 4, dtype=dtype))


def test_vectors_need_two_halves():
    with pytest.raises(ValueError, match=r"num_dims >= 2.*got 1"):
        vector_real_nvp(1, num_couplings=2, hidden_sizes=(4,), generator=seeded(0))
