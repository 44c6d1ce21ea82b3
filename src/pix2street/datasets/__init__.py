"""Sources of paired images.

To add one, write `datasets/<name>.py` with

    fetch(folder, **settings) -> Dataset

which fills `folder/{train,val,test}/` with side-by-side images named `<pair_id>.<ext>` and returns what the set says of
itself; then add a line to `DATASETS`, the name to `download.dataset` and a section for `settings` in `params.py`.
The shared tests in `tests/datasets/test_datasets.py` then run on it unchanged.
"""

from pix2street.datasets import paired_folder, synthetic_streets

DATASETS = {
    "synthetic_streets": synthetic_streets.fetch,
    "paired_folder": paired_folder.fetch,
}
