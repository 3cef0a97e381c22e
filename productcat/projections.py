"""Categories as projections: how each category looks as a distribution over the trained classes.

A nearest-centroid classifier (Tibshirani et al. 2002) whose distance is the Kullback-Leibler divergence,
so categories come and go without training.
"""

import json

import numpy as np

from productcat.distributions import TINY, floor, kl_divergence, products, softmax

SETTINGS, MATRIX = "categories.json", "projections.safetensors"


class CategoryProjections:
    """The marketplace's categories.

    Parameters
    ----------
    categories : sequence of str
    matrix : ndarray of shape (n_categories, n_classes)
        The projections, rows sum to 1.
    floor : float in (0, 1)
        Share of the uniform distribution mixed into every projection, so that no divergence is infinite.
    temperature : float, > 0
        Below 1 sharpens the confidences, above 1 flattens them. Fitted on validation listings.
    """

    def __init__(self, categories, matrix, floor=1e-3, temperature=1.0):
        self.categories = list(categories)
        self.matrix = np.asarray(matrix, np.float64)
        self.floor = floor
        self.temperature = temperature

    @classmethod
    def of_classes(cls, classes, **settings):
        """Each class is a category of its own."""
        return cls(classes, np.eye(len(classes)), **settings)

    def divergences(self, distributions):
        """KL(listing‖projection) in nats, shape (n_listings, n_categories)."""
        return kl_divergence(distributions, floor(self.matrix, self.floor))

    def confidences(self, distributions):
        """Probabilities of the categories, shape (n_listings, n_categories), rows sum to 1.

        A category's evidence is how far its divergence lies below that of a category sharing nothing with the
        listing, KL_none − KL_c, where KL_none = −H(p) + log(n_classes / floor). Confidence is the evidence to the
        power 1 / temperature, normalised. So the order is that of the divergences, and where the categories are the
        classes and the temperature is 1, confidence is the listing's distribution itself: mapping loses nothing.
        """
        # log(floored projection) + log(n_classes / floor), and by log1p exactly 0 where the projection is at its floor
        lift = np.log1p((1.0 - self.floor) / self.floor * self.matrix.shape[1] * self.matrix)
        evidence = products(distributions, lift)  # = KL_none − KL_c: the listing's entropy cancels
        return softmax(np.log(np.maximum(evidence, TINY)) / self.temperature)

    def with_category(self, name, projection):
        """A copy with one more category, or with the projection of a known one replaced."""
        others = self.without(name) if name in self.categories else self
        return CategoryProjections(
            [*others.categories, name], np.vstack([others.matrix, projection]), self.floor, self.temperature
        )

    def without(self, name):
        """A copy without one category."""
        keep = [i for i, each in enumerate(self.categories) if each != name]
        return CategoryProjections([self.categories[i] for i in keep], self.matrix[keep], self.floor, self.temperature)

    def save(self, folder):
        """Write the categories into the "projections" part of a bundle."""
        from safetensors.numpy import save_file

        folder.mkdir(exist_ok=True)
        settings = {"categories": self.categories, "floor": self.floor, "temperature": self.temperature}
        (folder / SETTINGS).write_text(json.dumps(settings, ensure_ascii=False, indent=1), "utf-8")
        # safetensors writes the buffer as it lies: a transposed matrix would come back scrambled
        save_file({"projections": np.ascontiguousarray(self.matrix)}, folder / MATRIX)

    @classmethod
    def load(cls, folder):
        """The categories in the "projections" part of a bundle."""
        from safetensors.numpy import load_file

        settings = json.loads((folder / SETTINGS).read_text("utf-8"))
        matrix = load_file(folder / MATRIX)["projections"]
        return cls(settings["categories"], matrix, settings["floor"], settings["temperature"])
