"""The laws that recurrent networks obey, and what is special to the paper's units and its training."""

import math

import mido
import numpy as np
import pytest
import torch
from torch import nn

from projects.gated_rnn import cells, music
from projects.gated_rnn import train as training
from projects.gated_rnn.model import RecurrentNet, perturbed
from tests import laws
from tests.laws import seeded

T, D, H = 6, 3, 4  # of the law of units


def torch_weights(fused, *blocks):
    """Give torch's network the blocks (W, U, b, b_U) of its gates, in its order."""
    W, U, b, b_U = (torch.cat(parts) for parts in zip(*blocks, strict=True))
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    for name, value in zip(names, (W, U, b, b_U), strict=True):
        getattr(fused, name).data = value.detach().clone()
    return fused


def blocks(W, U, b):
    """(W, U, b, 0) of each block of H rows."""
    parts = [p.detach().split(H) for p in (W, U, b)]
    return [(W, U, b, torch.zeros_like(b)) for W, U, b in zip(*parts, strict=True)]


def torch_gru(unit, b_U):
    """Torch keeps where the paper renews: its update gate is 1 - z, so its weights are negative."""
    z, r = blocks(unit.W_zr, unit.U_zr, unit.b_zr)
    [candidate] = blocks(unit.W, unit.U, unit.b)
    kept = tuple(-part for part in z)
    return torch_weights(nn.GRU(D, H, batch_first=True), r, kept, (*candidate[:3], b_U))


def torch_lstm(unit):
    i, f, o, candidate = blocks(unit.W, unit.U, unit.b)
    return torch_weights(nn.LSTM(D, H, batch_first=True), i, f, candidate, o)


class TestTanh(laws.Recurrent):
    def model(self):
        return cells.TanhCell(D, H, generator=seeded(0))

    def fused(self, unit):
        return torch_weights(nn.RNN(D, H, batch_first=True), *blocks(unit.W, unit.U, unit.b))


class TestResetAfterGRU(laws.Recurrent):
    def model(self):
        return cells.ResetAfterGRUCell(D, H, generator=seeded(1))

    def fused(self, unit):
        return torch_gru(unit, unit.b_U.detach())


class TestGRU(laws.Recurrent):
    """The paper resets h before U and torch after it: the same thing where U is diagonal."""

    def model(self):
        return cells.GRUCell(D, H, generator=seeded(2))

    def build(self):
        unit = super().build()
        with torch.no_grad():
            unit.U *= torch.eye(H)
        return unit

    def fused(self, unit):
        return torch_gru(unit, torch.zeros(H))


class TestLSTM(laws.Recurrent):
    def model(self):
        return cells.LSTMCell(D, H, generator=seeded(3))

    def fused(self, unit):
        return torch_lstm(unit)


class TestPeepholeLSTM(laws.Recurrent):
    """Torch has no peepholes: it is equal where V is zero."""

    def model(self):
        return cells.PeepholeLSTMCell(D, H, generator=seeded(4))

    def build(self):
        unit = super().build()
        with torch.no_grad():
            for V in (unit.V_i, unit.V_f, unit.V_o):
                V.zero_()
        return unit

    def fused(self, unit):
        return torch_lstm(unit)


class NetLaws(laws.Padded, laws.BinaryMass, laws.CachedSampler):
    unit = "gru"

    def model(self):
        return RecurrentNet(2, 4, unit=self.unit, hidden_size=5, generator=seeded(5))


class TestGRUNet(NetLaws):
    pass


class TestLSTMNet(NetLaws):
    unit = "lstm"


class TestTanhNet(NetLaws):
    unit = "tanh"


class OneNote(RecurrentNet):
    """With one note a step every step is a dimension, and the chain has no gaps."""

    def conditional_logits(self, x):
        return self.logits(x).flatten(1)

    @property
    def ordering(self):
        return torch.arange(self.num_steps)


class TestStepsAreCausal(laws.Autoregressive):
    every_dependency = True

    def model(self):
        return OneNote(1, 6, unit="lstm", hidden_size=5, generator=seeded(6))


# --- Section 3: the units, number by number ------------------------------------------------------


def sigma(a):
    return 1 / (1 + math.exp(-a))


def double(value):
    """(1, 1) in float64."""
    return torch.full((1, 1), value, dtype=torch.float64)


