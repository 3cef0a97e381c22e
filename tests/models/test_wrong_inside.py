"""Bundles whose seals fit and whose contents do not: refused when they are loaded, in one line that names the file."""

import json
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from resealed import entries, field, node, own_network, resealed, tensors, with_graph

from productcat import BundleError, Categorizer, DuplicateDetector, Listing
from productcat.models.contents import MOST_VALUES
from productcat.models.title_model import TitleModel

CATEGORIES, MATRIX = "projections/categories.json", "projections/projections.safetensors"
TITLE, VOCABULARY, WORDS = "title/settings.json", "title/vocabulary.json", "title/weights.safetensors"
IMAGE, GRAPH = "image/settings.json", "image/model.onnx"
DUPLICATES, METRIC = "duplicates/settings.json", "duplicates/duplicates.safetensors"

LEVEL = "embedding_top"

BEYOND = 2**29
"""Added to the number of a field it makes a tag of more than 32 bits, of which ONNX Runtime reads the lower ones."""


def of_nan(array):
    return np.full_like(array, np.nan)


def one_nan(array):
    array.flat[-1] = np.nan
    return array


def one_infinite(array):
    array.flat[0] = np.inf
    return array


def classes(*names, parents=None):
    return json.dumps([{"name": name, "parents": parents or {}} for name in names]).encode()


