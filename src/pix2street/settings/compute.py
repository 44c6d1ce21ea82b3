"""The section `compute`."""

from pix2street.settings.section import Count, Section


class Compute(Section):
    """The numbers of CPU threads, which are pinned because results depend on them."""

    intra_op_threads: Count
    inter_op_threads: Count
