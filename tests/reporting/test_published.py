import pytest

from pix2street.core.classes import ClassTable, cityscapes_classes
from pix2street.reporting.published import published_rows

CLASSES = cityscapes_classes()


def metrics(**judge):
    judge = {"name": "FCN-8s", "height_px": 1024, "width_px": 2048, **judge}
    return {
        "pairs": 500,
        "protocol": {"shared": {"dataset": "cityscapes", "split": "val"}, "segmentation": {"judge": judge}},
    }


def row_of(rows, method):
    (row,) = (row for row in rows if row["method"] == method)
    return row


def test_the_papers_row_is_the_papers():
    row = row_of(published_rows(metrics(), CLASSES), "pix2pix, L1 + cGAN")
    assert (row["pixel_accuracy"], row["class_accuracy"], row["mean_iou"], row["fid"]) == (0.66, 0.23, 0.17, None)
    ceiling = row_of(published_rows(metrics(), CLASSES), "real photos (their ceiling)")
    assert (ceiling["pixel_accuracy"], ceiling["mean_iou"]) == (0.80, 0.21)


def test_what_differs_is_named():
    row = row_of(published_rows(metrics(name="trained", height_px=256, width_px=512), CLASSES), "SPADE")
    assert row["differs"] == [
        "judge DRN-D-105 (here trained)",
        "judged at unknown (here 256x512)",
        "void counted, it seems (here left out)",
        "FID by PyTorch's port of the network and PIL's resizing",
    ]


def test_nothing_differs_only_under_the_same_protocol():
    rows = published_rows(metrics(name="DRN-D-105", height_px=256, width_px=512), CLASSES)
    assert not [row for row in rows if not row["differs"]]


@pytest.mark.parametrize("classes", [None, ClassTable(CLASSES.entries[:10])])
def test_other_data_have_no_published_rows(classes):
    assert published_rows(metrics(), classes) == []


def test_metrics_without_a_protocol_differ_in_everything():
    row = row_of(published_rows({"pairs": 4}, CLASSES), "pix2pix, cGAN alone")
    assert row["differs"] == [
        "data cityscapes val, 500 photos (here unknown , 4 photos)",
        "judge FCN-8s (here none)",
        "judged at 1024x2048 (here none)",
        "void unknown (here left out)",
    ]
