"""`python -m training.general CONFIG`: make the bundle for all goods, from an untouched backbone and pairs of photos.

Steps whose results are there are not done again: the exported network, and the photos as it sees them.
"""

import functools
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from productcat.duplicates.detector import DuplicateDetector
from productcat.duplicates.embedding import FORMAT
from productcat.duplicates.metric import SetMetric
from productcat.duplicates.titles import TitleHead
from productcat.jobs.progress import Progress
from productcat.listings.listing import Listing
from productcat.listings.photos import read_photo
from productcat.models.bundle import Bundle, refuse_existing, sha256, write_bundle
from productcat.models.image_model import GRAPH, SETTINGS, ImageModel
from training.assemble import assemble
from training.commands import FOLDER_OPTIONS, command, mistakes_in_one_line, write_figures
from training.config import load_config
from training.duplicates.catalogues import Catalogue, found_in, threshold_in
from training.duplicates.item_photos import describe_items, read_items, readable_of
from training.duplicates.metric import Bases, MetricConfig, bases, metric_of
from training.duplicates.photo_table import PhotoTable, look_at, with_copies
from training.duplicates.protocol import Protocol, report
from training.duplicates.shops import Shop
from training.duplicates.siamese import UNLEARNT, Samples, SiameseConfig, fit_head
from training.images.export import compare, export_float, quantize, run_all
from training.images.image_model import ImageConfig, build
from training.listings.datasets import DataConfig, checksum, load_dataset
from training.titles.word_titles import WordsConfig, title_model

CLASSES = Path(__file__).parent / "imagenet_classes.json"
CALIBRATION_PHOTOS = 256
"""Number of photos that give the ranges of int8 activations."""

METHOD = 9
"""Number of the method of comparing sets. Raise it when the same settings give other figures, so that no old figures
are read."""


@dataclass(frozen=True)
class PhotosConfig:
    """Settings of the photos to learn from; the `[photos]` table of a configuration.

    items: folder or tar of `<domain>/<item>/<nn>.jpg`. copied: sets of listings whose training photos are copied as
    sellers copy them. each: number of photos taken from each such set. copies: number of copies of each photo. others:
    number of further photos of each such set, among which copies are looked for.
    """

    items: str
    copied: tuple[DataConfig, ...] = ()
    each: int = 300
    copies: int = 2
    others: int = 3_000


@dataclass(frozen=True)
class GeneralConfig:
    """A configuration of a general bundle. name, description, seed: as in `training.config.Config`."""

    name: str
    photos: PhotosConfig
    image: ImageConfig = field(default_factory=ImageConfig)
    metric: MetricConfig = field(default_factory=MetricConfig)
    siamese: SiameseConfig = field(default_factory=SiameseConfig)
    words: WordsConfig = field(default_factory=WordsConfig)
    description: str = ""
    seed: int = 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command. A user's mistake is one line on standard error and exit code 1."""
    parser = command("training.general", __doc__, FOLDER_OPTIONS)
    parser.add_argument("config", type=Path, help="a TOML file, such as training/configs/general.toml")
    parser.add_argument("--to", type=Path, required=True, help="the bundle: a new directory")
    image = parser.add_mutually_exclusive_group(required=True)
    image.add_argument("--weights", help="a file of ImageNet weights of the backbone with its top")
    image.add_argument("--image-of", help="instead, learn on this bundle's image model; the metric is added to a copy")
    parser.add_argument(
        "--titles", type=Path, help="what titles count: the --head of python -m training.duplicates.titles"
    )
    parser.add_argument("--threshold", type=float, help="take this threshold, and do not measure on held-out items")
    parser.add_argument("--report", type=Path, help="write the figures of the protocol to this JSON file")
    options = parser.parse_args(arguments)
    with mistakes_in_one_line():
        refuse_existing(options.to)
        config = load_config(options.config, GeneralConfig)
        given = Bundle.open(options.image_of) if options.image_of else None
        work = options.work / (f"{config.name}-{given.manifest['name']}" if given else config.name)
        titles = TitleHead.from_settings(json.loads(options.titles.read_text("utf-8"))) if options.titles else None
        run = General(config, options.data, work, options.weights or "", given, titles)
        figures = run.bundle(options.config.read_text("utf-8"), options.to, options.threshold)
        write_figures(figures, options.report)


