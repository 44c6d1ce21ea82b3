"""What every script in `pipeline/` needs around its one step: checked parameters, quiet libraries, clear errors."""

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
    # A tracking server that does not answer is given up after seconds; MLflow's own limits are minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    # Nor is it waited for as long as it asks for, which may be an hour.
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
}
"""Telemetry off and libraries quiet, where the user has not said otherwise."""

NO_ROOM_OR_ACCESS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)
"""Errors of the machine that end a process whatever it was doing."""


def run_stage(main: Callable[[Params, Layout], None], tensorflow: bool = False) -> None:
    """Check all of `params.yaml` and run `main`; end the process with 1 and one message on what a user can mend.

    `main` imports its step itself: a bad parameter is then found before TensorFlow is loaded.

    Args:
        tensorflow: load it first, without the lines it prints while loading.
    """
    layout = Layout(Path.cwd())
    with with_clear_errors(Path(sys.argv[0]).stem, layout.root, computes=tensorflow):
        params = read_params(layout.params)
        refuse_missing(layout, Path(sys.argv[0]).stem)
        if tensorflow:
            load_quietly("tensorflow")
        main(params, layout)


def refuse_missing(layout: Layout, stage: str) -> None:
    """Raise UserError where an output of an earlier stage is missing that `stage` depends on by `dvc.yaml`."""
    path = layout.root / "dvc.yaml"
    deps = load_yaml(read_yaml_text(path), path.name)["stages"][stage]["deps"] if path.is_file() else []
    makers = {dep: layout.stage_of(Path(dep)) for dep in deps}
    missing = [f"{dep} (of `{maker}`)" for dep, maker in makers.items() if maker and not (layout.root / dep).exists()]
    if missing:
        raise UserError(f"outputs of earlier stages must be there, missing: {', '.join(missing)}; run `dvc repro`")


@contextmanager
def with_clear_errors(name: str, root: Path, computes: bool = False) -> Iterator[None]:
    """Keep libraries quiet and the environment out of all numbers; on what a user can fix, end the process with 1.

    Args:
        name: what the one message begins with.
        computes: say which variables of the environment are not used.
    """
    unused = numerics.pin()
    if unused and computes:
        print(f"{name}: not used: {', '.join(unused)}; {numerics.WHY_UNUSED}", file=sys.stderr)
    for variable, value in ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    # Pillow's are of tags that are broken or unknown to it, beside pixels that are sound.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    for stream in (sys.stdout, sys.stderr):
        # A file's name may hold what the terminal's encoding does not: it is shown escaped.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_MININTERVAL", "10")  # a log wants a line now and then, not ten a second
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
    """Import a library whose compiled code prints to standard error; what it printed is shown if it fails.

    Of its warnings none is shown either: TensorFlow's are of its own inner life.
    """
    kept = os.dup(2)
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
            os.dup2(kept, 2)
            os.close(kept)