WRONG = {
    "no classes": {"classes.json": b"[]"},
    "classes that are not a list": {"classes.json": b'{"name": "a"}'},
    "classes that are not objects": {"classes.json": b"[1, 2, 3]"},
    "classes without names": {"classes.json": b'[{"parents": {}}]'},
    "a class without parents": {"classes.json": b'[{"name": "a"}]'},
    "classes with different parents": {
        "classes.json": b'[{"name": "a", "parents": {"x": "y"}}, {"name": "b", "parents": {}}]'
    },
    "classes that are not JSON": {"classes.json": b"["},
    "classes that lie too deep": {"classes.json": b"[" * 5000 + b"]" * 5000},
    "classes deep enough to parse": {"classes.json": b"[" * 300 + b"]" * 300},
    "classes that are not text": {"classes.json": b"\xff\xfe"},
    "two classes for three columns": {"classes.json": classes("a", "b")},
    "classes of one name": {"classes.json": classes("a", "a", "a")},
    "an empty name of a class": {"classes.json": classes("a", "b", "")},
    "a name of a class that is not Unicode": {"classes.json": b'[{"name": "\\ud800", "parents": {}}]'},
    "categories of one name": {CATEGORIES: entries(categories=["a", "a", "a"])},
    "no category": {CATEGORIES: entries(categories=[])},
    "categories that are numbers": {CATEGORIES: entries(categories=[1, 2, 3])},
    "categories that are missing": {CATEGORIES: entries(categories=None)},
    "two categories for three rows": {CATEGORIES: entries(categories=["a", "b"])},
    "settings that are a list": {CATEGORIES: b"[]"},
    "temperature 0": {CATEGORIES: entries(temperature=0)},
    "a negative temperature": {CATEGORIES: entries(temperature=-1.0)},
    "a temperature of NaN": {CATEGORIES: entries(temperature=float("nan"))},
    "a temperature that is true": {CATEGORIES: entries(temperature=True)},
    "a temperature as text": {CATEGORIES: entries(temperature="1")},
    "a temperature of hundreds of digits": {CATEGORIES: entries(temperature=10**400)},
    "a tiny temperature": {CATEGORIES: entries(temperature=1e-300)},
    "no temperature": {CATEGORIES: entries(temperature=None)},
    "floor 0": {CATEGORIES: entries(floor=0)},
    "floor 1": {CATEGORIES: entries(floor=1)},
    "offsets of another length": {CATEGORIES: entries(offsets=[0.0])},
    "offsets that are not finite": {CATEGORIES: entries(offsets=[0.0, 0.0, float("inf")])},
    "huge offsets": {CATEGORIES: entries(offsets=[0.0, 0.0, 1e9])},
    "few-shot settings that are a list": {CATEGORIES: entries(few_shot=[])},
    "a few-shot setting as text": {CATEGORIES: entries(few_shot={"scale": "1"})},
    "negative examples": {CATEGORIES: entries(examples=[-1, 0, 0])},
    "examples of another length": {CATEGORIES: entries(examples=[0])},
    "more examples than there are": {CATEGORIES: entries(examples=[10**30, 0, 0])},
    "deviations that are missing": {CATEGORIES: entries(deviations=[5, 0, 0], examples=[5, 0, 0])},
    "deviations of one example": {
        CATEGORIES: entries(deviations=[1, 0, 0], examples=[1, 0, 0]),
        MATRIX: tensors(deviations=lambda _: np.zeros((1, 0), np.float16)),
    },
    "projections that are no safetensors": {MATRIX: b"12345"},
    "an empty file of safetensors": {MATRIX: b""},
    "projections that are missing": {MATRIX: tensors(projections=None, other=lambda _: np.zeros(1))},
    "projections of NaN": {MATRIX: tensors(projections=of_nan)},
    "one projection that is infinite": {MATRIX: tensors(projections=one_infinite)},
    "projections that do not sum to 1": {MATRIX: tensors(projections=lambda old: old * 2)},
    "a negative projection": {MATRIX: tensors(projections=lambda old: np.roll(old * 2, 1, 1) - old)},
    "projections with fewer columns": {MATRIX: tensors(projections=lambda old: np.full((3, 2), 0.5))},
    "projections with one axis": {MATRIX: tensors(projections=lambda old: np.ones(3))},
    "projections of whole numbers": {MATRIX: tensors(projections=lambda old: old.astype(np.int64))},
    "prototypes of other features": {
        MATRIX: tensors(prototypes=lambda _: np.ones((3, 7), np.float32)),
        CATEGORIES: entries(examples=[1, 1, 1], few_shot={"scale": 1.0}),
    },
    "prototypes of titles of another width": {
        MATRIX: tensors(title_prototypes=lambda _: np.ones((3, 7), np.float32)),
        CATEGORIES: entries(title_examples=[1, 1, 1], few_shot={"title_scale": 1.0}),
    },
    "prototypes of NaN": {MATRIX: tensors(prototypes=lambda _: np.full((3, 16), np.nan, np.float32))},
    "a vocabulary that is an object": {VOCABULARY: b"{}"},
    "a vocabulary of numbers": {VOCABULARY: b"[1, 2]"},
    "a word twice": {VOCABULARY: json.dumps(["belt"] * 209).encode()},
    "a shorter vocabulary": {VOCABULARY: b'["belt"]'},
    "title settings that are a list": {TITLE: b"[]"},
    "no sizes of pieces": {TITLE: entries(ngram_sizes=None)},
    "sizes of pieces as text": {TITLE: entries(ngram_sizes="34")},
    "a size 0 of pieces": {TITLE: entries(ngram_sizes=[0, 3])},
    "sizes of pieces that descend": {TITLE: entries(ngram_sizes=[4, 3])},
    "a share above 1": {TITLE: entries(known_share=2)},
    "no share": {TITLE: entries(known_share=None)},
    "endings as one text": {TITLE: entries(endings="s")},
    "a rarity of NaN": {TITLE: entries(rarest=float("nan"))},
    "word vectors of NaN": {WORDS: tensors(vectors=of_nan)},
    "one word vector of NaN": {WORDS: tensors(vectors=one_nan)},
    "no word vectors": {WORDS: tensors(vectors=None)},
    "word vectors with three axes": {WORDS: tensors(vectors=lambda old: old[:, None])},
    "huge word vectors": {WORDS: tensors(vectors=lambda old: old.astype(np.float32) * 1e30)},
    "no kernel": {WORDS: tensors(kernel=None)},
    "a kernel of another length": {WORDS: tensors(kernel=lambda old: old[:2].copy())},
    "a kernel for more classes": {
        WORDS: tensors(kernel=lambda old: np.pad(old, [(0, 0), (0, 1)]), bias=lambda old: np.pad(old, [(0, 1)]))
    },
    "a kernel that is infinite": {WORDS: tensors(kernel=one_infinite)},
    "a bias of another length": {WORDS: tensors(bias=lambda old: old[:2].copy())},
    "a bias of NaN": {WORDS: tensors(bias=one_nan)},
    "a confusion of another shape": {WORDS: tensors(confusion=lambda _: np.eye(2, dtype=np.float32))},
    "a confusion of zeros": {WORDS: tensors(confusion=lambda _: np.zeros((3, 3), np.float32))},
    "a rarity of another length": {WORDS: tensors(rarity=lambda old: old[:5].copy())},
    "image settings that are a text": {IMAGE: b'"a"'},
    "photos of one number": {IMAGE: entries(photo_size=[32])},
    "photos of 20,000 × 20,000 pixels": {IMAGE: entries(photo_size=[20_000, 20_000])},
    "photos of 0 pixels": {IMAGE: entries(photo_size=[0, 24])},
    "photos of a negative size": {IMAGE: entries(photo_size=[-32, 24])},
    "photos of fractions of pixels": {IMAGE: entries(photo_size=[32.5, 24])},
    "photos of another size than the network's": {IMAGE: entries(photo_size=[24, 32])},
    "levels that are missing": {IMAGE: entries(levels=None)},
    "a level that the network lacks": {IMAGE: entries(levels=["embedding_other"])},
    "a level twice": {IMAGE: entries(levels=[LEVEL, LEVEL])},
    "levels as one text": {IMAGE: entries(levels=LEVEL)},
    "a network that is empty": {GRAPH: b""},
    "a network that is text": {GRAPH: b"not a network at all"},
    "a network that is cut": {GRAPH: lambda file: file.write_bytes(file.read_bytes()[:-2000])},
    "a network in the runtime's own form": {GRAPH: lambda file: file.write_bytes(b"\x18\0\0\0ORTM" + bytes(64))},
    "a loop": {GRAPH: with_graph(node(b"Loop"))},
    "a branch": {GRAPH: with_graph(node(b"If"))},
    "a scan": {GRAPH: with_graph(node(b"Scan"))},
    "a graph within an operator": {GRAPH: with_graph(node(b"Add", field(5, field(1, b"body") + field(6, b""))))},
    "an operator of another maker": {GRAPH: with_graph(node(b"Run", domain=b"com.example"))},
    "sparse weights": {GRAPH: with_graph(field(15, b""))},
    "weights in another file": {GRAPH: with_graph(field(5, field(1, 2) + field(13, b"") + field(14, 1)))},
    "weights of an operator in another file": {
        GRAPH: with_graph(node(b"Constant", field(5, field(5, field(13, field(1, b"location"))))))
    },
    "a loop behind a tag of many bits": {GRAPH: with_graph(field(1, field(4 + BEYOND, b"Loop")))},
    "a graph behind a tag of many bits": {GRAPH: with_graph(node(b"Add", field(5 + BEYOND, field(6, b""))))},
    "weights in another file behind tags of many bits": {
        GRAPH: with_graph(field(5, field(1, 2) + field(13 + BEYOND, b"") + field(14 + BEYOND, 1)))
    },
    "functions behind a tag of many bits": {
        GRAPH: lambda file: file.write_bytes(file.read_bytes() + field(25 + BEYOND, b""))
    },
    "weights that are larger than the file": {GRAPH: with_graph(field(5, field(1, 10**9) + field(1, 10**9)))},
    "functions": {GRAPH: lambda file: file.write_bytes(file.read_bytes() + field(25, b""))},
    "another input": {GRAPH: with_graph(field(11, field(1, b"more")))},
}
"""What is wrong → the changes of files, of whose part the message has to speak."""


