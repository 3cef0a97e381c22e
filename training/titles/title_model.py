"""Trains the title model: word vectors without labels, then a supervised layer that also tunes the vectors.

1. CBOW (Mikolov et al., 2013, "Efficient Estimation of Word Representations in Vector Space"; gensim) learns
   vectors of words and of neighbouring pairs from all titles at hand, labelled or not.
2. A linear softmax over the bag of features, tuned together with the vectors (Joulin et al., 2017, "Bag of Tricks
   for Efficient Text Classification"). A word's vector has its n-grams' mean added (Bojanowski et al., 2017,
   "Enriching Word Vectors with Subword Information"); words are hidden at random, so that the n-grams learn to
   stand for words that nobody has seen.
3. Several such members, alike but for their seeds, are averaged. Being linear, their average is one table of
   logits, features by classes, which a truncated singular value decomposition folds back into one small model.
"""

from dataclasses import dataclass

import keras
import numpy as np

from productcat.errors import ListingError
from productcat.jobs.progress import Progress
from productcat.models.title_model import split_words
from training.listings.imbalance import loss_weights
from training.titles.title_features import Features, train_cbow


@dataclass(frozen=True)
class TitleConfig:
    """Settings of the title model.

    dimensions: of the vectors. cbow: start from gensim's vectors; otherwise from random ones. cbow_window: words
    to each side. cbow_epochs: over all titles. cbow_scale: standard deviation that the vectors are brought to.
    minimum_word_count, minimum_phrase_count, minimum_ngram_count: rarer features have no row of their own.
    ngram_sizes: letters per n-gram, ascending; empty for none.
    known_share: share of an unknown word's shortest n-grams that must be known for it to be evidence.
    epochs, patience: of the supervised layer; it stops after `patience` epochs without a better validation loss.
    batch_size: smaller where there are fewer than 32 batches. learning_rate, weight_decay: of AdamW, with cosine
    decay.
    dropout: share of the title vector's dimensions dropped. word_dropout: share of words dropped with their
    n-grams. word_hiding: share of words of which only the n-grams stay. phrase_dropout: share of phrases dropped.
    loss_weight_power: a class of n titles weighs n**-power in the loss. label_smoothing: of the loss.
    members: models averaged.
    """

    dimensions: int = 48
    cbow: bool = True
    cbow_window: int = 5
    cbow_epochs: int = 10
    cbow_scale: float = 0.3
    minimum_word_count: int = 1
    minimum_phrase_count: int = 2
    ngram_sizes: tuple[int, ...] = (3, 4)
    minimum_ngram_count: int = 10
    known_share: float = 0.3
    epochs: int = 15
    patience: int = 5
    batch_size: int = 256
    learning_rate: float = 4e-3
    weight_decay: float = 0.0
    dropout: float = 0.2
    word_dropout: float = 0.1
    word_hiding: float = 0.1
    phrase_dropout: float = 0.0
    loss_weight_power: float = 0.0
    label_smoothing: float = 0.0
    members: int = 2


def train(titles, labels, validation, n_classes, config, extra_titles=(), seed=0):
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

    Returns
    -------
    productcat.models.title_model.TitleModel
    """
    words = [split_words(title) for title in titles]
    spoken = [row for row, each in enumerate(words) if each]
    if not spoken:
        raise ListingError(f"none of the {len(words)} training titles has a word; check the title column")
    words, labels = [words[row] for row in spoken], np.asarray(labels)[spoken]
    features = Features(words, config)
    corpus = words + [split_words(title) for title in extra_titles]
    data = features.encode(words), labels
    members = [
        train_member(features, corpus, data, validation, n_classes, config, seed + i) for i in range(config.members)
    ]
    vectors, kernel, bias = fold(members, config.dimensions)
    return features.model(vectors.astype(np.float16), kernel.astype(np.float32), bias.astype(np.float32))


def build(vectors, n_classes, config):
    """The supervised network: (rows, shares), each of shape (n, n_longest) → logits of shape (n, n_classes).

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


