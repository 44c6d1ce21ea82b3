"""The load that `mlflow models serve` carries over the loopback, and its answers at twice that load.

    python benchmarks/serving.py [--generator FOLDER] [--image FILE] [--seconds S]
    python benchmarks/serving.py --engines EXPORT [--generator FOLDER] [--image FILE] [--rounds N]

First 1, 2 and 4 clients each send their next request when the last is answered; the largest number of answers in a
second is the load that the server carries. Then requests come at half and at twice that rate, whether or not the server
has answered; a latency counts from the moment at which its request was due. Everything runs on one machine, so the
clients take their share of it. The output is a table, and after it the same as JSON.

The second command needs what `pix2street export` wrote, and starts no server: TensorFlow and ONNX Runtime make photos
of the same image by turns, without noise and with the threads of the generator's card, in batches of 1, 2, 4 and 8.
"""

import argparse
import base64
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pix2street.core import numerics

if __name__ == "__main__":
    numerics.pin()

import mlflow
import numpy as np
import pandas as pd
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

import pix2street
from pix2street.inference import serving

TIMEOUT_S = 30
CLIENTS = (1, 2, 4)
SHARES = (0.5, 2.0)
BATCHES = (1, 2, 4, 8)


class Answer(NamedTuple):
    """One answer; `status` is that of HTTP, or the error."""

    status: str
    latency_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generator", type=Path, default=Path("models/generator"))
    parser.add_argument("--image", type=Path, help="default: the first of data/split/val/inputs")
    parser.add_argument("--seconds", type=float, default=15, help="seconds of each part")
    parser.add_argument("--engines", type=Path, metavar="EXPORT", help="a folder that holds generator.onnx")
    parser.add_argument("--rounds", type=int, default=60, help="turns of each engine at batch 1")
    options = parser.parse_args()
    image = options.image or min(Path("data/split/val/inputs").glob("*.png"))
    if options.engines:
        compare_engines(options.generator, options.engines, image, options.rounds)
        return
    body = json.dumps({"dataframe_records": [{"image": base64.b64encode(image.read_bytes()).decode()}]}).encode()
    with served(options.generator) as address:
        measure(f"{address}/invocations", body, options.seconds)


def measure(address: str, body: bytes, seconds: float) -> None:
    """Measure all parts and print them."""
    print(f"{'':34}{'answered':>10}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>8}   other answers", flush=True)
    rows = []

    def add(title: str, answers: list[Answer], took_s: float) -> float:
        rows.append(row := as_row(title, answers, took_s))
        times = "".join(f"{row[key]:>8.0f}" if row[key] is not None else f"{'-':>8}" for key in PERCENTILES)
        others = ", ".join(f"{count} x {name}" for name, count in row["others"].items())
        print(f"{title:34}{row['answered_per_s']:>8.1f}/s{times}   {others or 'none'}", flush=True)
        return row["answered_per_s"]

    with ThreadPoolExecutor(512) as pool:
        closed(address, body, 2, 2, pool)
        carried = max(add(f"{n} at a time", *closed(address, body, n, seconds, pool)) for n in CLIENTS)
        for share in SHARES:
            rate = share * carried
            add(f"{share:g} times that: {rate:.1f} a second", *opened(address, body, rate, seconds, pool))
        # This part shows whether anything of the flood is left.
        add("1 at a time, right after that", *closed(address, body, 1, seconds / 3, pool))
    print(json.dumps({"cores": len(os.sched_getaffinity(0)), "latencies": "ms", "rows": rows}, indent=2))


PERCENTILES = {"p50_ms": 50, "p95_ms": 95, "p99_ms": 99, "max_ms": 100}


def as_row(title: str, answers: list[Answer], took_s: float) -> dict:
    good = [1e3 * answer.latency_s for answer in answers if answer.status == "200"]
    others = Counter(answer.status for answer in answers if answer.status != "200")
    refused = [1e3 * answer.latency_s for answer in answers if answer.status == "429"]
    return {
        "part": title,
        "sent": len(answers),
        "answered_per_s": len(good) / took_s,
        **{name: round(float(np.percentile(good, share)), 1) if good else None for name, share in PERCENTILES.items()},
        "others": dict(others),
        "refused_p50_ms": round(float(np.percentile(refused, 50)), 1) if refused else None,
    }


def closed(
    address: str, body: bytes, clients: int, seconds: float, pool: ThreadPoolExecutor
) -> tuple[list[Answer], float]:
    """Let so many clients each send its next request when the last is answered; return the answers and the seconds."""
    end = time.monotonic() + seconds

    def client() -> list[Answer]:
        answers = [ask(address, body, time.monotonic())]
        while time.monotonic() < end:
            answers.append(ask(address, body, time.monotonic()))
        return answers

    start = time.monotonic()
    answers = [answer for done in [pool.submit(client) for _ in range(clients)] for answer in done.result()]
    return answers, time.monotonic() - start


