from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from shipped import PARAMS

from pix2street.core.classes import cityscapes_classes
from pix2street.core.images import png_bytes
from pix2street.core.pairs import Dataset
from pix2street.reporting.evidence import Evidence
from pix2street.reporting.examples import SEEN_GENERATED, SEEN_TARGET, Example
from pix2street.steps.report import render_report

NAMES = ["road", "car", "sky"]


def score(value: float) -> dict:
    return {
        "images": 8, "l1": value / 2, "l1_interval": {"low": value / 2 - 0.01, "high": value / 2 + 0.01},
        "psnr": 17.25, "ssim": 0.5, "frechet_segmenter": 3.25, "pixel_accuracy": value + 0.2,
        "pixel_accuracy_with_void": value + 0.15, "class_accuracy": value + 0.1, "mean_iou": value,
        "mean_iou_interval": {"low": value - 0.02, "high": value + 0.03},
        "frequency_weighted_iou": value, "category_mean_iou": value,
        "iou": {**dict.fromkeys(NAMES, value), "train": None}, "absent_classes": ["train"],
        "category_iou": {"flat": value},
        "of_ceiling": {"mean_iou": value / 0.6},
        "evaluated_pixels": 1234567,
        "void_pixels": 89,
    }  # fmt: skip


JUDGE = {"name": "trained", "height_px": 32, "width_px": 64, "weights_sha256": "ab" * 32}
PROTOCOL = {
    "shared": {"dataset": "synthetic_streets", "split": "val", "pairs": 8, "height_px": 32, "width_px": 64},
    "intervals": "95% percentile bootstrap",
    "pixels": {"version": 1, "scores": ["l1", "psnr", "ssim"]},
    "segmentation": {"version": 2, "scores": ["pixel_accuracy", "mean_iou"], "judge": JUDGE},
}


def shipped_params() -> dict:
    """Return the shipped parameters, changed to a short training on small pictures."""
    params = PARAMS.model_dump(by_alias=True)
    params["split"] |= {"height_px": 32, "width_px": 64}
    params["train"]["run"]["epochs"] = 3
    return params


@pytest.fixture
def evidence() -> Evidence:
    """Return made-up evidence for a whole report."""
    picture = png_bytes(np.random.default_rng(0).integers(0, 256, (32, 64, 3)).astype(np.uint8))
    captions = ["input", "target", "generated", SEEN_TARGET, SEEN_GENERATED, "mean colour", "untrained"]
    return Evidence(
        params=shipped_params(),
        dataset=Dataset(
            "d", "My <streets> & more", "labels to photo", "own", "", "right", None, cityscapes_classes()
        ),
        verdict={
            "success": True,
            "pairs": {"train": 40, "val": 8},
            "files": {"checked": 48, "passed": 48, "failed": 0},
            "read": {},
            "waived": {"checks": ["sharp"], "pairs": []},
            "checks": [
                {"key": "sharp", "rule": "photos are not blurred", "way_out": "", "warning": False,
                 "expectation": "ExpectColumnValuesToBeBetween",
                 "column": "target_sharpness", "least": 8.0, "most": None, "success": True, "waived": True,
                 "observed": None, "checked": 48, "offending": [], "waived_pairs": []},
            ],
        },
        history=pd.DataFrame({
            "epoch": [1, 2, 3], "gen_total": [40.0, 30, 25], "gen_gan": [0.8, 1.1, 1.2], "gen_l1": [0.4, 0.3, 0.25],
            "gen_features": [0.2, 0.15, 0.1],
            "disc_real": [0.6, 0.5, 0.45], "disc_generated": [0.6, 0.5, 0.4], "disc_total": [1.2, 1.0, 0.85],
            "disc_real_accuracy": [0.5, 0.7, 0.8], "disc_generated_accuracy": [0.5, 0.8, 0.9],
            "holdout_l1": [0.5, 0.4, 0.3],
            "diversity": [0.0, 0.3, 0.8], "sensitivity": [0.0, 0.3, 0.8], "saturated_share": [0.0, 0.3, 0.1],
            "checkerboard": [15.0, 12.0, 11.0],
        }),
        sheets={1: picture, 3: picture},
        metrics={
            "split": "val", "pairs": 8,
            "judge": {"split": "val", "images": 8, "pixel_accuracy": 0.9, "class_accuracy": 0.8, "mean_iou": 0.6},
            "protocol": PROTOCOL, "floor": {"images": 4, "frechet_segmenter": 0.125},
            "generated": score(0.456), "ceiling": score(0.6),
            "baselines": {"mean_color": score(0.2), "untrained": score(0.05)},
        },
        class_iou=pd.DataFrame({
            "class": [*NAMES, "train"], "generated": [0.4, 0.5, 0.46, None], "ceiling": [0.6, 0.7, 0.5, None],
            "mean_color": [0.1, 0.2, 0.3, None], "untrained": [0.0, 0.1, 0.05, None],
        }),
        confusion=pd.DataFrame({
            "truth": ["road", "road", "void", "void"], "judged": ["road", "void", "road", "void"],
            "generated": [9, 1, 2, 0], "ceiling": [10, 0, 1, 1],
        }),
        extremes={
            "best": [Example("good", dict.fromkeys(["input", "target"], picture), "mean IoU 0.789")], "worst": [],
        },
        examples=[
            Example(f"pair_{i}", dict.fromkeys(captions, picture), "mean IoU 0.5", {"road": "#804080"})
            for i in range(2)
        ],
        versions={"python": "3.11.7", "keras": "3.15.1"},
    )  # fmt: skip


@pytest.fixture
def classless(evidence) -> Evidence:
    """Return the same for a data set without classes."""
    plain = {"images": 8, "l1": 0.123}
    protocol = {name: PROTOCOL[name] for name in ("shared", "intervals", "pixels")}
    metrics = {"split": "val", "pairs": 8, "judge": None, "generated": plain, "floor": {}, "protocol": protocol,
               "baselines": {"untrained": {"images": 8, "l1": 0.5}}}  # fmt: skip
    own = Dataset("d", "My <streets> & more", "grey to colour", "own", "", "grey", None, None)
    empty = {"class_iou": pd.DataFrame({"class": []}), "confusion": pd.DataFrame({"truth": [], "judged": []})}
    return replace(evidence, dataset=own, metrics=metrics, **empty)


@pytest.fixture
def page(evidence) -> str:
    return render_report(evidence)[0]
