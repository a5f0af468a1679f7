"""What every mixing method of the table promises, with every ratio distribution it takes and every switch it has."""

from __future__ import annotations

import pytest
import torch

from tests.mixing.cases import Case, applied, cases, one_case_a_setting
from tuner.catalog import resolve
from tuner.mixing import METHODS

LABELS_ARE_NOT_PIXEL_SHARES = {
    ("cutmix", ("correct_ratio", False)),  # the target keeps the drawn ratio, as asked
    ("sample_pairing", None),  # the partner's label is left out
    ("cutout", None),  # blanked pixels belong to nobody, and the label stays
    ("cutout", ("official", True)),
    ("column_cutmix", None),  # a channel is a column, and stays whole: test_column_cutmix.py
    ("snapmix", None),  # shares of saliency
    ("snapmix", ("official", True)),
    ("patchup", None),  # a mask of its own for each channel, and the target by their mean: test_patchup.py
    ("patchup", ("mode", "soft")),
    ("patchup", ("official", True)),
}
SHARE_1_CHANGES_PIXELS = {
    ("cutout", None),
    ("cutout", ("official", True)),
    ("patchup", None),  # hard: gamma says how much is swapped
    ("patchup", ("official", True)),
    ("comixup", None),  # chooses what to mix by itself
}
SHARE_0_KEEPS_SOME_PIXELS = {
    ("none", None),  # it has no other source
    ("cutmix", None),  # the box is clipped at the border
    ("cutmix", ("official", True)),
    ("cutmix", ("correct_ratio", False)),
    ("sample_pairing", None),
    ("cutout", None),
    ("cutout", ("official", True)),
    ("comixup", None),  # draws no ratio
    ("smoothmix", None),  # the window fades towards the border
    ("resizemix", None),  # resampled, so equal but for rounding: tests/mixing/test_boxes_and_cells.py
    ("saliencymix", None),  # the box is clipped at the border
    ("saliencymix", ("official", True)),
    ("snapmix", None),  # both boxes are
    ("snapmix", ("official", True)),
    ("patchup", None),  # gamma says how much is changed
    ("patchup", ("mode", "soft")),
    ("patchup", ("official", True)),
}

every_case = pytest.mark.parametrize("case", cases(), ids=str)
every_setting = pytest.mark.parametrize("case", one_case_a_setting(), ids=str)


def all_but(exceptions: set[tuple[str, object]], among: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", [c for c in among if (c.method, c.switched) not in exceptions], ids=str)


def random_images(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1)).to(dtype)


def one_colour_images(batch: int, size: int = 8) -> torch.Tensor:
    """Image i is 1 in channel i and 0 in the others, so that a mixed image's channel means are its pixel shares."""
    return torch.eye(batch)[:, :, None, None].expand(-1, -1, size, size).contiguous()


@all_but(LABELS_ARE_NOT_PIXEL_SHARES, cases())
@pytest.mark.parametrize("batch", [1, 2, 7])
def test_labels_share_is_the_share_of_pixels(case: Case, batch):
    mixed, mixture = applied(case.policy(), one_colour_images(batch))
    targets = mixture.targets(torch.arange(batch), batch)
    torch.testing.assert_close(mixed.mean(dim=(2, 3)), targets, rtol=0, atol=1e-6)


@every_case
@pytest.mark.parametrize("batch", [1, 2, 7])
def test_label_mass_is_the_scale_and_no_share_is_negative(case: Case, batch):
    policy = case.policy()
    _, mixture = applied(policy, random_images(batch, 3, 8, 6))
    mass = mixture.ratios.sum(dim=1)
    if METHODS[case.method].facts.keeps_mass:
        torch.testing.assert_close(mass, torch.full((batch,), policy.ratio.scale), rtol=0, atol=1e-6)
    assert (mass <= policy.ratio.count).all()
    assert (mixture.ratios >= 0).all()
    assert ((mixture.sources >= 0) & (mixture.sources < batch)).all()


@every_setting
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64], ids=str)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("batch", [1, 2, 7])
def test_shape_type_and_memory_format_are_kept_and_the_input_is_untouched(case: Case, dtype, memory_format, batch):
    features = random_images(batch, 3, 8, 6, dtype=dtype).to(memory_format=memory_format)
    before = features.clone()
    mixed, _ = applied(case.policy(), features)
    assert (mixed.shape, mixed.dtype, mixed.stride()) == (features.shape, features.dtype, features.stride())
    assert torch.equal(features, before)


@every_setting
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_rounds_only_the_result(case: Case, dtype):
    features = random_images(7, 3, 8, 6, dtype=dtype)
    mixed, mixture = applied(case.policy(), features)
    exact, same = applied(case.policy(), features.double())
    torch.testing.assert_close(mixed, exact.to(dtype), rtol=torch.finfo(dtype).eps, atol=1e-6)
    assert torch.equal(mixture.ratios, same.ratios)