def opened(
    address: str, body: bytes, rate: float, seconds: float, pool: ThreadPoolExecutor
) -> tuple[list[Answer], float]:
    """Send so many requests a second, answered or not; return the answers and the seconds."""
    start = time.monotonic()
    waiting = []
    for number in range(max(1, int(rate * seconds))):
        due = start + number / rate
        time.sleep(max(0, due - time.monotonic()))
        waiting.append(pool.submit(ask, address, body, due))
    answers = [future.result() for future in waiting]
    return answers, time.monotonic() - start


sessions = threading.local()


def ask(address: str, body: bytes, due: float) -> Answer:
    if not hasattr(sessions, "session"):
        sessions.session = requests.Session()
    try:
        answer = sessions.session.post(
            address, data=body, headers={"Content-Type": "application/json"}, timeout=TIMEOUT_S
        )
        status = str(answer.status_code)
    except requests.RequestException as error:
        status = type(error).__name__
    return Answer(status, time.monotonic() - due)


def compare_engines(folder: Path, export: Path, image: Path, rounds: int) -> None:
    """Print the CPU time of a photo by TensorFlow and by ONNX Runtime in batches, and of a whole request.

    A network's time is that from stored pixels to photos. A request's is that of `ServedTranslator.predict`, from the
    encoded image to the PNG, with as many rows as the batch has images, and with the noise of the generator.
    """
    from pix2street.inference.card import GeneratorCard
    from pix2street.inference.export.runners import open_runners
    from pix2street.inference.inputs import read_input
    from pix2street.inference.translator import Translator
    from pix2street.training.runtime import prepare

    card = GeneratorCard.read(folder)
    prepare("--engines", "cpu", 0, intra_op_threads=card.intra_op_threads, inter_op_threads=card.inter_op_threads)
    translator = Translator.read(folder)
    service = serving.ServedTranslator(translator)
    stored = translator.styled(read_input(card, image)[0], serving.NAME)
    encoded = base64.b64encode(image.read_bytes()).decode()
    quiet = replace(card, noise_on=False)
    runners, _ = open_runners(folder, quiet, export, ["onnx"], card.intra_op_threads, stored[None])
    print(f"{'':10}{'TensorFlow':>12}{'ONNX':>8}{'ratio':>8}{'difference':>12}{'request':>10}   CPU-ms a photo")
    for batch in BATCHES:
        pixels, rows = np.stack([stored] * batch), pd.DataFrame({"image": [encoded] * batch})
        works = {name: lambda run=run, pixels=pixels: run(pixels)["photo"] for name, run in runners.items()}
        photos = [work().astype(int) for work in works.values()]
        works["request"] = lambda rows=rows: service.predict(rows)
        keras, onnx, request = cpu_ms(works, max(1, rounds // batch), batch)
        apart = np.abs(photos[0] - photos[1]).max()
        print(f"batch {batch:<4}{keras:>12.2f}{onnx:>8.2f}{keras / onnx:>8.2f}{apart:>12}{request:>10.2f}", flush=True)


def cpu_ms(works: dict[str, Callable[[], object]], rounds: int, photos: int) -> list[float]:
    """Return the median CPU-ms that each work takes for one of its photos; they take turns, after one round to warm up.

    The seconds are those of the whole process, whose threads do no other work.
    """
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(1 + rounds):
        for name, work in works.items():
            begun = time.process_time()
            work()
            taken[name].append(1e3 * (time.process_time() - begun) / photos)
    return [statistics.median(times[1:]) for times in taken.values()]


@contextmanager
def served(generator: Path) -> Iterator[str]:
    """Yield the address of a server that `mlflow models serve` runs."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as taken:
        model, log, port = Path(folder) / "model", Path(folder) / "log", taken.getsockname()[1]
        mlflow.pyfunc.save_model(
            model,
            loader_module=serving.__name__,
            data_path=str(generator),
            code_paths=[str(Path(pix2street.__file__).parent)],
            signature=serving.signature_of(generator),
            pip_requirements=["mlflow"],
        )
        taken.close()
        command = ["mlflow", "models", "serve", "--env-manager", "local", "-m", str(model), "--port", str(port)]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        with log.open("w") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                env={**os.environ, "PATH": path},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        try:
            with requests.Session() as session:
                patience = Retry(total=120, connect=120, backoff_factor=0.1, backoff_max=1)
                session.mount("http://", HTTPAdapter(max_retries=patience))
                if not session.get(f"http://127.0.0.1:{port}/ping").ok:
                    sys.exit(log.read_text())
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


if __name__ == "__main__":
    main()
