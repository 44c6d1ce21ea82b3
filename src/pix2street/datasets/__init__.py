"""Sources of paired images.

To add one, write `datasets/<name>.py` with

    fetch(folder, **settings) -> Dataset

which fills `folder/{train,val,test}/` as `Dataset.input_from` says and returns what the set says of itself; then add a
line to `DATASETS`, the name and its settings to `Download` in `params.py`, and a small edition to `tests/sources.py`:
the shared tests in `tests/datasets/test_datasets.py` run on it unchanged.
"""

from functools import partial

from pix2street.datasets import cityscapes, colorization, paired_folder, pix2pix_sets, sketches, synthetic_streets

DATASETS = {
    "synthetic_streets": synthetic_streets.fetch,
    "cityscapes": cityscapes.fetch,
    "facades": partial(pix2pix_sets.fetch, name="facades"),
    "maps": partial(pix2pix_sets.fetch, name="maps"),
    "night2day": partial(pix2pix_sets.fetch, name="night2day"),
    "edges2shoes": partial(pix2pix_sets.fetch, name="edges2shoes"),
    "edges2handbags": partial(pix2pix_sets.fetch, name="edges2handbags"),
    "colorization": colorization.fetch,
    "sketches": sketches.fetch,
    "paired_folder": paired_folder.fetch,
}
