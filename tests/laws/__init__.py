"""The laws: properties that every model of a kind must have.

A project's test inherits the laws of its kind and supplies a tiny model, and has the whole battery:

>>> from tests import laws
>>> from tests.laws import seeded
>>> class TestMine(laws.BinaryMass, laws.Autoregressive):
...     def model(self):
...         return MADE(num_dims=6, hidden_sizes=(16,), generator=seeded(0))

================= ================================================== =============================
law               what holds                                         what the model offers
================= ================================================== =============================
Module            state, seeds, dtypes, batches, errors, learning    log_prob or elbo
Sampler           the generator decides the draws                    sample(n, *, generator)
BinaryMass        2^D masses sum to one, samples follow them         log_prob, sample
Autoregressive    conditionals see earlier dimensions, no others     conditional_logits, ordering
CachedSampler     cached samples are the naive ones, bit for bit     sample, sample_naive
ContinuousDensity integrates to one in 1-2 D, samples follow it      log_prob, sample
Flow              inverse, log-determinant, change of variables      forward, inverse, sample
Mixture           EM climbs to a maximum, Bayes' rule, closed forms  responsibilities, means, ...
Bound             elbo <= iwae_k <= log p, with log p by quadrature  elbo, log_weights, encode, ...
Critic            penalty in closed form, exact W1 on the line       penalty, critic_loss, ...
Diffusion         marginals, posterior, prediction, bound <= log p   schedule, predict, bound_term, ...
DiffusionSampler  exact scores give the data, at the right order     ddim_step, denoise, invert
Recurrent         steps equal torch's fused network, state, time     forward(x, state), fused(...)
Padded            padding counts for nothing                         log_prob(x, lengths=...)
CausalTokens      strings: mass, samples, no look ahead              forward, step_log_prob, sample
Unordered         one layer without positions sees a bag             forward
CachedGeneration  cached text is the recomputed one, token by token  generate(prompt, n, cached=)
Adversarial       the value of the game is 2 JS - log 4, packed too  discriminator_loss, pack, ...
================= ================================================== =============================

Every kind but `Module` itself, `Recurrent`, the laws of a unit, and `Adversarial`, those of losses,
includes `Module`, but for the laws of diffusions, and all but these, `Autoregressive`, `Critic`,
`CachedGeneration`, `Flow`, `Padded` and `Unordered` include `Sampler`.
The seed of ``seeded`` is the only randomness of a law; where a law is statistical its level is
`statistics.ALPHA` or five standard errors. A law that a paper's model does not obey is switched off
by name, with the reason: ``test_batch_of_one_is_a_row_of_the_batch = None  # ...``.
"""

from tests.laws.adversarial import Adversarial
from tests.laws.base import seeded
from tests.laws.bound import Bound
from tests.laws.continuous import ContinuousDensity, Flow
from tests.laws.critic import Critic
from tests.laws.diffusion import Diffusion
from tests.laws.diffusion_sampling import DiffusionSampler
from tests.laws.discrete import Autoregressive, BinaryMass, CachedSampler
from tests.laws.mixture import Mixture
from tests.laws.module import Module
from tests.laws.recurrent import Padded, Recurrent
from tests.laws.sampler import Sampler
from tests.laws.tokens import CachedGeneration, CausalTokens, Unordered

__all__ = [
    "Adversarial",
    "Autoregressive",
    "BinaryMass",
    "Bound",
    "CachedGeneration",
    "CachedSampler",
    "CausalTokens",
    "ContinuousDensity",
    "Critic",
    "Diffusion",
    "DiffusionSampler",
    "Flow",
    "Mixture",
    "Module",
    "Padded",
    "Recurrent",
    "Sampler",
    "Unordered",
    "seeded",
]