@every_setting
def test_memory_format_changes_no_value(case: Case):
    features = random_images(7, 3, 8, 6)
    mixed, mixture = applied(case.policy(), features)
    last, same = applied(case.policy(), features.to(memory_format=torch.channels_last))
    torch.testing.assert_close(last, mixed)
    assert torch.equal(mixture.ratios, same.ratios)


@every_setting
def test_same_seed_same_result_and_another_seed_another(case: Case):
    features = random_images(16, 3, 8, 6)
    first, again, other = (applied(case.policy(), features, seed)[0] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert case.method == "none" or not torch.equal(first, other)


@every_setting
def test_global_generator_is_neither_read_nor_moved(case: Case):
    features = random_images(7, 3, 8, 6)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, _ = applied(case.policy(), features)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(applied(case.policy(), features)[0], first)


@every_setting
def test_nothing_is_fetched_from_the_device(case: Case):
    # A tensor of torch's meta device has no values: whatever would make the host wait for a device raises here.
    mixed, mixture = applied(case.policy(), torch.empty(7, 3, 8, 6, device="meta"))
    targets = mixture.targets(torch.empty(7, dtype=torch.int64, device="meta"), 10)
    assert mixed.shape == (7, 3, 8, 6)
    assert targets.device.type == "meta"


@all_but(SHARE_1_CHANGES_PIXELS, one_case_a_setting())
def test_own_share_of_1_leaves_every_example_as_it_is(case: Case):
    features = random_images(7, 3, 8, 6)
    mixed, mixture = applied(case.policy(**_fixed(case, own=1.0)), features)
    assert torch.equal(mixed, features)
    assert torch.equal(mixture.targets(torch.arange(7), 7), torch.eye(7))


@all_but(SHARE_0_KEEPS_SOME_PIXELS, one_case_a_setting())
def test_own_share_of_0_gives_the_other_source(case: Case):
    features = random_images(7, 3, 8, 6)
    mixed, mixture = applied(case.policy(**_fixed(case, own=0.0)), features)
    assert torch.equal(mixed, features[mixture.sources[:, 1]])
    assert torch.equal(mixture.ratios, torch.tensor([[0.0, 1.0]]).expand(7, 2))


@every_setting
def test_gradient_reaches_every_source(case: Case):
    features = random_images(3, 2, 4, 4, dtype=torch.float64).requires_grad_()
    policy = case.policy()
    assert torch.autograd.gradcheck(lambda inputs: applied(policy, inputs)[0], (features,))


@every_setting
def test_hidden_maps_are_mixed_where_the_facts_say_so(case: Case):
    depths = METHODS[case.method].facts.depths
    if depths != "any":
        where = "depth 0 only" if depths == "image" else "hidden depths only, 1 or more"
        with pytest.raises(ValueError, match=f"{case.method} mixes at {where}, got depths \\[0, 2\\]"):
            case.policy(depths=[0, 2])
        return
    flat, mixture = applied(case.policy(), torch.eye(7))
    if (case.method, case.switched) in LABELS_ARE_NOT_PIXEL_SHARES:
        return
    torch.testing.assert_close(flat, mixture.targets(torch.arange(7), 7))


@every_setting
def test_bytes_are_refused(case: Case):
    with pytest.raises(
        ValueError, match=r"needs floating point features, got torch\.uint8; convert and normalise first"
    ):
        applied(case.policy(), torch.zeros(2, 3, 8, 6, dtype=torch.uint8))


@pytest.mark.parametrize("name", METHODS)
def test_catalogue_tells_what_a_method_is(name):
    entry = METHODS[name]
    assert entry.summary.endswith(".")
    assert entry.source
    if name in {"none", "switch"}:
        return
    published = METHODS.build(resolve(METHODS, name))
    assert (published.expected_strength() > 0) == (entry.facts.counts != (1, 1))


@pytest.mark.gpu
@every_case
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=str)
def test_gpu_gives_what_the_cpu_gives(case: Case, memory_format):
    features = random_images(33, 3, 17, 12).to(memory_format=memory_format)
    on_cpu, mixture = applied(case.policy(), features)
    on_gpu, same = applied(case.policy(), features.cuda())
    torch.testing.assert_close(on_gpu.cpu(), on_cpu, rtol=1e-6, atol=1e-6)
    assert torch.equal(same.sources.cpu(), mixture.sources)
    torch.testing.assert_close(same.ratios.cpu(), mixture.ratios, rtol=0, atol=1e-6)
    assert on_gpu.stride() == features.stride()


def _fixed(case: Case, own: float) -> dict[str, object]:
    return {} if case.ratio is None else {"ratio": {"name": "fixed", "shares": [own, 1 - own]}}
