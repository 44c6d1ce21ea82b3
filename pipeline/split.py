"""split: resize the input and the target of every pair to the working size."""

from pix2street.core.files import fresh_folder
from pix2street.layout import Layout
from pix2street.params import Params
from pix2street.stage import run_stage


def main(params: Params, layout: Layout) -> None:
    from pix2street.core.pairs import NOTE_COLUMNS, count_notes, read_manifest
    from pix2street.steps.split import split_pairs

    with fresh_folder(layout.split) as folder:
        rows, faulty = split_pairs(layout.downloaded, folder, params.split)
        notes = count_notes(read_manifest(folder, NOTE_COLUMNS))
    if notes:
        print(f"files as they were read: {', '.join(f'{count} {note}' for note, count in notes.items())}")
    if faulty:
        print(f"{faulty} of {rows} rows are faulty; `validate` names them")


if __name__ == "__main__":
    run_stage(main)
