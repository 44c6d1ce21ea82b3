"""The sections of the `params.yaml` that the project ships, for tests that change a few of their values."""

from pathlib import Path

from pix2street.params import read_params
from pix2street.settings.evaluate import Evaluate
from pix2street.settings.generate import Generate
from pix2street.settings.section import Section
from pix2street.settings.segment import Segment
from pix2street.settings.split import Split
from pix2street.settings.validate import Validate

PARAMS = read_params(Path(__file__).parents[1] / "params.yaml")


def split_settings(**changes) -> Split:
    """Return the section `split` with these changes, checked."""
    return _changed(PARAMS.split, changes)


def limits(**changes) -> Validate:
    """Return the section `validate` with these changes, checked."""
    return _changed(PARAMS.validate_, changes)


def segment_settings(**changes) -> Segment:
    """Return the section `segment` with these changes, checked."""
    return _changed(PARAMS.segment, changes)


def generate_settings(**changes) -> Generate:
    """Return the section `generate` with these changes, checked."""
    return _changed(PARAMS.generate, changes)


def evaluate_settings(**changes) -> Evaluate:
    """Return the section `evaluate` with these changes, checked."""
    return _changed(PARAMS.evaluate, changes)


def _changed(section: Section, changes: dict):
    return type(section).model_validate({**section.model_dump(), **changes})