def train_member(features, corpus, data, validation, n_classes, config, seed):
    """One member: CBOW, then the supervised layer. → (complete vectors, kernel, bias) of its best epoch"""
    keras.utils.set_random_seed(seed)
    rng, (bags, labels) = np.random.default_rng(seed), data
    model = build(train_cbow(features, corpus, config, seed), n_classes, config)
    size = max(8, min(config.batch_size, len(labels) // 32))
    steps = -(-len(labels) // size)
    compile_model(model, steps * config.epochs, config)
    weights = loss_weights(labels, n_classes, config.loss_weight_power)
    lowest, best_epoch, best, note = np.inf, 0, None, ""
    with Progress(f"title model, seed {seed}", len(labels) * config.epochs, "titles") as progress:
        for epoch in range(config.epochs):
            for places in np.array_split(rng.permutation(len(labels)), steps):
                wanted = keras.utils.to_categorical(labels[places], n_classes)
                model.train_on_batch(bags.draw(places, config, rng), wanted, sample_weight=weights[labels[places]])
                progress.advance(len(places), note)
            member = learnt(model, features)
            top1, loss = validate(features.model(*member), validation)
            note = f"validation top-1 {top1:.4f}, loss {loss:.4f}"
            if best is None or loss < lowest:
                lowest, best_epoch, best = loss, epoch, member
            if epoch - best_epoch >= config.patience:
                break
    return best


def learnt(model, features):
    """What a network has learnt so far, importance included. → (complete vectors, kernel, bias)"""
    (vectors,), (importance,) = (model.get_layer(name).get_weights() for name in ("vectors", "importance"))
    return features.complete(vectors * np.exp(importance)), *model.get_layer("classifier").get_weights()


def compile_model(model, steps, config):
    """AdamW on a cosine from `learning_rate` to a fiftieth of it."""
    schedule = keras.optimizers.schedules.CosineDecay(config.learning_rate, steps, alpha=0.02)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=config.label_smoothing)
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay), loss, jit_compile=False)


def validate(model, validation):
    """(top-1, mean loss in nats) on titles; one without evidence is as likely of any class."""
    titles, labels = validation
    distributions = np.nan_to_num(model.distributions(titles), nan=1.0 / len(model.tensors["bias"]))
    told = distributions[np.arange(len(labels)), labels]
    return float(np.mean(distributions.argmax(axis=1) == labels)), float(-np.mean(np.log(told + 1e-12)))


def fold(members, n_dimensions):
    """One small model that gives the members' mean logits, but for what the last dimensions would add.

    Parameters
    ----------
    members : list of (vectors, kernel, bias)
        Of shapes (n_features, n_own), (n_own, n_classes) and (n_classes,).

    Returns
    -------
    (vectors, kernel, bias)
        With `n_dimensions` in place of the members' own: the truncated singular value decomposition of the
        table of mean logits, features by classes.
    """
    vectors = np.concatenate([member[0] for member in members], axis=1)
    kernel = np.concatenate([member[1] for member in members]) / len(members)
    bias = np.mean([member[2] for member in members], axis=0)
    # The table itself is large; its decomposition follows from those of its two narrow factors.
    left, upper = np.linalg.qr(vectors)
    turned, strengths, right = np.linalg.svd(upper @ kernel, full_matrices=False)
    kept = min(n_dimensions, len(strengths))
    roots = np.sqrt(strengths[:kept])
    return left @ turned[:, :kept] * roots, roots[:, None] * right[:kept], bias


class TitleBaseline:
    """TF-IDF of words, pairs and pieces of words, then logistic regression: what the title model must beat."""

    def __init__(self, n_classes, features, classifier):
        self.n_classes, self.features, self.classifier = n_classes, features, classifier

    def predict_proba(self, titles):
        """Distributions, shape (n_titles, n_classes); 0 for classes that training did not have."""
        result = np.zeros((len(titles), self.n_classes))
        result[:, self.classifier.classes_] = self.classifier.predict_proba(self.features.transform(titles))
        return result


def train_baseline(titles, labels, n_classes, strength=10.0):
    """Fit the classic baseline on the same titles. strength: scikit-learn's C. → TitleBaseline"""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_union

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=1)
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4), sublinear_tf=True, min_df=2)
    features = make_union(words, letters)
    classifier = LogisticRegression(C=strength, max_iter=200, tol=1e-3)
    classifier.fit(features.fit_transform(titles), labels)
    return TitleBaseline(n_classes, features, classifier)
