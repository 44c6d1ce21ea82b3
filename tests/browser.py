"""A page in a real headless Chromium: what it holds once it is laid out."""

import json
import re
import shutil
import subprocess
from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--virtual-time-budget=3000", "--dump-dom"),
]
PROBE = """<script>addEventListener('load', () => { document.title = JSON.stringify({
  images: document.images.length,
  broken: [...document.images].filter(image => !image.naturalWidth).length,
  figures: document.querySelectorAll('figure svg').length,
  shown_px: Object.fromEntries([...document.images].reverse().map(image => [image.alt.split(' of ')[0], image.width])),
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  requests: performance.getEntriesByType('resource').map(entry => entry.name).filter(name => !name.startsWith('data:')),
}) })</script>"""


def look_at(page: str, folder: Path, width_px: int) -> dict:
    """Return the images, the broken ones, the SVG figures, the pixels beyond the width, and the addresses asked for.

    `shown_px` has the width at which the first image of each caption is shown.
    """
    (folder / "index.html").write_text(page.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    done = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", f"--window-size={width_px},900",
         (folder / "index.html").as_uri()],
        capture_output=True, text=True, timeout=3600, check=True,
    )  # fmt: skip
    return json.loads(re.search(r"<title>(\{.*?\})</title>", done.stdout).group(1))
