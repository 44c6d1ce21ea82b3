"""The frame of every script in `pipeline/`: checked parameters, quiet libraries, clear errors."""

import errno
import importlib
import io
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pix2street.core import numerics
from pix2street.core.errors import UserError
from pix2street.core.files import REMAKE
from pix2street.core.yaml import load_yaml
from pix2street.layout import Layout
from pix2street.params import Params, read_params, read_yaml_text

ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # Give up a tracking server that does not answer after seconds; MLflow's own limits are minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    # A server may ask for a wait of an hour; do not wait that long.
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
}
"""Variables that turn telemetry off and quiet libraries, unless the user has set them."""

UNASKED = ("jax", "matplotlib", "sklearn")
"""Libraries that TensorFlow and Keras load wherever they are installed, for functions that nothing here calls."""

NO_ROOM_OR_ACCESS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)
"""The numbers of errors that say that the disk is full or access is denied."""


def run_stage(main: Callable[[Params, Layout], None], tensorflow: bool = False) -> None:
    """Check all of `params.yaml` and run `main`; end the process with 1 and one message on a fault that a user can fix.

    `main` imports its step itself, so that a bad parameter is reported before TensorFlow is loaded.

    Args:
        tensorflow: load TensorFlow first, without the lines that it prints.
    """
    layout = Layout(Path.cwd())
    with with_clear_errors(Path(sys.argv[0]).stem, layout.root, computes=tensorflow):
        params = read_params(layout.params)
        refuse_missing(layout, Path(sys.argv[0]).stem)
        if tensorflow:
            load_quietly("tensorflow")
        main(params, layout)


def refuse_missing(layout: Layout, stage: str) -> None:
    """Raise UserError if `stage` depends, by `dvc.yaml`, on an output of an earlier stage that is missing."""
    path = layout.root / "dvc.yaml"
    deps = load_yaml(read_yaml_text(path), path.name)["stages"][stage]["deps"] if path.is_file() else []
    makers = {dep: layout.stage_of(Path(dep)) for dep in deps}
    missing = [f"{dep} (of `{maker}`)" for dep, maker in makers.items() if maker and not (layout.root / dep).exists()]
    if missing:
        raise UserError(f"outputs of earlier stages are missing: {', '.join(missing)}; run `dvc repro`")


@contextmanager
def with_clear_errors(name: str, root: Path, computes: bool = False) -> Iterator[None]:
    """Keep libraries quiet and the environment out of all numbers; on a fault that a user can fix, end with 1.

    Args:
        name: the first word of the message.
        computes: print which variables of the environment are not used.
    """
    unused = numerics.pin()
    if unused and computes:
        print(f"{name}: not used: {', '.join(unused)}; {numerics.WHY_UNUSED}", file=sys.stderr)
    for variable, value in ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    # Pillow warns of tags that are broken or unknown to it, although the pixels are sound.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    for stream in (sys.stdout, sys.stderr):
        # Characters of a file's name that the terminal's encoding lacks are shown escaped.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_MININTERVAL", "10")  # seconds between two lines of a log
    try:
        yield
    except UserError as error:
        sys.exit(f"{name}: {error}")
    except FileNotFoundError as error:
        stage = Layout(root).stage_of(Path(error.filename)) if isinstance(error.filename, str | Path) else None
        if stage is None:
            raise
        sys.exit(f"{name}: {error.filename}: no such file or folder, the stage `{stage}` makes it; {REMAKE}")
    except OSError as error:
        if error.errno not in NO_ROOM_OR_ACCESS:
            raise
        sys.exit(f"{name}: {error.strerror}: {error.filename or root}; make room or give access, and run again")
    except KeyboardInterrupt:
        sys.exit(f"{name}: interrupted; nothing half-written stays, run again")


def load_quietly(library: str) -> None:
    """Import a library without what its compiled code prints to standard error, unless the import fails.

    Its warnings are turned off, too, because those of TensorFlow concern only its code.
    The library does not load those of `UNASKED`, which take two fifths of the time; they can be imported later.
    """
    kept, hidden = os.dup(2), [name for name in UNASKED if name not in sys.modules]
    # An import of what is None here fails as if it were not installed.
    sys.modules.update(dict.fromkeys(hidden))
    with tempfile.TemporaryFile() as chatter:
        try:
            os.dup2(chatter.fileno(), 2)
            importlib.import_module(library)
            logging.getLogger(library).setLevel(logging.ERROR)
        except BaseException:
            chatter.seek(0)
            os.write(kept, chatter.read())
            raise
        finally:
            for name in hidden:
                del sys.modules[name]
            os.dup2(kept, 2)
            os.close(kept)
