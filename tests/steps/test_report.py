import re
from dataclasses import replace

import pytest
from browser import CHROMIUM, look_at
from ruamel.yaml import YAML

from pix2street.reporting.examples import Example
from pix2street.reporting.model_card import as_model_card
from pix2street.reporting.scores import QUOTED_DISTANCE, title_of_score
from pix2street.steps.report import render_report


def test_equal_values_give_equal_bytes(evidence, page):
    assert render_report(evidence)[0] == page


def test_nothing_is_loaded_from_elsewhere(page):
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?!data:|#)[^"'> ]+""", page)
    assert not re.findall(r"url\((?!#)", page)
    assert "@import" not in page


def test_what_a_data_set_says_of_itself_is_escaped(page):
    assert "My &lt;streets&gt; &amp; more" in page
    assert "<streets>" not in page


def test_numbers_are_those_of_the_metrics(evidence):
    for text in render_report(evidence):
        for expected in (
            "0.456",
            "0.600",
            "0.200",
            "0.050",
            "76%",
            "0.228",
            "3.250",
            "0.125",
            "1,234,567",
            "Neither network",
        ):
            assert expected in text


def test_the_verdict_names_the_last_epochs_faults(evidence):
    for text in render_report(evidence):
        assert "Up-sampling leaves a checkerboard (checkerboard 11.00)." in text
        assert "hardly depends on the input" not in text


def test_the_protocol_the_judge_and_the_best_are_shown(page):
    assert "judge: trained, weights abababababab" in page
    assert "sees the 8 real photos of val" in page
    assert "<code>segmentation.judge.height_px</code>" in page
    assert "good: mean IoU 0.789" in page
    assert "<details open><summary>the best 1</summary>" in page
    assert "<summary>the worst" not in page


def test_published_results_stand_apart_with_what_differs(page, classless):
    assert "published results for Cityscapes" in page
    assert "data cityscapes val, 500 photos (here synthetic_streets val, 8 photos)" in page
    assert "published results" not in render_report(classless)[0]


def test_few_images_are_said_to_bias_an_fid(evidence):
    distances = {"fid_tf_val8": 123.4, "kid_tf_val8": 0.0625, "kid_tf_val8_std": 0.0005}
    metrics = {**evidence.metrics, "generated": {**evidence.metrics["generated"], **distances}}
    for text in render_report(replace(evidence, metrics=metrics)):
        assert "FID, tf resizing, 8 of val" in text
        assert "123.400" in text
        assert re.search(r"\b0\.062\b.{1,60}± 0\.0005", text)
        assert "Over 8 images, fewer than Inception" in text
    many = {"fid_tf_val2975": 50.0}
    metrics["generated"] = {**evidence.metrics["generated"], **many}
    assert "fewer than Inception" not in render_report(replace(evidence, metrics=metrics))[0]


@pytest.mark.parametrize(
    "missing", [["ceiling"], ["floor"], ["protocol"], ["judge"], ["ceiling", "floor", "protocol", "judge"]]
)
def test_metrics_that_are_missing_are_left_out(evidence, missing):
    metrics = {key: value for key, value in evidence.metrics.items() if key not in missing}
    page, summary = render_report(replace(evidence, metrics=metrics, extremes={}))
    assert "<b>0.456</b><span>mean IoU of the generated photos (95 %: 0.436–0.486)</span>" in page
    assert "| mean IoU | 0.456 (0.436–0.486, 76%) |" in summary
    for part, shown in {"ceiling": "| ceiling |", "floor": "| floor |"}.items():
        assert (shown in summary) == (part not in missing)
    assert ("sees the 8 real photos of val" in page) == {"judge", "protocol"}.isdisjoint(missing)


@pytest.mark.parametrize(
    ("score", "row"),
    [
        ("mean_iou", "| mean IoU | – ("),
        ("l1", "| L1 | – ("),
        ("pixel_accuracy", "| per-pixel accuracy | – | 0.800 | – |"),
        ("mean_iou_interval", "| mean IoU | 0.456 (76%) | 0.600 ("),
        ("absent_classes", "| mean IoU | 0.456 (0.436–0.486, 76%) | 0.600 ("),
        ("psnr", "| PSNR | – | 17.250 | – |"),
    ],
)
def test_a_score_that_is_missing_is_left_out(evidence, score, row):
    generated = {key: value for key, value in evidence.metrics["generated"].items() if key != score}
    metrics = {**evidence.metrics, "generated": generated, "baselines": {}}
    page, summary = render_report(replace(evidence, metrics=metrics))
    assert f"\n{row}" in summary
    assert ("left out of the mean: train." in page) == (score != "absent_classes")