def test_json_of_very_many_values_is_not_taken_into_memory(duplicates_bundle, tmp_path):
    content = b"[" + b"[]," * (MOST_VALUES // 2) + b"[]]"
    path = resealed(duplicates_bundle, tmp_path / "wrong", {"classes.json": content})
    with pytest.raises(BundleError, match=r"classes.json is not JSON"):
        Categorizer.load(path)
    (path / "manifest.json").write_bytes(b'{"format": 1, "more": ' + content + b"}")
    with pytest.raises(BundleError, match=r"manifest.json is damaged"):
        Categorizer.load(path)


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_inside_is_refused_at_load_with_its_file(duplicates_bundle, tmp_path, wrong):
    path = resealed(duplicates_bundle, tmp_path / "wrong", WRONG[wrong])
    with pytest.raises(BundleError) as refused:
        Categorizer.load(path)
    said = str(refused.value)
    assert any(name.partition("/")[0] in said for name in WRONG[wrong])
    assert "\n" not in said
    assert said.startswith(f"bundle {path}: ")
    assert len(said) < 500


def rule(**changes):
    return {"decision_rule": {"assign_at": 0.9, "shortlist_at": 0.5, "shortlist_size": 5} | changes}


def ensemble(**changes):
    weights, temperatures = {"photos": 0.5, "title": 0.5}, {"photos": 1.0, "title": 1.0, "both": 1.0}
    return {"ensemble": {"average": "log", "weights": weights, "temperatures": temperatures} | changes}


ENTRIES = {
    "a rule of NaN": rule(assign_at=float("nan")),
    "a rule that shows more than it assigns": rule(shortlist_at=0.95),
    "a rule as text": {"decision_rule": "0.9"},
    "a rule without a size": {"decision_rule": {"assign_at": 0.9, "shortlist_at": 0.5}},
    "a rule of no category": rule(shortlist_size=0),
    "a rule of many": rule(shortlist_size=10**9),
    "rules alone of a list": {"decision_rules_alone": [1]},
    "rules alone of texts": {"decision_rules_alone": {"photos": "a"}},
    "another average": ensemble(average="median"),
    "an average that is a list": ensemble(average=["log"]),
    "negative weights": ensemble(weights={"photos": -1, "title": 2}),
    "weights of 0": ensemble(weights={"photos": 0, "title": 0}),
    "a weight that is missing": ensemble(weights={"photos": 1}),
    "temperatures of 0": ensemble(temperatures={"photos": 0, "title": 1, "both": 1}),
    "negative temperatures": ensemble(temperatures={"photos": 1, "title": 1, "both": -1}),
    "informed as text": ensemble(informed="yes"),
    "an ensemble that is a list": {"ensemble": []},
}
"""What is wrong → entries of the manifest."""


@pytest.mark.parametrize("wrong", ENTRIES)
def test_what_is_wrong_in_the_manifest_is_refused_at_load_with_its_key(tiny_bundle, tmp_path, wrong):
    path = resealed(tiny_bundle, tmp_path / "wrong", {}, ENTRIES[wrong])
    with pytest.raises(BundleError, match=rf"bundle {path}: manifest.json.*{next(iter(ENTRIES[wrong]))}"):
        Categorizer.load(path)


def of_level(**changes):
    return tensors(**{f"{LEVEL}__{name}": change for name, change in changes.items()})


METRICS = {
    "settings that are a list": {DUPLICATES: b"[]"},
    "no levels": {DUPLICATES: entries(levels={})},
    "levels as a list": {DUPLICATES: entries(levels=[LEVEL])},
    "a level that the network lacks": {DUPLICATES: entries(levels={"other": 8})},
    "no dimensions": {DUPLICATES: entries(levels={LEVEL: 0})},
    "more dimensions than features": {DUPLICATES: entries(levels={LEVEL: 17})},
    "half a dimension": {DUPLICATES: entries(levels={LEVEL: 1.5})},
    "no head": {DUPLICATES: entries(head=None)},
    "a head as text": {DUPLICATES: entries(head="a")},
    "a head of NaN": {DUPLICATES: entries(head={"weights": [float("nan")], "bias": 0.0})},
    "a weight that is an object": {DUPLICATES: entries(head={"weights": [{}, 2.0, 2.0, 8.0, 0.0, 0.0], "bias": -13.0})},
    "a weight as text": {DUPLICATES: entries(head={"weights": ["2", 2.0, 2.0, 8.0, 0.0, 0.0], "bias": -13.0})},
    "a bias that is a list": {DUPLICATES: entries(head={"weights": [1.0, 2.0, 2.0, 8.0, 0.0, 0.0], "bias": []})},
    "a huge number": {DUPLICATES: entries(more={"deep": [10**400]})},
    "no threshold": {DUPLICATES: entries(threshold=None)},
    "a threshold above 1": {DUPLICATES: entries(threshold=7)},
    "titles as text": {DUPLICATES: entries(titles="a")},
    "compared with fewer than none": {DUPLICATES: entries(compared=-1)},
    "no safetensors": {METRIC: b"\x10\0\0\0\0\0\0\0{"},
    "no mean": {METRIC: of_level(mean=None)},
    "a mean of other features": {METRIC: of_level(mean=lambda old: old[:5].copy())},
    "a mean of NaN": {METRIC: of_level(mean=of_nan)},
    "no covariance": {METRIC: of_level(covariance=None)},
    "a covariance of another length": {METRIC: of_level(covariance=lambda old: old[:-1].copy())},
    "a covariance of NaN": {METRIC: of_level(covariance=one_nan)},
    "a covariance of zeros": {METRIC: of_level(covariance=np.zeros_like)},
    "negative variances": {METRIC: of_level(covariance=np.negative)},
    "a basis of other features": {METRIC: of_level(basis=lambda _: np.eye(16, 8, dtype=np.float16))},
}
"""What is wrong → the changes of files, the first of which the message has to name."""


@pytest.mark.parametrize("wrong", METRICS)
def test_what_is_wrong_in_a_metric_is_refused_at_load_with_its_file(duplicates_bundle, tmp_path, wrong):
    path = resealed(duplicates_bundle, tmp_path / "wrong", METRICS[wrong])
    with pytest.raises(BundleError, match=rf"^bundle {path}: {next(iter(METRICS[wrong]))}.*; get the bundle again"):
        DuplicateDetector.load(path)


def test_a_covariance_that_is_not_one_is_refused_when_it_is_needed(duplicates_bundle, tmp_path):
    def twisted(old):
        found = np.zeros_like(old)
        found[0], found[1], found[16] = 1.0, 100.0, 1.0  # correlated beyond their variances
        return found

    path = resealed(
        duplicates_bundle,
        tmp_path / "wrong",
        {METRIC: of_level(covariance=twisted), DUPLICATES: entries(levels={LEVEL: 16})},
    )
    detector = DuplicateDetector.load(path)
    with pytest.raises(BundleError, match="covariance"):
        detector.spaces  # noqa: B018, made on first use


def test_a_network_that_is_in_order_runs(tiny_bundle, shop_listings, tmp_path):
    path = resealed(tiny_bundle, tmp_path / "own", {GRAPH: own_network()})
    assert np.isfinite(Categorizer.load(path).predict_proba(shop_listings[0])).all()


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (b"Reciprocal", "not one"),  # of black: infinite
        (b"Log", "not finite"),
        (b"Neg", "not one"),
        (b"Nonsense", "cannot be opened"),
        (b"Transpose", "cannot be (opened|run)|of shape"),
    ],
)
def test_what_a_network_gives_is_a_distribution_or_an_error_and_never_no_evidence(tiny_bundle, tmp_path, last, said):
    path = resealed(tiny_bundle, tmp_path / "wrong", {GRAPH: own_network(last)})
    categorizer = Categorizer.load(path)
    black_and_white = np.stack([np.full((32, 24, 3), value, np.uint8) for value in (0, 255)])
    with pytest.raises(BundleError, match=rf"model.onnx.*({said}|not finite)") as refused:
        categorizer.image_model.run(black_and_white)  # which show nothing, so that predict would not look at them
    assert "\n" not in str(refused.value)


