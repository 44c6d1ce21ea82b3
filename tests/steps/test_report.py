import re

import pandas as pd
import pytest
from browser import CHROMIUM, look_at

from pix2street.steps.report import read_examples, render_report


def test_equal_values_give_equal_bytes(values, page):
    assert render_report(**values)[0] == page


def test_nothing_is_loaded_from_elsewhere(page):
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?!data:|#)[^"'> ]+""", page)
    assert not re.findall(r"url\((?!#)", page)
    assert "@import" not in page


def test_what_a_data_set_says_of_itself_is_escaped(page):
    assert "My &lt;streets&gt; &amp; more" in page
    assert "<streets>" not in page


def test_numbers_are_those_of_the_metrics(values):
    for text in render_report(**values):
        for expected in ("0.456", "0.600", "0.200", "0.050", "76%", "0.228", "3.250", "1,234,567", "Neither network"):
            assert expected in text


def test_the_verdict_names_the_last_epochs_faults(values):
    for text in render_report(**values):
        assert "Up-sampling leaves a checkerboard (checkerboard 11.00)." in text
        assert "hardly depends on the input" not in text


def test_absent_classes_are_listed(page):
    assert "out of the mean: train." in page


def test_a_set_without_classes_says_what_is_left_out(classless):
    page, summary = render_report(**classless)
    assert "This data set has no classes. What needs them is left out" in page
    assert "IoU by class" not in page
    assert "0.123" in page
    assert "0.123" in summary
    assert "what needs a judge is left out" in summary


def test_a_waiver_is_seen(values):
    page, summary = render_report(**values)
    assert "checks sharp" in page
    assert "1 checks on 48 files; waived: checks sharp." in summary


def test_the_summary_fits_a_comment(values):
    _, summary = render_report(**values)
    assert len(summary.splitlines()) < 40
    assert summary.startswith("## pix2street: My <streets> & more\n\nLabels to photo: 3 epochs on 40 pairs")
    assert "| mean IoU | 0.456 | 0.600 | 0.200 | 0.050 |" in summary


def test_a_failed_check_is_seen(values):
    check = {**values["verdict"]["checks"][0], "success": False, "waived": False, "offending": ["p1", "p2"]}
    page, summary = render_report(**{**values, "verdict": {**values["verdict"], "success": False, "checks": [check]}})
    assert "Failed" in page
    assert "Validation failed" in summary


@pytest.mark.parametrize("width_px", [500, 1200])
@pytest.mark.parametrize("kind", ["values", "classless"])
def test_in_a_real_browser(request, tmp_path, kind, width_px):
    if CHROMIUM is None:
        pytest.skip("no Chromium here: install the package `chromium` to see the page in a browser")
    page, _ = render_report(**request.getfixturevalue(kind))
    seen = look_at(page, tmp_path, width_px)
    assert seen["images"] == 2 * 5 + 2
    assert seen["broken"] == 0
    assert seen["figures"] == (3 if kind == "values" else 2)
    assert seen["overflow"] <= 0
    assert seen["requests"] == []


def test_examples_are_spread_over_the_split(road_and_sky, tmp_path):
    from pix2street.images import read_rgb, write_png

    for name in ("generated", "baselines/untrained"):
        (tmp_path / name / "train").mkdir(parents=True)
        for path in (road_and_sky / "train/targets").iterdir():
            write_png(tmp_path / name / "train" / path.name, read_rgb(path))
    examples = read_examples(road_and_sky, tmp_path / "generated", tmp_path / "baselines", "train", 2)
    assert [example.pair_id for example in examples] == ["p0", "p3"]
    assert list(examples[0].images) == ["input", "target", "generated", "untrained"]
    assert pd.Series(examples[0].images)["generated"] == (tmp_path / "generated/train/p0.png").read_bytes()