def test_photos_come_before_every_score(page):
    photos = [page.index(f'alt="{caption} of pair_0"') for caption in ("input", "target", "generated")]
    assert photos == sorted(photos)
    seen = page.index('alt="seen in generated of pair_0"')
    sentence = page.index("The generated photos reach 76% of the ceiling")
    assert photos[-1] < seen < sentence < page.index("<h2 id=") < page.index('alt="target of pair_1"')
    assert 'alt="untrained of pair_0"' in page
    assert '<i style="background: #804080"></i>road' in page


def test_a_section_shows_styles_where_there_are_any(evidence, page):
    assert 'id="styles"' not in page
    picture = evidence.examples[0].images["input"]
    several = Example("pair_0", dict.fromkeys(["drawing", "style 1", "style 2", "style 3"], picture))
    one = [Example(f"pair_{i}", dict.fromkeys(["drawing", "photo"], picture)) for i in range(3)]
    styled, summary = render_report(replace(evidence, styles=[several, *one]))
    section = styled[styled.index('<h2 id="styles">') : styled.index('<h2 id="scores">')]
    assert re.findall('alt="(.*?)"', section) == [
        *(f"{caption} of pair_0" for caption in several.images),
        *(f"{caption} of pair_{i} in one style" for i in range(3) for caption in ("drawing", "photo")),
    ]
    text = " ".join(section.split())
    assert "from the training photos. Here pair_0 has 3 palettes, drawn by different seeds." in text
    assert '<a href="#styles">styles</a>' in styled
    assert summary == render_report(evidence)[1]
    train = evidence.params["train"]
    coded = {**evidence.params, "train": {**train, "data": {**train["data"], "style": "code"}}}
    page, _ = render_report(replace(evidence, styles=[several, *one], params=coded))
    section = page[page.index('<h2 id="styles">') : page.index('<h2 id="scores">')]
    assert "a similar drawing. Here pair_0 has 3 codes, drawn by different seeds." in " ".join(section.split())
    assert "These 3 drawings have one code, that of style 1." in section
    assert "palette" not in section


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width_px", [500, 1280])
def test_styles_are_large_enough_to_see(evidence, tmp_path, width_px):
    picture = evidence.examples[0].images["input"]
    several = Example("pair_0", dict.fromkeys(["style 1", "style 2", "style 3"], picture))
    seen = look_at(render_report(replace(evidence, styles=[several]))[0], tmp_path, width_px)
    assert all(seen["shown_px"][f"style {i}"] >= 192 for i in (1, 2, 3))
    assert seen["broken"] == seen["overflow"] == 0


def test_only_small_photos_are_enlarged_by_whole_pixels(evidence):
    for width_px, enlarged in {64: True, 198: True, 199: False, 512: False}.items():
        params = {**evidence.params, "split": {**evidence.params["split"], "width_px": width_px}}
        page, _ = render_report(replace(evidence, params=params))
        assert ('<article class="photos enlarged"' in page) == enlarged


def test_a_fault_of_the_training_is_said_above_the_photos(evidence):
    page, summary = render_report(evidence)
    assert page.index("<strong>Not finished:</strong>") < page.index("<img")
    assert summary.index("**Not finished**: the training's own diagnostics found a fault") < summary.index("| metric |")
    healthy = evidence.history.assign(checkerboard=1.0)
    for text in (*render_report(replace(evidence, history=healthy)), as_model_card(replace(evidence, history=healthy))):
        assert "Not finished" not in text
        assert "found a fault" not in text


@pytest.mark.parametrize(("share", "warned"), [(0.99, False), (1.0, False), (1.01, True)])
def test_a_score_above_the_ceiling_is_called_more_typical_than_real(evidence, share, warned):
    generated = {**evidence.metrics["generated"], "of_ceiling": {"mean_iou": share}}
    above = replace(evidence, metrics={**evidence.metrics, "generated": generated})
    for text in (*render_report(above), as_model_card(above)):
        assert ("More typical than real: read Fréchet, KID and usefulness." in text) == warned


def test_classes_that_are_not_judged_are_named_with_their_share_and_their_ceiling(evidence):
    not_judged = {"car": {"share": 0.0012, "iou": 0.034}}
    segmentation = {**evidence.metrics["protocol"]["segmentation"], "not_judged": not_judged}
    metrics = {**evidence.metrics, "protocol": {**evidence.metrics["protocol"], "segmentation": segmentation}}
    marked = replace(evidence, metrics=metrics)
    for text in (*render_report(marked), as_model_card(marked)):
        assert re.search(r"car \(0\.12% of train(&#39;|')s pixels, IoU 0\.034 in real photos\)", text)
    page = render_report(marked)[0]
    assert '<th scope="row">car <span class="soft">not judged</span></th>' in page
    assert ">car (not judged)</text>" in page
    assert ">road (not judged)</text>" not in page
    for text in (*render_report(evidence), as_model_card(evidence)):
        assert "not judged" not in text


