"""An app's image: Debian's Python with the official openai SDK, from the pins of the tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness import images
from harness.images import Image
from harness.production import ROOT

NAME = "app:1"
REFERENCE = f"{images.REGISTRY}/{NAME}"
UV = Path(sys.executable).parent / "uv"
SITE = "/opt/app"


def image(folder: Path) -> Image:
    """What `image: localhost/app:1` holds; the app is given on the command line."""
    site = folder / "site"
    pins = ROOT / "requirements" / "sdk2.txt"
    install = [str(UV), "pip", "install", "--quiet", "--require-hashes", "--target", str(site)]
    subprocess.run([*install, "--python", sys.executable, "-r", str(pins)], check=True)
    layer = images.folder_layer(folder / "app.tar", site, SITE)
    environment = {"PYTHONPATH": SITE, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    return Image(
        NAME,
        (*images.python().layers, layer),
        ("/usr/bin/python3",),
        environment=environment,
    )
