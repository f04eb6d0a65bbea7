"""Images that are made here are what a container runtime imports."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

from harness.images import Image, archive, files_layer, folder_layer


def test_an_archive_names_its_layers_by_their_digests(tmp_path: Path) -> None:
    """Manifest, configuration and layers agree; the name can never be pulled."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text("print()")
    layers = (
        files_layer(tmp_path / "a.tar", {"/bin/tool": b"#!"}, {"/bin/alias": "/bin/tool"}),
        folder_layer(tmp_path / "b.tar", tmp_path / "app", "/srv/app"),
    )
    image = Image("app:1", layers, ("/bin/tool",), environment={"A": "b"})
    with tarfile.open(archive(image, tmp_path / "image.tar")) as tar:
        read = {name: tar.extractfile(name) for name in tar.getnames()}
        content = {name: file.read() for name, file in read.items() if file is not None}
    (manifest,) = json.loads(content["manifest.json"])
    assert manifest["RepoTags"] == ["localhost/app:1"]
    config = json.loads(content[manifest["Config"]])
    found = [f"sha256:{hashlib.sha256(content[name]).hexdigest()}" for name in manifest["Layers"]]
    assert config["rootfs"]["diff_ids"] == found
    assert config["config"]["User"] == "65532"
    assert config["config"]["Env"] == ["A=b"]
    with tarfile.open(layers[1]) as tar:
        assert "srv/app/main.py" in tar.getnames()
        assert {entry.uid for entry in tar} == {0}
