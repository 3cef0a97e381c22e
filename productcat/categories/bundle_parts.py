"""Read what a bundle says of its classes and rules, and check that its parts are of one kind: as many classes each."""

from collections.abc import Mapping

from productcat.categories.decision import DecisionRule
from productcat.categories.ensemble import MODALITIES, Modality
from productcat.categories.projections import CategoryProjections
from productcat.errors import BundleError
from productcat.models.bundle import Bundle
from productcat.models.contents import AGAIN, Contents, Entries, different_texts
from productcat.models.image_model import DISTRIBUTION, GRAPH, ImageModel
from productcat.models.title_model import TitleModel
from productcat.models.word_bags import WIDTH
from productcat.wording import is_unicode

CLASSES = "classes.json"

LONGEST_SHORTLIST = 10_000
"""Number of categories that a decision rule may want to show."""


def read_classes(contents: Contents) -> tuple[list[str], dict[str, list[str]]]:
    """Return the names of the classes, and their parents: kind → one for each class. Raises BundleError."""
    said, found = f"{contents.said}{CLASSES}", contents.json(CLASSES)
    if not isinstance(found, list) or not found:
        raise BundleError(f"{said} is not a list of classes; {AGAIN}")
    kinds = list(found[0]["parents"]) if _is_class(found[0]) else []
    for number, each in enumerate(found, 1):
        if not _is_class(each) or each["parents"].keys() != set(kinds):
            expected = f"a name, and parents of the kinds of class 1 ({', '.join(map(ascii, kinds)) or 'none'})"
            raise BundleError(f"{said}: class {number} is not as expected, {expected}; {AGAIN}")
    names = different_texts(f"{said}: the names", [each["name"] for each in found])
    return names, {kind: [each["parents"][kind] for each in found] for kind in kinds}


def _is_class(found: object) -> bool:
    """Tell whether something is a name and its parents, all texts."""
    return (
        isinstance(found, dict)
        and isinstance(found.get("name"), str)
        and isinstance(found.get("parents"), dict)
        and all(isinstance(each, str) and is_unicode(each) for each in found["parents"].values())
    )


def read_rules(bundle: Bundle) -> dict[Modality, DecisionRule]:
    """Return the decision rules in a manifest. Raises BundleError."""
    both = _rule(bundle.entries("decision_rule"))
    rules: dict[Modality, DecisionRule] = {"both": both, "photos": both, "title": both}  # outputs have this order
    if "decision_rules_alone" in bundle.manifest:
        alone = bundle.entries("decision_rules_alone")
        rules |= {modality: _rule(alone.object(modality)) for modality in MODALITIES if alone.has(modality)}
    return rules


def _rule(settings: Entries) -> DecisionRule:
    assign_at, shortlist_at = settings.number("assign_at", 0, 1), settings.number("shortlist_at", 0, 1)
    if shortlist_at > assign_at:
        settings.refuse("shortlist_at", f"at most assign_at, {assign_at:g}")
    return DecisionRule(assign_at, shortlist_at, int(settings.number("shortlist_size", 1, LONGEST_SHORTLIST)))


def check_fit(
    bundle: Bundle,
    n_classes: int,
    image_model: ImageModel | None,
    feature_model: ImageModel | None,
    title_model: TitleModel | None,
    projections: CategoryProjections,
) -> None:
    """Raise BundleError when parts of a bundle differ in their number of classes, or prototypes in their features."""
    found = {"projections/projections.safetensors": projections.matrix.shape[1]}
    if image_model and DISTRIBUTION in image_model.widths:
        found[f"image/{GRAPH}"] = image_model.widths[DISTRIBUTION]
    if title_model:
        found["title/weights.safetensors"] = len(title_model.tensors["bias"])
    for name, number in found.items():
        if number != n_classes:
            raise BundleError(f"bundle {bundle.path}: {name} has {number} classes, {CLASSES} has {n_classes}; {AGAIN}")
    level = feature_model.levels[-1] if feature_model and feature_model.levels else None
    widths: Mapping[str, int | None] = {
        "photos": feature_model.widths.get(level, None) if feature_model and level else None,
        "title": WIDTH if title_model else None,
    }
    for kind, width in widths.items():
        own = projections.prototypes[kind].vectors.shape[1]
        if own and width is not None and own != width:
            raise BundleError(
                f"bundle {bundle.path}: projections/projections.safetensors has prototypes of {kind} with {own} "
                f"features, expected {width}; {AGAIN}"
            )
