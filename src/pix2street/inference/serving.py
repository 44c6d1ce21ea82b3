"""A generator as an MLflow model, which `mlflow models serve` starts: it takes encoded images and gives photos as PNGs.

The size of a request and the number of waiting requests are bounded. A request that cannot be answered gets one message
and a status (`docs/serving.md` lists them), never a traceback.

MLflow imports this module to load a recorded model, from the copy of the package beside the model. TensorFlow is loaded
then, and not where only the signature is needed.
"""

import base64
import binascii
import json
import logging
import sys
import threading
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, INVALID_PARAMETER_VALUE, RESOURCE_EXHAUSTED
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

from pix2street.core import numerics
from pix2street.core.decoding import Stored, decode_upload
from pix2street.core.errors import UserError
from pix2street.core.files import read_json, with_keys
from pix2street.core.images import png_bytes
from pix2street.core.styles import BANK_FILES
from pix2street.inference.ways import WAYS

if TYPE_CHECKING:
    from pix2street.inference.translator import Translator

FILES = ("generator.json", "generator.weights.h5", "card.json")
OPTIONAL_FILES = (*BANK_FILES.values(), *(f"back/{name}" for name in FILES))
"""The files of a generator's folder that serving, or `predict --direction back`, needs."""

LIBRARIES = ("keras", "numpy", "pandas", "pillow", "scikit-image", "tensorflow")
"""The libraries that this module and its imports need beside MLflow; `store` pins them."""

PARAMS = {"seed": "long", "half": "string", "domain": "string", "direction": "string", "truncation": "double"}
"""The types of the parameters of requests. MLflow drops those that a model does not name, so every model has all."""

FORM = 'a request is {"dataframe_records": [{"image": "<PNG or JPEG in base64>"}], "params": {}}'

NAME = "image"
"""The name of an image that has none."""

MAX_PX = 2048 * 2048
"""The limit for the images of a request, and for their photos where these are larger: far from the 60 s that MLflow
allows, and 4 GiB with 64 filters."""

MAX_BYTES = 24 << 20
"""The limit for a request: so many pixels as a PNG of noise in base64, and some more."""

MAX_WAITING = 3
"""The limit for waiting requests. MLflow's server has one thread a core and four more: one remains to refuse others."""

TABLES = {"dataframe_records", "dataframe_split", "inputs", "instances"}
"""The names under which MLflow takes a table."""

MAX_REASON = 300
"""The number of characters that a message quotes from a request or from another library."""

log = logging.getLogger(__name__)


def signature_of(folder: Path) -> ModelSignature:
    """Return the form of requests to the generator in `folder`, and of answers.

    `image` is a PNG or JPEG in base64, or a data URI. `name` sets the noise and the style, as the pair_id does in
    `generate`. The default of `domain` is the card's, and none for a generator that has no domains. A generator without
    inputs takes names alone.
    """
    encoding = read_json(folder / "card.json", with_keys("encoding"))["encoding"]
    domains = encoding.get("domains")
    defaults = {"domain": domains[encoding["domain"]] if domains else None, "direction": "forth"}
    alone = "latent" in encoding
    columns = [ColSpec("string", "image"), ColSpec("string", "name", required=False)]
    return ModelSignature(
        inputs=Schema([ColSpec("string", "name")] if alone else columns),
        outputs=Schema([ColSpec("string", "image")]),
        params=ParamSchema([ParamSpec(name, kind, defaults.get(name)) for name, kind in PARAMS.items()]),
    )


class Refusal(MlflowException):
    """An error that the scoring server answers only with its message, never with the content of the request."""

    def serialize_as_json(self) -> str:
        # By now the server has put the whole request before the message.
        self.message = self.args[0]
        return super().serialize_as_json()