def test_the_range_of_several_judges_is_beside_their_mean(evidence):
    generated = {**evidence.metrics["generated"], "mean_iou_judges": [0.47, 0.44, 0.458], "l1_judges": [0.2]}
    page, summary = render_report(replace(evidence, metrics={**evidence.metrics, "generated": generated}))
    assert "| mean IoU | 0.456 (0.436–0.486, 76%, judges 0.440–0.470) | 0.600 (" in summary
    assert summary.count("judges 0.") == 1
    assert "the judges' own scores" in page
    assert "the judges' own scores" not in render_report(evidence)[0]


def test_absent_classes_are_listed(page):
    assert "left out of the mean: train." in page


def test_a_set_without_classes_says_what_is_left_out(classless):
    page, summary = render_report(classless)
    assert "This data set has no classes. Everything that needs them is left out" in page
    assert "IoU by class" not in page
    assert "<b>0.123</b><span>L1, of 0 to 2</span>" in page
    assert "\n**0.123 L1, of 0 to 2**, 0.500 L1 before training.\n" in summary
    assert "everything that needs a judge is left out" in summary


def test_a_waiver_is_seen(evidence):
    page, summary = render_report(evidence)
    assert "<strong>Waived in <code>validate.waive</code>:</strong>\n checks sharp\n.</p>" in page
    assert "1 checks on 48 files; waived: checks sharp." in summary


def test_the_summary_fits_a_comment(evidence):
    _, summary = render_report(evidence)
    assert len(summary.splitlines()) < 40
    assert summary.startswith("## pix2street: My <streets> & more\n\nLabels to photo: 3 epochs on 40 pairs")
    assert "| mean IoU | 0.456 (0.436–0.486, 76%) | 0.600 (" in summary
    assert "**0.456 mean IoU of the generated photos (95 %: 0.436–0.486)**, 0.600 mean IoU of real photos" in summary


def test_a_failed_check_is_seen(evidence):
    check = {**evidence.verdict["checks"][0], "success": False, "waived": False, "offending": ["p1", "p2"]}
    page, summary = render_report(replace(evidence, verdict={**evidence.verdict, "success": False, "checks": [check]}))
    assert '<span class="bad">Failed</span>:\n1 checks on 48 files' in page
    assert "\nValidation failed: 1 checks on 48 files; waived: checks sharp." in summary


@pytest.mark.parametrize("width_px", [500, 1200])
@pytest.mark.parametrize("kind", ["evidence", "useful", "classless"])
def test_in_a_real_browser(request, tmp_path, kind, width_px):
    if CHROMIUM is None:
        pytest.skip("no Chromium here: install the package `chromium` to see the page in a browser")
    page, _ = render_report(request.getfixturevalue(kind))
    seen = look_at(page, tmp_path, width_px)
    assert seen["images"] == 2 * 7 + 2 + 2
    assert seen["broken"] == 0
    assert seen["figures"] == (8 if kind == "classless" else 4 + 8)
    assert seen["overflow"] <= 0
    # Columns of a wide page, and the whole width of a narrow one: the photos of 64 px are enlarged.
    assert min(seen["shown_px"]["target"], seen["shown_px"]["generated"]) >= 256
    assert seen["requests"] == []


