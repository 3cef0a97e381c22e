"""Keeps the results of steps in a work directory. A step that is done is not done again.

Each step has a folder there. The folder's name holds a fingerprint of everything that the step depends on: its
settings, the data, the steps before. So a changed setting repeats only the steps it touches.
"""

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Steps:
    """The steps of one configuration. seed : that of the configuration"""

    def __init__(self, work: Path, seed: int) -> None:
        self.work, self.seed = work, seed
        work.mkdir(parents=True, exist_ok=True)

    def folder(self, name: str, *depends: Any, seeded: bool = True) -> Path:
        """Make the folder of a step, named by what the step depends on. seeded: the seed is part of that."""
        plain = json.dumps([depends, self.seed if seeded else 0], default=dataclasses.asdict)
        path = self.work / f"{name}-{hashlib.sha256(plain.encode()).hexdigest()[:10]}"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def run(self, folder: Path, make: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
        """Run `make(folder)` unless it is done. → its result, which is kept as done.json"""
        done = folder / "done.json"
        if done.exists():
            print(f"{folder.name}: done before", flush=True)
        else:
            print(f"{folder.name}: started", flush=True)
            started = time.monotonic()
            result = {**make(folder), "seconds": round(time.monotonic() - started)}
            temporary = done.with_suffix(".tmp")
            temporary.write_text(json.dumps(result, indent=1), "utf-8")
            temporary.replace(done)
        return self.result(folder)

    def result(self, folder: Path) -> dict[str, Any]:
        """Read the result of a step that is done."""
        return json.loads((folder / "done.json").read_text("utf-8"))