def scalar_unit(kind, **weights):
    """A unit of one input and one number of state with the given weights."""
    unit = cells.CELLS[kind](1, 1).double()
    for name, values in weights.items():
        parameter = getattr(unit, name)
        parameter.data = torch.tensor(values, dtype=torch.float64).view_as(parameter)
    return unit


def test_a_gru_step_by_hand():
    unit = scalar_unit(
        "gru", W_zr=[0.3, -0.8], U_zr=[0.7, 0.4], b_zr=[0.1, 0.2], W=[1.1], U=[-0.9], b=[-0.3]
    )
    x, h = 0.5, -0.6
    z = sigma(0.3 * x + 0.7 * h + 0.1)
    r = sigma(-0.8 * x + 0.4 * h + 0.2)
    candidate = math.tanh(1.1 * x - 0.9 * (r * h) - 0.3)
    found, _ = unit(double(x)[:, None], (double(h),))
    assert found.item() == pytest.approx((1 - z) * h + z * candidate, rel=1e-12)


def test_an_lstm_step_with_peepholes_by_hand():
    unit = scalar_unit(
        "lstm", W=[0.3, -0.8, 1.1, 0.5], U=[0.7, 0.4, -0.9, 0.2], b=[0.1, 0.2, -0.3, 0.4],
        V_i=[1.5], V_f=[-0.7], V_o=[0.9],
    )  # fmt: skip
    x, h, c = 0.5, -0.6, 0.8
    i = sigma(0.3 * x + 0.7 * h + 0.1 + 1.5 * c)
    f = sigma(-0.8 * x + 0.4 * h + 0.2 - 0.7 * c)
    new = f * c + i * math.tanh(0.5 * x + 0.2 * h + 0.4)
    o = sigma(1.1 * x - 0.9 * h - 0.3 + 0.9 * new)  # the output gate sees the new memory cell
    found, (_, memory) = unit(double(x)[:, None], (double(h), double(c)))
    assert memory.item() == pytest.approx(new, rel=1e-12)
    assert found.item() == pytest.approx(o * math.tanh(new), rel=1e-12)


def test_where_the_reset_gate_stands_matters_unless_u_is_diagonal():
    before = cells.GRUCell(D, H, generator=seeded(7))
    after = cells.ResetAfterGRUCell(D, H, generator=seeded(7))
    x = torch.randn(2, T, D, generator=seeded(8))
    assert (before(x)[0] - after(x)[0]).abs().max() > 1e-3
    for unit in (before, after):
        unit.U.data *= torch.eye(H)
    torch.testing.assert_close(before(x)[0], after(x)[0])


def test_a_closed_update_gate_keeps_the_state_for_ever():
    """What gates are for: the linear path through time neither fades nor explodes."""
    unit = cells.GRUCell(D, H, generator=seeded(9))
    unit.b_zr.data[:H] = -100.0
    h = torch.linspace(-0.9, 0.9, H).view(1, H).requires_grad_()
    x = torch.randn(1, 500, D, generator=seeded(10))
    outputs, _ = unit(x, (h,))
    torch.testing.assert_close(outputs[:, -1], h)
    assert torch.equal(torch.autograd.grad(outputs[0, -1, 2], h)[0], torch.eye(H)[2:3])


def test_the_paper_sizes_have_twenty_thousand_weights_each():
    for kind, size in (("gru", 46), ("lstm", 36), ("tanh", 100)):
        unit = cells.CELLS[kind](88, size)
        assert 18_000 <= sum(p.numel() for p in unit.parameters()) <= 21_000


# --- the model -----------------------------------------------------------------------------------


def test_the_first_step_depends_on_no_data_and_is_counted():
    model = RecurrentNet(3, 4, hidden_size=5, generator=seeded(11))
    x = torch.bernoulli(torch.full((6, 4, 3), 0.5), generator=seeded(12))
    first = model.logits(x)[:, 0]
    assert torch.equal(first, first[:1].expand(6, -1))
    torch.testing.assert_close(model.log_prob_steps(x).sum(1), model.log_prob(x))
    assert (model.log_prob_steps(x)[:, 0] < 0).all()


def test_a_fresh_network_without_weights_predicts_the_frequencies():
    model = RecurrentNet(3, 4, hidden_size=5)
    model.output.weight.data.zero_()
    model.start_from(torch.tensor([0.25, 0.5, 0.0]))
    chance = torch.sigmoid(model.logits(torch.zeros(1, 2, 3)))[0, 1]
    torch.testing.assert_close(chance, torch.tensor([0.25, 0.5, 1e-4]))


