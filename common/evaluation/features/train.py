"""Training a feature network by its recipe: cross-entropy on augmented images, nothing selected."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import AdamW

from common.data import Dataset, Split, load
from common.evaluation.features.network import SmallConvNet
from common.evaluation.features.recipes import Recipe
from common.evaluation.measurement import EvaluationError
from common.training import Run, cosine
from common.training.initialise import initialise

BATCH = 500  # images at once where nothing is learned


def build(recipe: Recipe, *, generator: torch.Generator | None = None) -> nn.Module:
    """The untrained network of a recipe; with torch's own initial values from the generator."""
    from common.data import get_info

    info = get_info(recipe.data)
    model = SmallConvNet(info.shape, info.num_classes, recipe.widths, stride=recipe.stride)
    return model if generator is None else initialise(model, generator)


def train(recipe: Recipe, run: Run) -> nn.Module:
    """Learn to classify the training split; the last weights count, no split selects them."""
    data = load(recipe.data)
    batches = run.batches(data.train, recipe.batch_size, epochs=recipe.epochs)
    epoch = len(data.train) // recipe.batch_size
    model, optimiser = run.setup(
        build(recipe, generator=run.init_generator).to(memory_format=torch.channels_last),
        AdamW,
        lr=recipe.learning_rate,
        schedule=cosine(len(batches), warmup_steps=epoch),
        optimiser_args={"weight_decay": recipe.weight_decay},
    )
    for x in batches:
        x = augment(x / (data.num_levels - 1), recipe, run.generator)
        logits = model(x.contiguous(memory_format=torch.channels_last))
        y = batches.split.y[batches.index.to(run.device)]
        loss = F.cross_entropy(logits, y, label_smoothing=recipe.label_smoothing)
        run.step(loss, optimiser)
    return run.best(model)


def augment(x: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Images (B, C, H, W), each moved by its own few pixels with black coming in, and mirrored."""
    n, _, height, width = x.shape
    if recipe.mirror:
        chosen = torch.rand(n, generator=generator, device=x.device) < 0.5
        x = torch.where(chosen[:, None, None, None], x.flip(3), x)
    if not recipe.shift:
        return x
    reach = 2 * recipe.shift + 1
    corner = torch.randint(reach, (2, n, 1, 1), generator=generator, device=x.device)
    rows = corner[0] + torch.arange(height, device=x.device)[:, None]  # (B, H, 1)
    columns = corner[1] + torch.arange(width, device=x.device)  # (B, 1, W)
    padded = F.pad(x, (recipe.shift,) * 4).permute(0, 2, 3, 1)  # (B, H + 2s, W + 2s, C)
    each = torch.arange(n, device=x.device)[:, None, None]
    return padded[each, rows, columns].permute(0, 3, 1, 2)


@torch.no_grad()
def accuracy(model: nn.Module, data: Dataset, split: Split) -> float:
    """The share of a split's images that the model puts into their class."""
    right = 0
    for x, y in zip(split.x.split(BATCH), split.y.split(BATCH), strict=True):
        logits = model(x.float() / (data.num_levels - 1))
        if not torch.isfinite(logits).all():
            raise EvaluationError("the network's outputs are not finite. Did the training diverge?")
        right += (logits.argmax(1) == y).sum().item()
    return right / len(split)