def test_a_network_that_was_changed_since_the_bundle_was_loaded_does_not_run(tiny_bundle, shop_listings, tmp_path):
    path = resealed(tiny_bundle, tmp_path / "bundle", {})
    categorizer = Categorizer.load(path)
    (path / GRAPH).write_bytes(own_network())
    with pytest.raises(BundleError, match=r"model.onnx was changed since the bundle was loaded"):
        categorizer.predict(shop_listings[0])


def test_a_network_that_changes_while_it_is_opened_does_not_run(tiny_bundle, shop_listings, tmp_path, monkeypatch):
    path = resealed(tiny_bundle, tmp_path / "bundle", {})
    categorizer = Categorizer.load(path)

    def slow(graph, *arguments, really=onnxruntime.InferenceSession, **options):
        (path / GRAPH).write_bytes(own_network())
        return really(graph, *arguments, **options)

    monkeypatch.setattr(onnxruntime, "InferenceSession", slow)
    with pytest.raises(BundleError, match=r"model.onnx is being changed"):
        categorizer.predict(shop_listings[0])


def test_the_titles_of_a_model_that_overflows_are_not_without_evidence():
    tensors = {"vectors": np.full((1, 2), 3e38), "kernel": np.ones((2, 2)), "bias": np.zeros(2)}
    model = TitleModel(["belt"], tensors, {"ngram_sizes": [], "known_share": 1.0})
    with pytest.raises(BundleError, match="not finite"), np.errstate(all="ignore"):
        model.distributions(["belt"])
    assert np.isnan(model.vectors(["tents"])).all()


def test_confidences_that_are_not_numbers_are_not_without_evidence(tiny_bundle, shop_listings):
    categorizer = Categorizer.load(tiny_bundle)
    categorizer.projections = replace(categorizer.projections, temperature=0.0)
    for ask in (categorizer.predict, categorizer.predict_proba):
        with pytest.raises(BundleError, match="not numbers"), np.errstate(all="ignore"):
            ask(shop_listings[0])
    with np.errstate(all="ignore"):
        assert categorizer.predict([Listing("nothing")])[0].decision == "abstain"