def test_a_prompt_begins_every_sample_and_decides_what_follows():
    model = RecurrentNet(3, 8, hidden_size=5, generator=seeded(13))
    prompt = torch.tensor([[1.0, 0, 1], [0, 1, 1]])
    x = model.sample(4000, num_steps=4, prompt=prompt, generator=seeded(14))
    assert x.shape == (4000, 4, 3)
    assert torch.equal(x[:, :2], prompt.expand(4000, -1, -1))
    chance = torch.sigmoid(model.logits(x[:1, :3]))[0, 2]
    torch.testing.assert_close(x[:, 2].mean(0), chance.detach(), rtol=0, atol=0.04)
    whole = model.sample(2, num_steps=2, prompt=prompt)
    assert torch.equal(whole, prompt.expand(2, -1, -1))


def test_bad_input_is_named():
    model = RecurrentNet(3, 4, hidden_size=5)
    with pytest.raises(ValueError, match=r"lengths are 1 to 5, expected 0 to 4"):
        model.log_prob(torch.ones(2, 4, 3), torch.tensor([1, 5]))
    with pytest.raises(ValueError, match=r"lengths has shape \(1,\), expected \(2,\)"):
        model.log_prob(torch.ones(2, 4, 3), torch.tensor([1]))
    with pytest.raises(ValueError, match=r"x holds 0.5, expected 0 and 1"):
        model.log_prob(torch.full((2, 4, 3), 0.5))
    with pytest.raises(ValueError, match="'elman' is not one of tanh, gru"):
        RecurrentNet(3, 4, unit="elman")
    with pytest.raises(ValueError, match="n is -1, expected at least 0"):
        model.sample(-1)
    with pytest.raises(ValueError, match="a prompt of 6 steps is longer than 4"):
        model.sample(1, prompt=torch.zeros(6, 3))
    with pytest.raises(ValueError, match="num_steps is 0, expected at least 1"):
        model.sample(1, num_steps=0)
    with pytest.raises(ValueError, match="sizes must be at least 1, got 3 and 0"):
        RecurrentNet(3, 4, hidden_size=0)


# --- Section 4.2: weight noise, and train.py -----------------------------------------------------


def test_weight_noise_has_its_deviation_and_lets_gradients_through():
    model = RecurrentNet(88, 4, hidden_size=46, generator=seeded(15))
    before = [p.detach().clone() for p in model.parameters()]
    noisy = perturbed(model, 0.075, seeded(16))
    added = torch.cat([(noisy[n] - p).flatten() for n, p in model.named_parameters()])
    assert added.std().item() == pytest.approx(0.075, rel=0.03)
    assert added.mean().abs().item() < 5 * 0.075 / len(added) ** 0.5
    sum(value.sum() for value in noisy.values()).backward()
    for parameter, old in zip(model.parameters(), before, strict=True):
        assert torch.equal(parameter, old)
        assert torch.equal(parameter.grad, torch.ones_like(parameter))


class StubRun:
    """A run that records what `train` asks for; a batch is the first two chorales."""

    device = torch.device("cpu")

    def __init__(self):
        self.init_generator, self.losses = seeded(17), []

    def batches(self, split, batch_size, *, epochs, validate, patience):
        self.split, self.validate = split, validate
        self.budget = {"batch_size": batch_size, "epochs": epochs, "patience": patience}
        batches = _Batches([split.batch(torch.tensor([0, 1]))])
        batches.index = torch.tensor([0, 1])
        return batches

    def setup(self, model, optimiser, **settings):
        self.model, self.optimiser, self.settings = model, optimiser, settings
        return model, optimiser

    def step(self, loss, optimiser):
        self.losses.append(loss)

    def best(self, model):
        return model


class _Batches(list):
    pass