class ServedTranslator:
    """A translator that works for one request at a time and refuses a request where too many are waiting.

    Args:
        back: the translator of the way back, for a model that learned both.
    """

    def __init__(self, translator: "Translator", back: "Translator | None" = None):
        self._ways: dict[str, Translator] = {"forth": translator} | ({"back": back} if back else {})
        self._slots = threading.BoundedSemaphore(1 + MAX_WAITING)
        # The network has one noise state, which is set before each photo.
        self._turn = threading.Lock()

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Return the photo of each row: a column `image` of PNGs in base64.

        Args:
            model_input: a table as in `signature_of`.
            params: `seed` sets the noise and the style, None for the seed of `generate`; `half` is the one of
                `to_input`; `domain` names the domain of the photos, None for the card's; `direction` is a key of
                `ways.WAYS`.

        Raises:
            Refusal: the request cannot be answered, or too many are waiting.
        """
        self._take_slot()
        try:
            return self._translated(model_input, **(params or {}))
        except UserError as error:
            # A request names its options in another way than the command line.
            message = str(error).replace("--half ", "half=").replace("--domain:", "domain:")
            raise Refusal(message, INVALID_PARAMETER_VALUE) from error
        except Exception as error:
            log.exception("a request could not be answered")
            raise Refusal("the translation failed; see the server's log", INTERNAL_ERROR) from error
        finally:
            self._slots.release()

    def check_room(self) -> None:
        """Raise the refusal that a request would get now, before it is read."""
        self._take_slot()
        self._slots.release()

    def _take_slot(self) -> None:
        if not self._slots.acquire(blocking=False):
            raise Refusal(
                f"{1 + MAX_WAITING} requests are being answered and the queue is full; send it again in a moment, and "
                "less often",
                RESOURCE_EXHAUSTED,
            )

    def warm_up(self) -> None:
        """Translate a blank image of the size of training, so that the first request waits for no compilation."""
        for translator in self._ways.values():
            card = translator.card
            if card.encoding.latent:
                translator.photograph([NAME])
                continue
            shape = (card.height_px, card.width_px)
            classes = card.encoding.classes
            blank = np.full(shape, classes.entries[0].id, np.uint8) if classes else np.zeros((*shape, 3), np.uint8)
            translator.translate(blank, NAME)

    def _towards(self, domain: str | None, direction: str | None) -> "Translator":
        direction = direction or "forth"
        if direction not in WAYS:
            raise UserError(f"direction: must be one of {', '.join(WAYS)}, is {direction!r}; leave it out for forth")
        if direction not in self._ways:
            raise UserError("direction: back, but this model learned only the way forth; leave it out")
        translator = self._ways[direction]
        return translator if domain is None else translator.towards(domain)

    def _translated(
        self,
        rows: pd.DataFrame,
        seed: int | None = None,
        half: str | None = None,
        domain: str | None = None,
        direction: str | None = None,
        truncation: float | None = None,
    ) -> pd.DataFrame:
        from pix2street.inference.inputs import HALVES, to_input

        if half is not None and half not in HALVES:
            raise UserError(f"half: must be one of {', '.join(HALVES)}, is {half!r}; leave it out for one image")
        if seed is not None and seed < 0:
            raise UserError(f"seed: must be 0 or more, is {seed}; leave it out for the seed of `generate`")
        translator = self._towards(domain, direction)
        card = translator.card
        if card.encoding.latent:
            return _encoded(self._photographed(translator, _names(rows), seed, truncation))
        if truncation is not None:
            raise UserError("truncation: is for a model without inputs; leave it out")
        # A photo may have more pixels than its image, each of which counts.
        limit_px = MAX_PX // max(1, card.scale.area)
        inputs = [
            to_input(card, stored, name, half)
            for name, stored in _read(rows, card.encoding.classes is not None, limit_px)
        ]
        names = _names(rows)
        with self._turn:
            photos = translator.translate_all(inputs, names, seed)
        return _encoded(photos)

    def _photographed(
        self, translator: "Translator", names: list[str], seed: int | None, truncation: float | None
    ) -> list[np.ndarray]:
        """Return a photo for each name, by a generator without inputs."""
        if truncation is not None and not 0 <= truncation <= 1:
            raise UserError(f"truncation: must be from 0 to 1, is {truncation}; leave it out for 1")
        if not names:
            raise UserError('the request holds no name; a request is {"dataframe_records": [{"name": "any text"}]}')
        if len(names) * translator.card.height_px * translator.card.width_px > MAX_PX:
            raise UserError(
                f"the request asks for {len(names)} photos of more than {MAX_PX} px together; ask for fewer"
            )
        with self._turn:
            return translator.photograph(names, seed, 1.0 if truncation is None else truncation)


def _encoded(photos: list[np.ndarray]) -> pd.DataFrame:
    return pd.DataFrame({"image": [base64.b64encode(png_bytes(photo)).decode() for photo in photos]})


def _read(rows: pd.DataFrame, ids: bool, limit_px: int) -> list[tuple[str, Stored]]:
    """Return each row's name in errors, and its image; together they have at most `limit_px` pixels."""
    if not len(rows):
        raise UserError(f"the request holds no image; {FORM}")
    images, left_px = [], limit_px
    for index, value in enumerate(rows["image"]):
        name = "image" if len(rows) == 1 else f"image {index}"
        stored = decode_upload(_from_base64(value, name), name, ids, left_px)
        left_px -= stored.pixels.shape[0] * stored.pixels.shape[1]
        images.append((name, stored))
    return images


def _names(rows: pd.DataFrame) -> list[str]:
    names = [NAME if pd.isna(name) else name for name in rows.get("name", [None] * len(rows))]
    if wrong := [name for name in names if not isinstance(name, str)]:
        raise UserError(f"name: must be text, is {wrong[0]!r}; write it in quotes, or leave it out")
    return names


