"""Settings of the title model."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TitleConfig:
    """Settings of the title model; the `[title]` table of a training configuration.

    dimensions: of the vectors. cbow: start from gensim's vectors; otherwise from random ones. cbow_window: words
    to each side. cbow_epochs: over all titles. cbow_scale: standard deviation that the vectors are brought to.
    minimum_word_count, minimum_phrase_count, minimum_ngram_count: rarer features have no row of their own.
    ngram_sizes: letters per n-gram, ascending; empty for none.
    known_share: share of an unknown word's shortest n-grams that must be known for it to be evidence.
    epochs, patience: of the supervised layer; it stops after `patience` epochs without a better validation loss.
    batch_size: smaller if there are fewer than 32 batches. learning_rate, weight_decay: of AdamW, with cosine decay.
    dropout: share of the title vector's dimensions dropped. word_dropout: share of words dropped with their
    n-grams. word_hiding: share of words of which only the n-grams stay. phrase_dropout: share of phrases dropped.
    loss_weight_power: a class of n titles weighs n**-power in the loss. label_smoothing: of the loss.
    members: number of models averaged.
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