def test_one_step_of_training_is_the_configured_one():
    run = StubRun()
    config = training.Config(
        data="digits", hidden_size=4, epochs=9, batch_size=2, learning_rate=0.25, momentum=0.5,
        weight_noise=0.0, clip_norm=3.0, patience=7,
    )  # fmt: skip
    model = training.train(config, run)
    assert run.budget == {"batch_size": 2, "epochs": 9, "patience": 7}
    schedule = run.settings.pop("schedule")
    assert schedule(0) == 1
    assert run.settings == {"lr": 0.25, "clip_norm": 3.0, "optimiser_args": {"momentum": 0.5}}
    assert run.optimiser is torch.optim.RMSprop
    x = run.split.batch(torch.tensor([0, 1]))
    torch.testing.assert_close(run.losses[0], -model.log_prob(x).sum() / 16)
    valid = training.load_data(config).valid.tensor()
    assert run.validate() == pytest.approx(-model.log_prob(valid).mean().item() / 8, rel=1e-5)


def test_images_are_read_row_by_row():
    data = training.load_data(training.PRESETS["smoke"])
    assert data.shape == (8, 8)
    assert data.test.tensor().unique().tolist() == [0, 1]
    x = data.test.tensor()
    assert torch.equal(training.Rows().inverse(x)[:, 0], x)
    assert torch.equal(x, (data.test.x[:, 0] > 8).float())
    with pytest.raises(ValueError, match="ring has examples of shape"):
        training.load_data(training.Config(data="ring"))


def test_choices_that_there_are_not_are_refused():
    with pytest.raises(ValueError, match="unit is 'elman', expected one of: tanh, gru"):
        training.Config(unit="elman")
    with pytest.raises(ValueError, match="weight_noise is -1"):
        training.Config(weight_noise=-1)


def test_smoke_preset_learns_the_digits(tmp_path):
    from common.evaluation import baseline, evaluate
    from common.training import Run

    config = training.PRESETS["smoke"]
    model = training.train(config, Run(tmp_path, seed=0, progress=False))
    data = training.load_data(config)
    found = evaluate(model, data, metrics=["nll_nats"])["nll_nats"]
    assert found.value < baseline(data, "test").value - 1


# --- music ---------------------------------------------------------------------------------------


def a_roll():
    """A held C, an E struck in the second quarter, a rest, and both again."""
    roll = torch.zeros(5, 88)
    roll[[0, 1, 2, 4], 60 - 21] = 1
    roll[[1, 4], 64 - 21] = 1
    return roll


def test_what_sounds_in_neighbouring_rows_is_held():
    assert music.notes(a_roll()) == [(60, 0, 3), (64, 1, 2), (60, 4, 5), (64, 4, 5)]
    assert music.notes(torch.zeros(3, 88)) == []
    with pytest.raises(ValueError, match=r"roll has shape \(2, 89\), expected"):
        music.notes(torch.zeros(2, 89))


def test_midi_there_and_back(tmp_path):
    path = tmp_path / "roll.mid"
    roll = torch.bernoulli(torch.full((40, 88), 0.1), generator=seeded(18))
    music.to_midi(roll).save(path)
    assert torch.equal(music.from_midi(path), roll)
    file = mido.MidiFile(path)
    assert file.length == pytest.approx(40 * 60 / music.TEMPO, rel=1e-3)
    assert torch.equal(music.from_midi(music.to_midi(torch.zeros(3, 88))), torch.zeros(3, 88))


def test_a_pitch_beyond_the_piano_is_refused():
    file = music.to_midi(a_roll())
    for message in file.tracks[0]:
        if message.type.startswith("note"):
            message.note = 120
    with pytest.raises(ValueError, match="pitch 120 is not on the piano"):
        music.from_midi(file)


def test_an_a_has_440_hertz_and_silence_is_silent():
    roll = torch.zeros(4, 88)
    roll[:2, 69 - 21] = 1
    wave = music.to_wave(roll, tempo=60)
    assert len(wave) == int(4.5 * music.SAMPLE_RATE)
    assert np.abs(wave).max() == pytest.approx(0.9, rel=1e-3)
    second = wave[music.SAMPLE_RATE // 2 : 3 * music.SAMPLE_RATE // 2]
    assert np.abs(np.fft.rfft(second)).argmax() == 440  # one bin a hertz
    assert not wave[int(2.2 * music.SAMPLE_RATE) :].any()
    assert not music.to_wave(torch.zeros(2, 88)).any()


def test_the_player_holds_its_sound():
    html = music.player(a_roll())._repr_html_()
    assert 'src="data:audio/mpeg;base64,' in html
    assert music.to_mp3(a_roll())[:1] == b"\xff"  # the sync word of an MPEG frame