class General:
    """All steps of one configuration.

    Parameters
    ----------
    config : GeneralConfig
    data, work : pathlib.Path
        The data folder, and where results of the steps are kept.
    weights : str
        A file of ImageNet weights of the backbone with its top. It is not read if a bundle is given.
    given : Bundle, optional
        Learn on its image model.
    titles : TitleHead, optional
        What titles count.
    """

    def __init__(
        self,
        config: GeneralConfig,
        data: Path,
        work: Path,
        weights: str,
        given: Bundle | None = None,
        titles: TitleHead | None = None,
    ) -> None:
        self.config, self.data, self.work, self.weights, self.given = config, data, work, weights, given
        self.title_head = titles
        work.mkdir(parents=True, exist_ok=True)
        self.items, left_out = read_items(data / config.photos.items, work)
        sources = [DataConfig(config.photos.items, table="", splits=""), *config.photos.copied]
        self.photos_mark = _mark([asdict(config.photos), config.seed, *(checksum(each, data) for each in sources)])
        for line in describe_items(self.items, left_out):
            print(line, flush=True)
        self.sets = {
            each.source.split(".")[0]: load_dataset(each, data, work, config.seed) for each in config.photos.copied
        }

    def bundle(self, text: str, to: Path, threshold: float | None = None) -> dict[str, Any]:
        """Write the bundle.

        Parameters
        ----------
        text : str
            The configuration file.
        to : pathlib.Path
        threshold : float, optional
            With one, nothing is measured.

        Returns
        -------
        dict
            Figures of the protocol, for each method.
        """
        image, exported = self.image()
        model, wanted = ImageModel.load(image), self.config.metric.features
        if len(model.levels) != len(wanted):
            raise ValueError(f"the image model gives {len(model.levels)} levels, [metric] features has {len(wanted)}")
        table = self.table(model)
        shops = self.shops(table, self.others(model))
        metric = self.metric(table, shops)
        figures: dict[str, Any] = {}
        means: dict[str, Any] = {}
        if threshold is None:
            figures, catalogues = self.measure(table, shops)
            threshold = threshold_in(catalogues, self.config.metric.precision)
            for part, rows in figures.items():
                means[part] = {name: each["figures"]["mean"] for name, each in rows.items()}
            figures["catalogues"] = found_in(catalogues, threshold)
        metric = replace(metric, threshold=threshold)
        manifest = {"duplicates": {"learnt_with": text, "threshold": metric.threshold, **means}}
        if self.given:
            self.copy(self.given, to, manifest, metric)
        else:
            names = json.loads(CLASSES.read_text("utf-8"))
            classes = [{"name": name, "parents": {}} for name in names]
            parts = {"image": image, "title": self.titles(names)}
            assemble(to, self.manifest(exported) | manifest, classes, parts, duplicates=metric)
        return figures

    def measure(self, table: PhotoTable, shops: Samples) -> tuple[dict[str, Any], list[Catalogue]]:
        """Run the protocol.

        Returns
        -------
        figures : dict
            Of each part and method.
        catalogues : list of Catalogue
            Of held-out items.
        """
        config = self.config
        features = hashlib.sha256(b"".join(each.tobytes() for each in [*table.outputs.values(), table.thumbnails]))
        features.update(shops.seen.tobytes())
        metric = asdict(config.metric) | {"precision": None}  # the threshold depends on it, the figures do not
        settings = [metric, asdict(config.siamese), config.seed, features.hexdigest(), METHOD]
        done = self.work / f"protocol-{_mark(settings)}.json"
        if not done.exists():
            protocol = Protocol(self.items, table, shops, config.metric, config.siamese, config.seed)
            scores = {"unseen items": protocol.unseen_items(), "unseen domains": protocol.unseen_domains()}
            found = {name: report(each, config.seed) for name, each in scores.items()}
            done.write_text(json.dumps([found, [asdict(each) for each in protocol.catalogues()]]), "utf-8")
        figures, catalogues = json.loads(done.read_text("utf-8"))
        return figures, [Catalogue(**each) for each in catalogues]

    def copy(self, given: Bundle, to: Path, manifest: dict[str, Any], metric: SetMetric) -> None:
        """Write a bundle's files and manifest, and the metric with what the manifest says of it."""

        def fill(folder: Path) -> None:
            given.copy_files(folder)
            metric.save(folder / "duplicates")

        if self.config.description != given.manifest.get("description"):
            manifest["duplicates"]["description"] = self.config.description
        write_bundle(to, {**given.manifest, **manifest}, fill)

    def metric(self, table: PhotoTable, shops: Samples) -> SetMetric:
        """Learn from all photos."""
        config, known = self.config.metric, self.bases(table)
        kept, siamese = table.kept(known), self.config.siamese
        samples = Samples.drawn(kept, known, config, siamese, self.config.seed)
        head = fit_head(samples, shops, siamese)
        return metric_of(kept, known, head, config, titles=self.title_head)

    def shops(self, table: PhotoTable, others: PhotoTable) -> Samples:
        """Return pairs of large catalogues, one of each set whose photos are copied."""
        known = self.bases(table)
        kept, rest = table.kept(known), others.kept(known)
        detector = DuplicateDetector(None, metric_of(kept, known, UNLEARNT, self.config.metric), 0.5)
        parts = []
        with Progress("copies in large catalogues", len(self.sets), "catalogues") as progress:
            for number, (name, dataset) in enumerate(self.sets.items()):
                domain = f"copies of {name}"
                mine = rest.rows(rest.domains == domain)
                titles = [dataset.listings[int(item.rpartition(" ")[2])].title for item in mine.items]
                shop = Shop(kept.rows(kept.domains == domain), mine, titles)
                parts.append(shop.samples(detector, number))
                progress.advance(1)
        return Samples.joined(parts)

    def bases(self, table: PhotoTable) -> Bases:
        """Find what is kept of the levels: what the given bundle keeps, so that its indexes stay good."""
        if self.given and self.given.has("duplicates"):
            learnt = SetMetric.load(self.given.part("duplicates"))
            if list(learnt.levels) == list(table.outputs):
                return {name: level.basis for name, level in learnt.levels.items()}
        return bases(table, self.config.metric)

    def image(self) -> tuple[Path, dict[str, Any]]:
        """Export the network. → folder of the bundle's image part, what was measured"""
        if self.given:
            return self.given.features_part(), {}
        folder = self.work / f"image-{_mark([self.network_mark(), self.photos_mark])}"
        done = folder.with_suffix(".json")
        if not done.exists():
            folder.mkdir(exist_ok=True)
            model, float_graph, size = self.network(), self.work / "float.onnx", self.config.image.photo_size
            levels = export_float(model, float_graph, size)
            photos = self.some_photos()
            difference, distributions = compare(model, ImageModel(float_graph, size, levels), photos)
            quantize(float_graph, folder / GRAPH, photos)
            settings = {"photo_size": list(size), "levels": list(levels), "arithmetic": "int8"}
            (folder / SETTINGS).write_text(json.dumps(settings, indent=1), "utf-8")
            same = run_all(ImageModel.load(folder), photos).argmax(axis=1) == distributions.argmax(axis=1)
            measured = {"float_max_difference": difference, "int8_agrees_with_float_top1": float(same.mean())}
            done.write_text(json.dumps(measured), "utf-8")
        return folder, json.loads(done.read_text("utf-8"))

    def network(self) -> keras.Model:
        """Return the backbone as its weights have it."""
        return untouched(self.config.image, self.weights)

    def network_mark(self) -> str:
        """Return the mark of the network and its weights."""
        return _mark([asdict(self.config.image), sha256(self.weights)])

    def titles(self, names: Sequence[str]) -> Path:
        """Compare words with the names of the classes. → folder of the bundle's title part"""
        folder = self.work / f"title-{_mark([asdict(self.config.words), self.network_mark()])}"
        if not (folder / "settings.json").exists():
            kernel = self.network().get_layer("classifier").get_weights()[0]
            title_model(names, kernel, self.config.words).save(folder)
        return folder

    def some_photos(self) -> NDArray[np.uint8]:
        """Return photos for the ranges of int8 numbers, half of all photos, half of items. → (n, height, width, 3)"""
        rng, of_items = np.random.default_rng(self.config.seed), [photo for item in self.items for photo in item.photos]
        everything = list(of_items)
        for dataset in self.sets.values():
            everything += [photo for row in dataset.rows("train") for photo in dataset.listings[row].photos]
        chosen = []
        for photos in (everything, of_items):
            chosen += readable_of(photos, rng.permutation(len(photos)), CALIBRATION_PHOTOS // 2)
        return np.stack([read_photo(each, self.config.image.photo_size) for each in chosen])

    def table(self, model: ImageModel) -> PhotoTable:
        """Return all photos to learn from, as the network sees them."""
        path = self.work / f"photos-{_mark([self.photos_mark, sha256(model.graph), FORMAT])}.npz"
        if not path.exists():
            listings = [Listing(item.name, photos=item.photos) for item in self.items]
            table, problems = look_at(listings, [item.domain for item in self.items], model, "photos of items")
            for number, (name, dataset) in enumerate(self.sets.items()):
                rng, rows = np.random.default_rng([self.config.seed, number]), dataset.rows("train")
                first = [
                    dataset.listings[row].photos[0] for row in rng.permutation(rows) if dataset.listings[row].photos
                ]
                chosen = readable_of(first, range(len(first)), self.config.photos.each)
                listings = with_copies(chosen, self.config.photos.copies, self.config.seed)
                more, wrong = look_at(listings, [f"copies of {name}"] * len(listings), model, f"copies of {name}")
                table, problems = table.joined(more), problems + wrong
            for line in problems:
                print(line, file=sys.stderr)
            table.save(path)
        return PhotoTable.load(path)

    def others(self, model: ImageModel) -> PhotoTable:
        """Return further photos of the sets whose photos are copied, an item each, as the network sees them."""
        path = self.work / f"others-{_mark([self.photos_mark, sha256(model.graph), FORMAT])}.npz"
        if not path.exists():
            tables = []
            for number, (name, dataset) in enumerate(self.sets.items()):
                rng, rows = np.random.default_rng([self.config.seed, number]), dataset.rows("train")
                order = [row for row in rng.permutation(rows) if dataset.listings[row].photos]
                some = order[2 * self.config.photos.each :][: self.config.photos.others]
                listings = [Listing(f"other {row}", photos=dataset.listings[row].photos[:1]) for row in some]
                tables.append(look_at(listings, [f"copies of {name}"] * len(some), model, f"others of {name}")[0])
            functools.reduce(PhotoTable.joined, tables).save(path)
        return PhotoTable.load(path)

    def manifest(self, exported: dict[str, Any]) -> dict[str, Any]:
        """Return what the bundle says of itself, except its metric."""
        return {
            "name": self.config.name,
            "description": self.config.description,
            "ensemble": {
                "average": "log",
                "weights": {"photos": 0.5, "title": 0.5},
                "temperatures": {"photos": 1.0, "title": 1.0, "both": 1.0},
            },
            "decision_rule": {"assign_at": 0.9, "shortlist_at": 0.5, "shortlist_size": 5},
            "trained_from": {"init_from": "ImageNet", "seed": self.config.seed},
            "export": exported,
        }


def _mark(depends: object) -> str:
    """Return the mark of a step's result, by what it depends on."""
    return hashlib.sha256(json.dumps(depends).encode()).hexdigest()[:10]


def untouched(config: ImageConfig, weights: str | Path) -> keras.Model:
    """Make the backbone with its own 1000 classes and the embeddings that the settings name."""
    model = build(replace(config, weights=str(weights)), 1000)
    whole = getattr(keras.applications, config.backbone)(weights=None)
    whole.load_weights(weights)
    model.get_layer("classifier").set_weights(whole.layers[-1].get_weights())
    return model


if __name__ == "__main__":
    main()
