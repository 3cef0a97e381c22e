"""Trains the title model: first word vectors without labels, then a supervised layer that also tunes the vectors.

1. CBOW (Mikolov et al., 2013, "Efficient Estimation of Word Representations in Vector Space"; gensim) learns
   vectors of words and of neighbouring pairs from all titles at hand, labelled or not.
2. A linear softmax over the bag of features, tuned together with the vectors (Joulin et al., 2017, "Bag of Tricks
   for Efficient Text Classification"). A word's vector has its n-grams' mean added (Bojanowski et al., 2017,
   "Enriching Word Vectors with Subword Information"). Words are hidden at random, so that their n-grams learn to
   stand for unknown words.
3. Several such members, which differ only in their seeds, are averaged. They are linear, so their average is one
   table of logits, features by classes. A truncated singular value decomposition folds it into one small model.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from productcat.errors import ListingError
from productcat.jobs.progress import Progress
from productcat.models.title_model import TitleModel
from productcat.models.title_words import split_words
from training.listings.imbalance import loss_weights
from training.titles.title_config import TitleConfig
from training.titles.title_features import Bags, Features, train_cbow

Member = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""Complete vectors, kernel and bias, of shapes (n_features, n_dimensions), (n_dimensions, n_classes), (n_classes,)."""

LabelledTitles = tuple[Sequence[str], NDArray[np.intp]]
"""Titles, and the number of each title's class."""


def train(
    titles: Sequence[str],
    labels: NDArray[np.intp],
    validation: LabelledTitles,
    n_classes: int,
    config: TitleConfig,
    extra_titles: Iterable[str] = (),
    seed: int = 0,
) -> TitleModel:
    """Train a title model.

    Parameters
    ----------
    titles : sequence of str
    labels : ndarray of shape (n_titles,), int
        Class numbers in [0, n_classes).
    validation : (titles, labels) of the same form
        Each member keeps its epoch of the lowest validation loss.
    extra_titles : iterable of str
        More titles for CBOW, without labels.
    """
    words = [split_words(title) for title in titles]
    worded = [row for row, each in enumerate(words) if each]
    if not worded:
        raise ListingError(f"none of the {len(words)} training titles has a word; check the title column")
    words = [words[row] for row in worded]
    features = Features(words, config)
    corpus = words + [split_words(title) for title in extra_titles]
    data = features.encode(words), np.asarray(labels)[worded]
    members = [
        train_member(features, corpus, data, validation, n_classes, config, seed + i) for i in range(config.members)
    ]
    vectors, kernel, bias = fold(members, config.dimensions)
    return features.model(vectors.astype(np.float16), kernel.astype(np.float32), bias.astype(np.float32))


def build(vectors: NDArray[np.float32], n_classes: int, config: TitleConfig) -> keras.Model:
    """Make the supervised network: (rows, shares), each of shape (n, n_longest) → logits of shape (n, n_classes).

    Each feature has an importance beside its vector, so that one step can make a whole vector longer or shorter.
    """
    rows, shares = keras.Input((None,), dtype="int32"), keras.Input((None,))
    table = keras.layers.Embedding(*vectors.shape, embeddings_initializer="zeros", name="vectors")
    importance = keras.layers.Embedding(len(vectors), 1, embeddings_initializer="zeros", name="importance")
    weights = shares * keras.ops.squeeze(keras.ops.exp(importance(rows)), axis=-1)
    pooled = keras.ops.einsum("nl,nld->nd", weights, table(rows))
    logits = keras.layers.Dense(n_classes, name="classifier")(keras.layers.Dropout(config.dropout)(pooled))
    table.set_weights([vectors])
    return keras.Model([rows, shares], logits)


