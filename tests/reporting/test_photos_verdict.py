import pytest

from pix2street.reporting.photos_verdict import ceiling_warning, not_judged_of, photos_verdict
from pix2street.reporting.scores import QUOTED_DISTANCE, title_of_score


def judged(**generated) -> dict:
    """Return the metrics of a set with classes."""
    return {
        "generated": {"mean_iou": 0.39, "of_ceiling": {"mean_iou": 0.78}, QUOTED_DISTANCE: 1.5, **generated},
        "baselines": {"mean_color": {"mean_iou": 0.1, "of_ceiling": {"mean_iou": 0.2}, QUOTED_DISTANCE: 9.0}},
        "floor": {QUOTED_DISTANCE: 0.25},
    }


DISTANCE = title_of_score(QUOTED_DISTANCE)


def test_the_sentence_quotes_the_ceiling_and_the_distance_beside_mean_colours_and_real_halves():
    assert photos_verdict(judged()) == (
        "The generated photos reach 78% of the ceiling, the mean IoU of real photos (mean colours: 20%), and have a "
        f"distance from the real photos of 1.500 ({DISTANCE}; mean colours: 9.000; "
        "two halves of the real photos: 0.250)."
    )


def test_usefulness_is_quoted_where_it_was_measured():
    measured = {"generated": {"mean_iou": 0.3, "share_of_real": 0.74}, "mean_color": {"share_of_real": 0.1}}
    measured["shuffled"] = {"share_of_real": 0.3}
    sentence = photos_verdict({**judged(), "usefulness": measured})
    beside = "mean colours: 10%; real photos with other drawings: 30%"
    assert f", are 74% as useful as real photos to train a judge with ({beside}), and have a distance" in sentence
    alone = photos_verdict({**judged(), "usefulness": {"generated": {"share_of_real": 0.74}}})
    assert "to train a judge with, and have a distance" in alone
    for absent in (None, {}, {"generated": None}, {"generated": {"mean_iou": 0.3}}):
        assert photos_verdict({**judged(), "usefulness": absent}) == photos_verdict(judged())


@pytest.mark.parametrize("missing", ["mean_color", "floor"])
def test_a_value_that_is_missing_is_not_spoken_of(missing):
    metrics = judged()
    del metrics["baselines" if missing == "mean_color" else missing]
    sentence = photos_verdict({"baselines": {}, **metrics})
    assert ("mean colours" in sentence) == (missing != "mean_color")
    assert ("two halves" in sentence) == (missing != "floor")
    assert "None" not in sentence
    assert "–" not in sentence


def test_without_a_ceiling_the_score_itself_is_quoted():
    assert photos_verdict(judged(of_ceiling={})).startswith("The generated photos have a mean IoU of 0.390, and have a")


def test_enlarged_photos_are_held_against_bicubic_ones_and_the_earlier_phase():
    sets = {"bicubic": {"psnr_luma": 20.0, "frechet_detail": 90.0}, "pixels": {"psnr_luma": 22.0}}
    metrics = {"generated": {"psnr_luma": 21.04, "frechet_detail": 12.0}, "baselines": sets, "floor": {}}
    assert photos_verdict(metrics) == (
        "The generated photos have a PSNR of 21.0 dB on luma (bicubic enlargements: 20.0 dB; learned from pixels "
        "alone: 22.0 dB), and have a distance from the real photos of 12.000 (Fréchet distance of fine details; "
        "bicubic enlargements: 90.000)."
    )


def test_without_the_distance_of_the_judge_another_one_is_quoted():
    metrics = judged(**{QUOTED_DISTANCE: None, "fid_tf_val8": 99.0, "kid_tf_val8": 0.5, "kid_tf_val8_std": 0.1})
    assert photos_verdict(metrics).endswith(
        "have a distance from the real photos of 99.000 (FID, tf resizing, 8 of val)."
    )


def plain(**generated) -> dict:
    """Return the metrics of a set without classes."""
    return {"generated": generated, "baselines": {"untrained": {"l1": 0.5, "swd": 40.0}}, "floor": {"swd": 3.0}}


def test_a_set_without_classes_quotes_what_needs_no_judge():
    sentence = photos_verdict(plain(l1=0.125, swd=12.5, color_spread=0.1, contrast_spread=0.4))
    assert sentence.startswith(
        "The generated photos differ from the real photos by an L1 of 0.125 of 2 (before training"
    )
    assert (
        "have, of the real photos' spread, 10% in mean colour and 40% in contrast, and have a distance from" in sentence
    )
    assert sentence.endswith("before training: 40.000; two halves of the real photos: 3.000).")
    assert "ceiling" not in sentence
    assert photos_verdict(plain(l1=0.125)) == (
        "The generated photos differ from the real photos by an L1 of 0.125 of 2 (before training: 0.500)."
    )
    assert photos_verdict(plain(images=8)) == ""


@pytest.mark.parametrize(
    ("share", "warned"), [(None, False), (0.78, False), (1.0, False), (1.0001, True), (1.16, True)]
)
def test_only_a_share_above_the_ceiling_is_a_warning(share, warned):
    warning = ceiling_warning(judged(of_ceiling={"mean_iou": share}))
    assert warning.startswith("More typical than real: read Fréchet, KID and usefulness.") == warned
    assert bool(warning) == warned
    assert ceiling_warning(plain(l1=0.1)) == ""


def test_metrics_that_name_no_such_classes_judge_all():
    for protocol in ({}, {"segmentation": {}}, {"segmentation": {"not_judged": None}}):
        assert not_judged_of({"protocol": protocol}) == {}


def test_a_translation_says_how_many_photos_are_named_as_their_domain_and_how_far_their_light_is():
    metrics = plain(swd=12.5, frechet_light=0.25, domain_accuracy=0.875)
    metrics["baselines"]["unchanged"] = {"swd": 20.0, "frechet_light": 0.75, "domain_accuracy": 0.125}
    assert photos_verdict(metrics) == (
        "The generated photos are named as the target domain in 88% of the cases (the input unchanged: 12%), and have "
        "a distance from the real photos of 12.500 (sliced Wasserstein distance, mean over levels; the input "
        "unchanged: 20.000; two halves of the real photos: 3.000) and of 0.250 (Fréchet distance of mean colour and "
        "contrast; the input unchanged: 0.750)."
    )
