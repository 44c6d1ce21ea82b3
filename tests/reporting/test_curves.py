import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from pix2street.core.tables import write_table
from pix2street.models import MODELS, open_family
from pix2street.models.interface import Term
from pix2street.reporting.curves import compared_curves, compared_parameters, panels_of, references_of, tables_of
from pix2street.reporting.figures import curves
from pix2street.reporting.measures import MEASURES

ROOT = Path(__file__).parents[2]
FAMILY = open_family("pix2pix")
SETTINGS = {"disc_loss_weight": 0.5, "feature_weight": 10.0}
HINGE = (Term("g", "hinge", "generator"), Term("d", "hinge", "discriminator"), Term("g_total", "sum", total=True))


def history_of(terms, epochs: int = 3) -> pd.DataFrame:
    """Return a history of made-up values, some of them negative."""
    columns = [term.name for term in (*terms, *MEASURES)]
    values = np.random.default_rng(0).normal(size=(epochs, len(columns)))
    return pd.DataFrame(
        {"epoch": range(1, epochs + 1), "learning_rate": 2e-4, **dict(zip(columns, values.T, strict=True))}
    )


def named(panels) -> dict[str, list[str]]:
    return {title: [term.name for term in terms] for title, terms in panels.items()}


def test_panels_follow_the_terms_and_the_measures_with_totals_last():
    assert named(panels_of(FAMILY.TERMS, history_of(FAMILY.TERMS), SETTINGS)) == {
        "single GAN terms": ["gen_gan", "disc_real", "disc_generated"],
        "L1, 0 to 2": ["gen_l1", "holdout_l1"],
        "feature matching": ["gen_features"],
        "patches told right": ["disc_real_accuracy", "disc_generated_accuracy"],
        "photos differ, as real ones do: 1": ["diversity", "sensitivity"],
        "saturated pixels, less real ones": ["saturated_share"],
        "checkerboard, dB above real": ["checkerboard"],
        "light of input and photo, correlation": ["light_kept"],
        "edges of input and photo, correlation": ["edges_kept"],
        "photos of other domains differ, as real ones do: 1": ["domain_sensitivity"],
        "the generator's sum": ["gen_total"],
        "the discriminator's sum": ["disc_total"],
    }
    panels = named(panels_of(HINGE, history_of(HINGE), {}))
    assert list(panels)[:: len(panels) - 1] == ["hinge", "sum"]
    assert panels["L1, 0 to 2"] == ["holdout_l1"]


def test_what_the_history_lacks_has_no_panel():
    history = history_of(HINGE).drop(columns=["holdout_l1", "sensitivity", "g_total"])
    panels = named(panels_of(HINGE, history, {}))
    assert "L1, 0 to 2" not in panels
    assert "sum" not in panels
    assert panels["photos differ, as real ones do: 1"] == ["diversity"]


def test_a_term_without_weight_has_no_curve():
    history, off = history_of(FAMILY.TERMS), {**SETTINGS, "feature_weight": 0.0}
    assert panels_of(FAMILY.TERMS, history, SETTINGS).keys() - panels_of(FAMILY.TERMS, history, off) == {
        "feature matching"
    }
    assert "feature_matching" not in tables_of(FAMILY.TERMS, history, off)
    terms = (Term("patches", "hinge", needs="hinge_weight"), Term("pixels", "hinge"))
    for weight, expected in ((0, ["pixels"]), (0.5, ["patches", "pixels"])):
        panels = named(panels_of(terms, history_of(terms), {"hinge_weight": weight}))
        assert panels["hinge"] == expected


def test_values_to_compare_with_are_those_of_the_terms_under_these_settings_and_the_limits_of_faults():
    panels = panels_of(FAMILY.TERMS, history_of(FAMILY.TERMS), SETTINGS)
    said = {title: [*references_of(terms, SETTINGS).values()] for title, terms in panels.items()}
    assert said["single GAN terms"] == ["cannot tell: 0.693"]
    assert said["the discriminator's sum"] == ["cannot tell: 0.693"]
    assert said["the generator's sum"] == said["L1, 0 to 2"] == []
    assert said["photos differ, as real ones do: 1"] == ["fault below 0.1", ""]
    assert said["checkerboard, dB above real"] == ["fault above 5", ""]


@pytest.mark.parametrize("terms", [FAMILY.TERMS, HINGE])
def test_every_panel_is_a_figure_and_every_curve_is_named_in_it(terms):
    history = history_of(terms)
    panels = panels_of(terms, history, SETTINGS)
    figures = curves(history, panels, SETTINGS, 4)
    assert [*figures] == [*panels]
    for title, svg in figures.items():
        assert all(f">{term.name}<" in svg for term in panels[title])
    assert curves(history, panels, SETTINGS, 4) == figures


def test_a_table_holds_the_curves_of_its_panel():
    history = history_of(FAMILY.TERMS)
    tables = tables_of(FAMILY.TERMS, history, SETTINGS)
    table = tables["L1_0_to_2"]
    assert list(table.columns) == ["epoch", "term", "value"]
    assert table["term"].tolist() == ["gen_l1"] * 3 + ["holdout_l1"] * 3
    assert table["value"].tolist() == history["gen_l1"].tolist() + history["holdout_l1"].tolist()
    assert len(tables) == len(panels_of(FAMILY.TERMS, history, SETTINGS))


@pytest.mark.parametrize("terms", [FAMILY.TERMS, HINGE])
def test_dvc_draws_a_plot_a_panel_whatever_the_family(tmp_path, terms):
    plots = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["plots"]
    ((folder, properties),) = (
        (path, properties) for plot in plots if isinstance(plot, dict) for path, properties in plot.items()
        if properties["template"] == "curves"
    )  # fmt: skip
    shutil.copytree(ROOT / ".dvc/plots", tmp_path / ".dvc/plots")
    (tmp_path / "dvc.yaml").write_text(json.dumps({"plots": [{folder: properties}]}))
    tables = tables_of(terms, history_of(terms), SETTINGS)
    for name, table in tables.items():
        write_table(tmp_path / folder / f"{name}.csv", table)
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    done = subprocess.run(["dvc", "plots", "show", "--json"], cwd=tmp_path, capture_output=True, text=True, check=True)
    drawn = json.loads(done.stdout)
    assert "errors" not in drawn
    assert {*drawn["data"]} == {f"{folder}/{name}.csv" for name in tables}
    for (plot,) in drawn["data"].values():
        encoding = (
            json.loads(plot["content"])["encoding"] if isinstance(plot["content"], str) else plot["content"]["encoding"]
        )
        assert (encoding["x"]["field"], encoding["y"]["field"], encoding["shape"]["field"]) == (
            "epoch",
            "value",
            "term",
        )


def test_what_is_compared_between_runs_names_what_the_families_have():
    columns = compared_curves()
    assert len(columns) == len(set(columns))
    assert not [name for name in columns if name.endswith("_total")]
    assert {term.name for term in MEASURES} <= {*columns}
    for model in MODELS:
        assert [f"train.{model}" for name in compared_parameters() if name.startswith(f"train.{model}.")]
    assert {"gen_l1", "disc_real_accuracy"} <= {*columns}
    assert {"download.dataset", "train.run.seed", "train.pix2pix.l1_weight", "train.pix2pix.upsample"} <= {
        *compared_parameters()
    }