def train_member(
    features: Features,
    corpus: Sequence[list[str]],
    data: tuple[Bags, NDArray[np.intp]],
    validation: LabelledTitles,
    n_classes: int,
    config: TitleConfig,
    seed: int,
) -> Member:
    """Train one member: CBOW, then the supervised layer. Return its best epoch."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    bags, labels = data
    model = build(train_cbow(features, corpus, config, seed), n_classes, config)
    size = max(8, min(config.batch_size, len(labels) // 32))
    steps = -(-len(labels) // size)
    compile_model(model, steps * config.epochs, config)
    weights = loss_weights(labels, n_classes, config.loss_weight_power)
    lowest, best_epoch, note = np.inf, 0, ""
    with Progress(f"title model, seed {seed}", len(labels) * config.epochs, "titles") as progress:
        for epoch in range(config.epochs):
            for places in np.array_split(rng.permutation(len(labels)), steps):
                wanted = keras.utils.to_categorical(labels[places], n_classes)
                model.train_on_batch(bags.draw(places, config, rng), wanted, sample_weight=weights[labels[places]])
                progress.advance(len(places), note)
            member = learnt(model, features)
            top1, loss = validate(features.model(*member), validation)
            note = f"validation top-1 {top1:.4f}, loss {loss:.4f}"
            if epoch == 0 or loss < lowest:
                lowest, best_epoch, best = loss, epoch, member
            if epoch - best_epoch >= config.patience:
                break
    return best


def learnt(model: keras.Model, features: Features) -> Member:
    """Return what a network has learnt so far, importance included."""
    vectors, importance = (model.get_layer(name).get_weights()[0] for name in ("vectors", "importance"))
    kernel, bias = model.get_layer("classifier").get_weights()
    return features.complete(vectors * np.exp(importance)), kernel, bias


def compile_model(model: keras.Model, steps: int, config: TitleConfig) -> None:
    """Compile with AdamW, on a cosine from `learning_rate` to a fiftieth of it."""
    schedule = keras.optimizers.schedules.CosineDecay(config.learning_rate, steps, alpha=0.02)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=config.label_smoothing)
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay), loss, jit_compile=False)


def validate(model: TitleModel, validation: LabelledTitles) -> tuple[float, float]:
    """Return top-1 and mean loss in nats; a title without evidence counts as equally likely of every class."""
    titles, labels = validation
    distributions = np.nan_to_num(model.distributions(titles), nan=1.0 / len(model.tensors["bias"]))
    of_label = distributions[np.arange(len(labels)), labels]
    return float(np.mean(distributions.argmax(axis=1) == labels)), float(-np.mean(np.log(of_label + 1e-12)))


def fold(members: Sequence[Member], n_dimensions: int) -> Member:
    """Return one small model with the members' mean logits, except what the last dimensions would add.

    It has `n_dimensions` instead of the members' own: the truncated singular value decomposition of the table of mean
    logits, features by classes.
    """
    vectors = np.concatenate([member[0] for member in members], axis=1)
    kernel = np.concatenate([member[1] for member in members]) / len(members)
    bias = np.mean([member[2] for member in members], axis=0)
    # The table itself is large, so it is decomposed through its two narrow factors.
    left, upper = np.linalg.qr(vectors)
    turned, strengths, right = np.linalg.svd(upper @ kernel, full_matrices=False)
    kept = min(n_dimensions, len(strengths))
    roots = np.sqrt(strengths[:kept])
    return left @ turned[:, :kept] * roots, roots[:, None] * right[:kept], bias


class TitleBaseline:
    """TF-IDF of words, pairs and pieces of words, then logistic regression: what the title model must beat."""

    def __init__(self, n_classes: int, features: Any, classifier: Any) -> None:
        self.n_classes, self.features, self.classifier = n_classes, features, classifier

    def predict_proba(self, titles: Sequence[str]) -> NDArray[np.float64]:
        """Return distributions of shape (n_titles, n_classes); 0 for classes that training did not have."""
        result = np.zeros((len(titles), self.n_classes))
        result[:, self.classifier.classes_] = self.classifier.predict_proba(self.features.transform(titles))
        return result


def train_baseline(
    titles: Sequence[str], labels: NDArray[np.intp], n_classes: int, strength: float = 10.0
) -> TitleBaseline:
    """Fit the classic baseline on the same titles. strength: scikit-learn's C."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_union

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=1)
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4), sublinear_tf=True, min_df=2)
    features = make_union(words, letters)
    classifier = LogisticRegression(C=strength, max_iter=200, tol=1e-3)
    classifier.fit(features.fit_transform(titles), labels)
    return TitleBaseline(n_classes, features, classifier)