def _from_base64(value: Any, name: str) -> bytes:
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{name}: must be a PNG or JPEG in base64, is {str(value)[:40]!r}; {FORM}")
    if len(value) > MAX_BYTES:
        raise UserError(f"{name}: has {len(value)} characters, the limit is {MAX_BYTES}; send a smaller image")
    text = value.strip()
    if text.startswith("data:"):
        kind, _, text = text.partition(",")
        if not kind.endswith(";base64"):
            raise UserError(f"{name}: a data URI must begin with data:image/png;base64, or the like; {FORM}")
    try:
        # Some programs break base64 into lines.
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UserError(f"{name}: is not base64 ({error}); encode the file's bytes, as `base64 -w0` does") from error


def _load_pyfunc(path: str) -> ServedTranslator:
    """Return the generator in the folder `path`; MLflow calls this function to load a model."""
    numerics.pin()
    if changed := numerics.settle_keras():
        log.warning("Keras was set in another way in this process; set as the model needs it: %s", ", ".join(changed))
    from pix2street.inference.card import GeneratorCard
    from pix2street.inference.translator import Translator
    from pix2street.training.runtime import prepare

    card = GeneratorCard.read(Path(path))
    if differences := numerics.differing_kernels(card.kernels):
        log.warning("%s; some values of photos may differ by 1 of 255", differences)
    # MLflow's server loads the model while it imports its application, before the first request.
    in_server = "mlflow.pyfunc.scoring_server.app" in sys.modules
    if in_server:
        threads = {"intra_op_threads": card.intra_op_threads, "inter_op_threads": card.inter_op_threads}
        prepare("device", "auto", card.seed, **threads)
    back = Path(path) / "back"
    served = ServedTranslator(Translator.read(Path(path)), Translator.read(back) if back.is_dir() else None)
    if in_server:
        served.warm_up()
        guard(sys.modules["mlflow.pyfunc.scoring_server"], served.check_room)
    return served


def guard(scoring_server: ModuleType, check_room: Callable[[], None]) -> None:
    """Give MLflow's scoring server clear answers to requests that never reach a model.

    Without this, it answers a request without a content type with 500, reads CSV and Parquet from anybody, ignores
    unknown fields, and returns what it could not read, with a traceback.

    Args:
        check_room: raises the refusal of a request where too many are waiting.
    """
    response = partial(scoring_server.InvocationsResponse, mimetype="application/json")
    scoring_server.invocations = _guarded(scoring_server.invocations, response, check_room)


def _guarded(
    invocations: Callable[..., Any], response: Callable[..., Any], check_room: Callable[[], None]
) -> Callable[..., Any]:
    def refuse(status: int, reason: str, code: str = "BAD_REQUEST") -> Any:
        return response(json.dumps({"error_code": code, "message": reason}), status)

    @wraps(invocations)
    def guarded(data: bytes, content_type: str | None, model: Any, input_schema: Schema) -> Any:
        kind = (content_type or "").partition(";")[0].strip().lower()
        if kind != "application/json":
            return refuse(415, f"Content-Type: must be application/json, is {kind or 'missing'}; {FORM}")
        if len(data) > MAX_BYTES:
            return refuse(413, f"the request has {len(data)} bytes, the limit is {MAX_BYTES}; send less")
        try:
            check_room()
            return invocations(_request(data), content_type, model, input_schema)
        except UserError as error:
            return refuse(400, str(error))
        except Refusal:
            raise
        except MlflowException as error:
            status = error.get_http_status_code()
            if status >= 500:
                log.exception("a request could not be answered")
            # The text before that is the request itself.
            reason = error.message.rpartition("Error: ")[2].strip().rstrip(".")[:MAX_REASON]
            return refuse(status, f"{reason}; {FORM}", error.error_code)
        # A request may break MLflow before the model is asked, e.g. with a list instead of a table.
        except Exception as error:
            log.exception("a request could not be read")
            return refuse(400, f"the request cannot be read ({type(error).__name__}); {FORM}")

    return guarded


def _request(data: bytes) -> dict[str, Any]:
    """Return what MLflow takes: a table under one of its names, and the parameters."""
    try:
        request = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UserError(f"the request is not JSON ({str(error)[:MAX_REASON]}); {FORM}") from error
    keys = set(request) if isinstance(request, dict) else set()
    if len(keys & TABLES) != 1 or keys - TABLES - {"params"}:
        held = f"has {_listed(keys)}" if keys else f"is {str(request)[:40]}"
        raise UserError(f"the request must have one of {_listed(TABLES)}, and may have params, it {held}; {FORM}")
    params = request.get("params") or {}
    if not isinstance(params, dict) or set(params) - set(PARAMS):
        raise UserError(f"params: may hold {_listed(set(PARAMS))}, is {str(params)[:MAX_REASON]}; {FORM}")
    return request


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))[:MAX_REASON]
