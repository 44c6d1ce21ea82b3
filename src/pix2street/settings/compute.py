"""The section `compute`."""

from pix2street.settings.section import Count, Section


class Compute(Section):
    """CPU threads; bits depend on them, so they are pinned."""

    intra_op_threads: Count
    inter_op_threads: Count