def test_the_model_card_says_what_was_measured_and_what_was_not(evidence):
    text = as_model_card(evidence)
    assert text == as_model_card(evidence)
    head = YAML(typ="safe").load(text.split("---\n")[1])
    assert head == {
        "library_name": "keras", "pipeline_tag": "image-to-image", "license": "other", "license_name": "own",
        "tags": ["pix2pix", "gan"], "datasets": ["d"],
    }  # fmt: skip
    free = as_model_card(replace(evidence, dataset=replace(evidence.dataset, licence="Apache-2.0")))
    assert YAML(typ="safe").load(free.split("---\n")[1])["license"] == "apache-2.0"
    assert "# Labels to photo: pix2pix trained on My <streets> & more" in text
    assert "The generated photos reach 76% of the ceiling, the mean IoU of real photos (mean colours: 33%)" in text
    assert "| mean IoU (0 to 1) | 0.456 (0.436–0.486, 76%) | 0.600 (" in text
    assert "| train | – | – | – | – |" in text
    assert "These classes are in no pair of the split and have no value: train." in text
    assert "these were let pass although they failed: sharp." in text
    assert "licence: own. Its terms hold for everything that is made from it" in text
    assert "FID: `evaluate.fid` is off." in text
    sections = ["Model details", "Intended use", "Factors", "Training and evaluation data", "Metrics"]
    sections += ["Quantitative analyses", "What was not measured", "Ethical considerations and caveats"]
    assert re.findall(r"^## (.*)", text, re.M) == sections
    # Every table has as many cells in each row as in its head.
    for table in re.findall(r"(?:^\|.*\n)+", text, re.M):
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_the_model_card_says_where_mean_colours_are_ahead_and_that_drawn_photos_are_drawn(evidence):
    level = {**evidence.metrics, "baselines": {"mean_color": evidence.metrics["generated"]}}
    text = as_model_card(replace(evidence, metrics=level))
    assert "mean colour does better" not in text
    assert "drawn by a program" not in text
    ahead = {**level, "baselines": {"mean_color": {**level["generated"], "l1": 0.001}}}
    text = as_model_card(replace(evidence, metrics=ahead, dataset=replace(evidence.dataset, name="synthetic_streets")))
    assert "**Filling every class with its mean colour does better in L1**" in text
    near, far = ({**level["generated"], QUOTED_DISTANCE: value} for value in (0.1, 0.2))
    quoted = as_model_card(replace(evidence, metrics={**level, "generated": far, "baselines": {"mean_color": near}}))
    assert f"does better in {title_of_score(QUOTED_DISTANCE)}**" in quoted
    assert "drawn by a program" in text
    assert "number plates" not in text


def test_the_model_card_of_a_set_without_classes_judges_nothing(classless):
    text = as_model_card(classless)
    assert "no judge looked at the photos" in text
    assert "IoU" not in text
    assert "None" not in text


def within(low, high):
    return {"low": low, "high": high}


def control(mean_iou, share):
    intervals = {
        "mean_iou_interval": within(mean_iou - 0.01, mean_iou + 0.01),
        "share_of_real_interval": within(share - 0.02, share + 0.02),
    }
    return {"mean_iou": mean_iou, "share_of_real": share, "iou": {}, **intervals}


USEFULNESS = {
    "real": control(0.5, 1.0), "generated": control(0.3, 0.6), "real_and_generated": control(0.45, 0.9),
    "mean_color": control(0.2, 0.4), "my_baseline": control(0.1, 0.2), "shuffled": control(0.05, 0.1),
}  # fmt: skip


@pytest.fixture
def useful(evidence):
    metrics = {**evidence.metrics, "usefulness": USEFULNESS}
    metrics["generated"] |= {"usefulness": 0.6, "usefulness_interval": within(0.58, 0.62)}
    return replace(evidence, metrics=metrics)


def test_usefulness_has_a_section_with_a_bar_for_each_control_and_a_sentence(useful):
    page, summary = render_report(useful)
    sentence = (
        "A judge that was trained on the generated photos of train sees real photos with mean IoU 0.300, 60% of what "
        "one trained on real photos sees; trained on both it reaches 90%, and one that knows only where things usually "
        "are reaches 10%."
    )
    assert f"\n{sentence}\n" in summary
    assert "| usefulness | 0.600 (0.580–0.620) |" in summary
    section = page[page.index("<h2>Is it worth training on?</h2>") :]
    section = section[: section.index("</section>")]
    assert f"<strong>{sentence}</strong>" in section
    assert re.findall(r'style="width: ([\d.]+%)"', section) == ["100.0%", "60.0%", "90.0%", "40.0%", "20.0%", "10.0%"]
    names = re.findall(r'<th scope="row">(.*?)</th>', section)
    assert names[:2] == ["real photos", "generated photos"]
    assert names[4] == "my_baseline"
    assert '<td>60% <span class="detail">58%–62%</span></td>' in section


def test_without_usefulness_nothing_speaks_of_it(evidence):
    for text in render_report(evidence):
        assert "worth training on" not in text
        assert "sefulness" not in re.sub(r"<details><summary>parameters.*?</details>", "", text, flags=re.DOTALL)


def test_a_control_that_taught_nothing_has_an_empty_bar(useful):
    nothing = {**control(0.0, 0.0), "share_of_real": None, "share_of_real_interval": None}
    metrics = {**useful.metrics, "usefulness": dict.fromkeys(USEFULNESS, nothing)}
    page, summary = render_report(replace(useful, metrics=metrics))
    assert page.count('<div style="width: 0%"></div>') == len(USEFULNESS)
    assert "mean IoU 0.000, – of what one trained on real photos sees" in summary
