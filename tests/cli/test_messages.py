"""messages.txt has, in whole, what commands say; the other tests assert a subject, an exit code and a few words.

After a message has changed on purpose: `REWRITE_MESSAGES=1 pytest -n 0 tests/cli/test_messages.py`, and read the
difference. To add one, write its command into the file and do the same.
"""

import csv
import os
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import shop
from commands import runner

PAGE = Path(__file__).parent / "messages.txt"
UNSEEN = " > /dev/null"
"""At the end of a command: its output is figures, and only what it says on standard error is compared."""

FILES = {
    "listings.csv": "id,title,photos\n1,leather belt,front.jpg\n2,red handbag,\n",
    "odd.csv": "id,title,photos\n1,🎉,\n1,again,\n5,too,many,fields\n6,,missing.jpg\n7,,text.jpg\n",
    "stock.csv": "id,headline\n1,leather belt\n",
    "picture.csv": "id,title,picture\n1,🎉,1.jpg\n",
    "empty.csv": "",
    "text.jpg": "I am not a photo",
    "taken.jsonl": '{"name": "mine"}\n',
    "few-photos.csv": "id,photos\n1,front.jpg\n1,back.jpg\n2,missing.jpg\n3,\n",
    "bare.csv": "id,title\n1,leather belt\n2,red handbag\n",
    "hats.csv": "id,title,label\n1,leather belt,Hats\n",
    "mute.csv": "id,title,label\n1,,Belts\n",
    "pairs.csv": "left,right,label\n1,2,maybe\n1,1,yes\n,1,no\n1,2,\n1,gone,no\n",
    "no-pairs.csv": "left,right,label\n",
    "mats.toml": '[[category]]\nname = "Mats"\ntitles = ["red handbag"]\nphotos = ["missing.jpg"]\n',
    "lost.csv": "category,photos\nMats,missing.jpg\n",
    "party.csv": "category\n🎉\n",
    "wrong.csv": "category,title\nMats,red handbag\n,red\nMats,a,b\n",
    "names.csv": "category,title\n🎉,\nMats,red handbag\n☕,\n",
    "key.toml": "[[categories]]\nname = 'Mats'\n",
}


@pytest.fixture
def workplace(duplicates_bundle, tiny_bundle, tmp_path, monkeypatch):
    """The current folder, with what the commands in messages.txt read."""
    rng = np.random.default_rng(5)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, "utf-8")
    for name in ("front.jpg", "back.jpg"):
        (tmp_path / name).write_bytes(shop.encode(shop.photo("Belts", rng, (64, 48)), "JPEG"))
    labels = [*(shop.CLASSES[number % 3] for number in range(12)), "Belt", "Kettles", ""]
    rows = [(number, shop.title(shop.CLASSES[number % 3], rng), label) for number, label in enumerate(labels)]
    for name, some in {"labelled.csv": [*rows, (15, "🎉", "Belts")], "short.csv": rows[:3]}.items():
        with open(tmp_path / name, "w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("id", "title", "label"), *some])
    for name in ("folder", "taken"):
        (tmp_path / name).mkdir()
    shutil.copytree(tiny_bundle, tmp_path / "without-duplicates")
    damaged = shutil.copytree(tiny_bundle, tmp_path / "damaged")
    (damaged / "classes.json").write_text("[]")
    (damaged / "image/model.onnx").unlink()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRODUCTCAT_BUNDLE", str(duplicates_bundle))


def transcript(run, command):
    """What a command says, as the file has it."""
    code, output, errors = run(*shlex.split(command.removesuffix(UNSEEN))[1:])
    output = "" if command.endswith(UNSEEN) else output
    return f"$ {command}\n{output}{errors}" + (f"[{code}]\n" if code else "")


@pytest.mark.usefixtures("workplace")
def test_every_message_is_as_the_file_has_it(capfd):
    known = PAGE.read_text("utf-8")
    head = known.partition("\n$ ")[0]
    run = runner(capfd)
    said = "\n".join([head, *(transcript(run, each) for each in re.findall(r"^\$ (.+)$", known, re.MULTILINE))])
    if os.environ.get("REWRITE_MESSAGES"):
        PAGE.write_text(said, "utf-8")
        known = said
    assert said == known
