"""Entropies of a token stream, and the training mixture that they propose before any model is trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Number

import numpy as np
import pandas as pd
from scipy.sparse import coo_array, csr_array
from scipy.special import softmax, xlogy

from bayesscale.errors import NumberError
from bayesscale.units import parse_numbers

__all__ = [
    "TokenCounts",
    "conditional_entropy",
    "entropy_mixture",
    "joint_entropy",
    "shannon_entropy",
    "von_neumann_entropy",
]

BLOCK = 2**22  # tokens counted at a time
LARGEST_ID = 2**24  # counts are kept by id; no tokenizer has that many, so larger ones are hashes or a slip
ROWS = 2**13  # embeddings read at a time


class TokenCounts:
    """How often each token, and each pair of adjacent tokens, occurs. It grows as tokens come and keeps none of them.

    Parameters
    ----------
    tokens : array, list of documents, or iterator of chunks, optional
        Token ids, whole numbers from 0. A one-dimensional array (a memory map too) or a list of numbers is one
        document; the rows of a two-dimensional array are documents; a list of such, or an iterator that yields them,
        is many. Pairs never cross from one document to the next.
    pairs : bool
        Whether to count pairs. Without them (`shannon_entropy`, `von_neumann_entropy`) memory is that of a vocabulary.

    Raises
    ------
    NumberError
        For texts, fractions, negative ids and ids from 2**24.

    Notes
    -----
    Memory, for a vocabulary of V ids of which P distinct pairs were seen: 8 V bytes for tokens, 12 P + 4 V for pairs
    (a sparse matrix in rows), never V x V. P is at most the number of tokens read. For V = 250,000 that is 3 MB and
    12 bytes per distinct pair: 1.2 GB for a hundred million of them. While a block is merged the old and the new matrix
    exist side by side, so the peak is 24 (P + 4 million) bytes and about 200 MB for the block of four million tokens
    itself (measured: 1.35 GB for 100 million independent tokens with P = 51 million).

    Entropies are those of the counts, which are too low while pairs that exist have not been seen: of those 100 million
    tokens the joint entropy comes out at 16.2 nats, in truth it is 18.1. So compare domains by streams of equal length.
    """

    def __init__(self, tokens=None, *, pairs: bool = True):
        self._of_tokens = np.zeros(0, dtype=np.int64)
        self._of_pairs = csr_array((0, 0), dtype=np.int64) if pairs else None
        self._waiting: list[tuple] = []  # (tokens, first of each pair, second of each pair), of many short documents
        self._waiting_for = 0
        if tokens is not None:
            self.add(tokens)

    def add(self, tokens) -> TokenCounts:
        """Count more documents, given as when it is made. Returns itself."""
        if isinstance(tokens, (str, bytes, Mapping)):
            raise NumberError(f"tokens: {type(tokens).__name__} given. Give token ids, as the tokenizer returns them.")
        if isinstance(tokens, (list, tuple)) and all(map(_is_number, tokens[:1])):
            tokens = np.asarray(tokens)
        if hasattr(tokens, "__array__") and (ids := np.asarray(tokens)).dtype != object:
            self._add_array(ids)
        elif isinstance(tokens, Iterable):
            for document in tokens:
                if _is_number(document):
                    raise NumberError("tokens: an iterator must yield documents or chunks of them, not single tokens.")
                self.add(document)
        else:
            raise NumberError(f"tokens: {type(tokens).__name__} given. Give an array or a list of token ids.")
        return self

    def _add_array(self, ids) -> None:
        if not ids.size:
            return
        if ids.ndim not in (1, 2):
            raise NumberError(f"tokens: an array of {ids.ndim} dimensions. Give one document, or one per row.")
        if ids.dtype.kind not in "iu":
            raise NumberError(f"tokens: {ids.dtype} are not token ids. Give whole numbers from 0.")
        if ids.ndim == 1:
            for start in range(0, len(ids), BLOCK):  # a block sees one token more, so that no pair is lost between two
                block = _checked(ids[start : start + BLOCK + 1])
                self._wait(block[:BLOCK], block[:-1], block[1:])
        else:
            rows = max(1, BLOCK // max(1, ids.shape[1]))
            for start in range(0, len(ids), rows):
                block = _checked(ids[start : start + rows])
                self._wait(block.ravel(), block[:, :-1].ravel(), block[:, 1:].ravel())

    def _wait(self, *block) -> None:
        self._waiting.append(block)
        self._waiting_for += len(block[0])
        if self._waiting_for >= BLOCK:
            self._count()

    def _count(self) -> None:
        """Add what waits to the counts."""
        if not self._waiting:
            return
        tokens, first, second = (np.concatenate(pieces) for pieces in zip(*self._waiting, strict=True))
        self._waiting, self._waiting_for = [], 0
        size = max(len(self._of_tokens), int(tokens.max()) + 1)
        self._of_tokens = np.bincount(tokens, minlength=size) + np.pad(
            self._of_tokens, (0, size - len(self._of_tokens))
        )
        if self._of_pairs is not None:
            del tokens
            new = coo_array((np.ones(len(first), dtype=np.int64), (first, second)), shape=(size, size)).tocsr()
            self._of_pairs.resize((size, size))
            self._of_pairs = self._of_pairs + new

    @property
    def tokens(self) -> np.ndarray:
        """Return how often each token id occurs, by id."""
        self._count()
        return self._of_tokens

    @property
    def pairs(self) -> csr_array:
        """Return how often each pair of adjacent tokens occurs: first token by second, sparse."""
        self._count()
        if self._of_pairs is None:
            raise NumberError("these TokenCounts were made without pairs. Make them with pairs=True.")
        return self._of_pairs

    @property
    def nbytes(self) -> int:
        """Return the memory that the counts hold, in bytes."""
        self._count()
        pairs = self._of_pairs
        held = 0 if pairs is None else pairs.data.nbytes + pairs.indices.nbytes + pairs.indptr.nbytes
        return held + self._of_tokens.nbytes

    def __repr__(self):
        counts = self.tokens
        seen = f"TokenCounts: {counts.sum():,} tokens, {np.count_nonzero(counts):,} distinct"
        return seen if self._of_pairs is None else f"{seen}; {self.pairs.sum():,} pairs, {self.pairs.nnz:,} distinct"


def _is_number(token) -> bool:
    return isinstance(token, (Number, np.generic))


def _checked(ids) -> np.ndarray:
    """Copy ids to int32: whoever yields chunks may fill the same array again."""
    if not 0 <= ids.min() <= ids.max() < LARGEST_ID:
        wrong = ids.min() if ids.min() < 0 else ids.max()
        raise NumberError(
            f"tokens: {wrong} is not a token id. Ids run from 0 to {LARGEST_ID - 1:,}; number others "
            "with np.unique(tokens, return_inverse=True)."
        )
    return ids.astype(np.int32)


def shannon_entropy(tokens) -> float:
    """H = -sum_x P(x) log P(x), the entropy of single tokens, in nats.

    Parameters
    ----------
    tokens : array, list of documents, iterator of chunks, or TokenCounts
        See `TokenCounts`. Make the counts once where more than one entropy of a stream is wanted.

    Raises
    ------
    NumberError
        There is no token, or what is given are not token ids.
    """
    return _entropy(_counts(tokens).tokens)


def joint_entropy(tokens) -> float:
    """H = -sum_xx' P(x, x') log P(x, x'), the entropy of pairs of adjacent tokens, in nats.

    It is the Shannon entropy of the first tokens of pairs plus `conditional_entropy`, exactly.

    Parameters
    ----------
    tokens : array, list of documents, iterator of chunks, or TokenCounts
        See `TokenCounts`, which states the memory it takes.

    Raises
    ------
    NumberError
        No document has two tokens, or what is given are not token ids.
    """
    return _entropy(_counts(tokens, pairs=True).pairs.data, "pair of adjacent tokens")


def conditional_entropy(tokens) -> float:
    """H = -sum_xx' P(x, x') log P(x'|x), what is open of a token once the one before it is known, in nats.

    P(x'|x) is taken over the pairs that begin with x: the last token of a document begins none.

    Parameters
    ----------
    tokens : array, list of documents, iterator of chunks, or TokenCounts
        See `TokenCounts`, which states the memory it takes.

    Raises
    ------
    NumberError
        No document has two tokens, or what is given are not token ids.
    """
    pairs = _counts(tokens, pairs=True).pairs
    return max(_entropy(pairs.data, "pair of adjacent tokens") - _entropy(pairs.sum(axis=1)), 0.0)


def von_neumann_entropy(tokens, embeddings) -> float:
    """H = -Tr(rho log rho), rho = K / n, the entropy of tokens of which some are alike, in nats.

    K holds the cosine k(v, w) of the embeddings of each two of the n tokens, k(v, v) = 1. The eigenvalues of K / n that
    are not zero are those of sum_v P(v) x_v x_v', with x_v the embedding at length one: a d x d matrix. Embeddings at
    right angles give the Shannon entropy, equal ones give zero.

    Parameters
    ----------
    tokens : array, list of documents, iterator of chunks, or TokenCounts
        See `TokenCounts`.
    embeddings : array of shape (vocabulary, d)
        The vector of each token id. It is read in blocks of 8192 tokens: memory is 16 d^2 + 24 x 8192 d bytes,
        whatever the vocabulary (d = 300: 60 MB).

    Raises
    ------
    NumberError
        A token has no embedding, or one that is zero or not finite; or what is given are not token ids.
    """
    counts = _counts(tokens).tokens
    if np.ndim(embeddings) != 2:
        raise NumberError("embeddings: give an array of one row per token id.")
    seen = np.flatnonzero(counts)
    _nothing(seen, "token")
    if seen[-1] >= len(embeddings):
        raise NumberError(f"embeddings: {len(embeddings)} rows, but token id {seen[-1]} occurs. Give a row per id.")
    d = np.shape(embeddings)[1]
    rho = np.zeros((d, d))
    for start in range(0, len(seen), ROWS):
        ids = seen[start : start + ROWS]
        x = np.asarray(embeddings[ids], dtype=np.float64)
        length = np.linalg.norm(x, axis=1)
        if not (np.isfinite(length) & (length > 0)).all():
            bad = ids[~(np.isfinite(length) & (length > 0))][0]
            raise NumberError(f"embeddings: that of token id {bad} is zero or not finite. Leave the token out.")
        x *= (np.sqrt(counts[ids] / counts.sum()) / length)[:, None]
        rho += x.T @ x
    return _entropy(np.maximum(np.linalg.eigvalsh(rho), 0.0))


def entropy_mixture(H):
    """r_i = exp(H_i) / sum_j exp(H_j), the mixture that gives a domain the more the less predictable its text is.

    Parameters
    ----------
    H : mapping, Series or array
        An entropy for each domain, in nats.

    Returns
    -------
    dict, Series or ndarray
        The proportions, in the kind of `H`; they sum to 1.

    Raises
    ------
    NumberError
        An entropy is missing or not a finite number.

    References
    ----------
    Ge et al. 2024 (BiMix), arXiv:2405.14908, who prefer `conditional_entropy`.
    """
    if isinstance(H, Mapping):
        return dict(zip(H, entropy_mixture(list(H.values())).tolist(), strict=True))
    entropies = parse_numbers(H, name="H")
    if entropies.ndim != 1 or not entropies.size:
        raise NumberError(f"H: give one entropy for each domain, not {entropies.shape or 'a single number'}.")
    shares = softmax(entropies)
    return pd.Series(shares, index=H.index, name=H.name) if isinstance(H, pd.Series) else shares


def _counts(tokens, *, pairs=False) -> TokenCounts:
    return tokens if isinstance(tokens, TokenCounts) else TokenCounts(tokens, pairs=pairs)


def _entropy(counts, what="token") -> float:
    """-sum p log p with p = counts / n, as log n - sum counts log counts / n, in blocks: pairs may be many."""
    _nothing(counts, what)
    n = counts.sum()
    spent = sum(xlogy(block, block).sum() for block in (counts[i : i + BLOCK] for i in range(0, len(counts), BLOCK)))
    return max(float(np.log(n) - spent / n), 0.0)


def _nothing(counts, what) -> None:
    if not len(counts):
        raise NumberError(
            f"tokens: there is no {what}. Give longer documents; an iterator can be read only once, so make "
            "TokenCounts of it where more than one entropy is wanted."
        )
