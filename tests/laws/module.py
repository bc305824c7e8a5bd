"""Laws of every model, whatever it models: state, seeds, learning, dtypes, batches, errors."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.laws.base import assert_close, must_work, seeded
from tests.laws.learning import Learning
from tests.laws.state import State


class Module(State, Learning):
    """Every model; the input's dtype, layout and batch size change nothing but the dtype."""

    def test_float32_agrees_with_float64(self):
        model = self.build()
        x = self.inputs(8, seeded(10), model)
        cause = "a dtype written into the code (torch.float32, .float(), torch.zeros without dtype=x.dtype)"
        with torch.no_grad():
            with must_work("float64 input to a float64 model", cause):
                exact = self.evaluate(model, x)
            assert exact.dtype == torch.float64, f"float64 in, {exact.dtype} out: {cause}"
            assert not torch.equal(exact, exact.float().double()), (
                "every float64 result is exactly a float32 number, so part of the model computes "
                f"in single precision. Likely cause: {cause}"
            )
            with must_work("float32 input to a float32 model", cause):
                single = self.evaluate(model.float(), x.float())
            assert single.dtype == torch.float32, f"float32 in, {single.dtype} out: {cause}"
        assert_close(single, exact, 1e-3, "float32 against float64", "a step that loses precision")

    def test_gradient_is_the_finite_difference(self):
        """In float64 a step of 1e-7 leaves seven digits; one float32 inside leaves none."""
        model = self.build()
        x = self.inputs(8, seeded(10), model)
        parameters = [p for p in model.parameters() if p.requires_grad]
        generator, step = seeded(14), 1e-7
        directions = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]
        with must_work("the gradient of the evaluation", "everything is detached"):
            gradients = torch.autograd.grad(
                self.evaluate(model, x).sum(), parameters, allow_unused=True
            )
        pairs = zip(gradients, directions, strict=True)
        slope = sum((g * v).sum() for g, v in pairs if g is not None)
        values = []
        for sign in (1, -2):  # forward by a step, then back by two
            with torch.no_grad():
                for parameter, direction in zip(parameters, directions, strict=True):
                    parameter.add_(sign * step * direction)
                values.append(self.evaluate(model, x).sum())
        assert_close(
            slope,
            (values[0] - values[1]) / (2 * step),
            1e-4,
            "the derivative by autograd against a finite difference in float64",
            "part of the model computes in single precision, or a detach or a backward of its "
            "own keeps a part of the gradient back",
        )

    def test_batch_of_one_is_a_row_of_the_batch(self):
        model = self.build()
        x = self.inputs(8, seeded(10), model)
        cause = (
            "squeeze() without a dimension, statistics of the batch used in eval mode, or an "
            "average over the batch inside the model"
        )
        with torch.no_grad(), must_work("a batch of one", cause):
            together = self.evaluate(model, x)
            assert together.shape == (8,), (
                f"8 examples gave shape {tuple(together.shape)}, expected (8,): one number per "
                "example, never averaged or summed for the caller"
            )
            for i in range(8):
                what = f"example {i} alone against the same example in a batch of 8"
                assert_close(
                    self.evaluate(model, x[i : i + 1])[None, 0],
                    together[i, None],
                    1e-9,
                    what,
                    cause,
                )

    def test_non_contiguous_input(self):
        model = self.build()
        x = self.inputs(8, seeded(10), model)
        reverse = tuple(reversed(range(x.ndim)))
        turned = x.permute(reverse)
        # The first dimension innermost and every second number in memory: no view can flatten it.
        strided = torch.stack([turned, -turned], dim=-1)[..., 0].permute(reverse)
        assert not strided.is_contiguous()
        cause = ".view(...) on the input; use .reshape or .flatten"
        with torch.no_grad(), must_work("non-contiguous input", cause):
            what = "non-contiguous input against its contiguous copy"
            assert_close(self.evaluate(model, strided), self.evaluate(model, x), 1e-12, what, cause)

    def test_input_is_not_modified(self):
        model = self.build()
        x = self.inputs(8, seeded(10), model)
        for name, entry in self.entries(model).items():
            given = x.clone()
            with torch.no_grad():
                entry(given)
            assert torch.equal(given, x), (
                f"{name} changed the batch it was given. Likely cause: an in-place operation "
                "(x -= ..., x.clamp_, x[:, i] = ...) on the caller's tensor"
            )

    def test_evaluation_leaves_the_state_alone(self):
        model = self.build()
        x = self.inputs(8, seeded(10), model)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        with torch.no_grad():
            for entry in self.entries(model).values():
                entry(x)
        for name, value in model.state_dict().items():
            assert torch.equal(value, before[name]), (
                f"`{name}` changed while an eval-mode model was evaluated. Likely cause: running "
                "statistics updated without asking self.training"
            )

    def test_wrong_shape_is_refused(self):
        model = self.build()
        x = self.inputs(8, seeded(10), model)
        wide = torch.cat([x, x[..., :1]], dim=-1)
        for name, entry in self.entries(model).items():
            for wrong, fault in ((wide, "one column too many"), (x[0], "no batch dimension")):
                self._must_refuse(name, entry, wrong, fault)

    def _must_refuse(self, name, entry, wrong: Tensor, fault: str) -> None:
        shape = tuple(wrong.shape)
        try:
            with torch.no_grad():
                entry(wrong)
        except ValueError as error:
            text = str(error)
            assert all(str(size) in text for size in shape), (
                f"{name} refused shape {shape} ({fault}) without naming it: {text!r}. Say the "
                "shape that came and the shape that was expected"
            )
            return
        except Exception as error:
            raise AssertionError(
                f"{name} met shape {shape} ({fault}) with {type(error).__name__}: {error}. Check "
                "the shape once at the public border and raise ValueError naming it"
            ) from error
        raise AssertionError(
            f"{name} accepted shape {shape} ({fault}) in silence. Likely cause: broadcasting or "
            "reshape(-1, ...) hides the mistake; check the shape and raise ValueError"
        )
