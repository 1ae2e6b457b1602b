"""Entropies of token streams, against closed forms and the published mixtures made of them."""

import numpy as np
import pandas as pd
import pytest

from bayesscale import token_entropy
from bayesscale.errors import NumberError
from bayesscale.token_entropy import (
    TokenCounts,
    conditional_entropy,
    entropy_mixture,
    joint_entropy,
    shannon_entropy,
    von_neumann_entropy,
)

RNG = np.random.default_rng(0)
DOCUMENTS = [RNG.integers(0, 50, n) for n in (400, 1, 7, 0, 900, 2)]
ALL = (shannon_entropy, joint_entropy, conditional_entropy)


def by_definition(documents):
    """Return the three entropies, written out over a dense matrix of pairs."""
    counts = np.zeros((50, 50))
    for document in documents:
        np.add.at(counts, (document[:-1], document[1:]), 1)
    p, joint = np.bincount(np.concatenate(documents)) / sum(map(len, documents)), counts / counts.sum()
    given = joint / joint.sum(axis=1, keepdims=True)
    p, pairs, given = p[p > 0], joint[joint > 0], given[joint > 0]
    return -(p * np.log(p)).sum(), -(pairs * np.log(pairs)).sum(), -(pairs * np.log(given)).sum()


# --- closed forms ---


def test_every_token_equally_often_is_log_v():
    tokens = np.tile(np.arange(64), 10)
    assert shannon_entropy(tokens) == pytest.approx(np.log(64), abs=1e-12)
    assert conditional_entropy(tokens) == pytest.approx(0.0, abs=1e-12)  # the next token is known


def test_one_token_over_and_over_has_no_entropy():
    assert [entropy(np.zeros(1000, dtype=np.uint16)) for entropy in ALL] == pytest.approx([0.0] * 3, abs=1e-12)
    assert shannon_entropy([7]) == pytest.approx(0.0, abs=1e-12)


def test_all_pairs_equally_often():
    pairs = np.stack(np.meshgrid(np.arange(8), np.arange(8)), -1).reshape(-1, 2)  # rows are documents of two tokens
    assert joint_entropy(pairs) == pytest.approx(np.log(64), abs=1e-12)
    assert conditional_entropy(pairs) == pytest.approx(np.log(8), abs=1e-12)


def test_a_markov_chain_has_the_entropy_of_its_transitions():
    transition = np.array([[0.8, 0.2, 0.0], [0.1, 0.6, 0.3], [0.5, 0.0, 0.5]])
    values, vectors = np.linalg.eig(transition.T)
    stationary = np.real(vectors[:, np.argmax(np.real(values))])
    stationary /= stationary.sum()
    logs = np.log(np.where(transition > 0, transition, 1.0))
    of_transitions = -(stationary[:, None] * transition * logs).sum()
    of_states = -(stationary * np.log(stationary)).sum()

    draws, bounds, tokens = np.random.default_rng(1).random(200_000), transition.cumsum(axis=1), [0]
    for u in draws:
        tokens.append(int(np.searchsorted(bounds[tokens[-1]], u)))
    assert conditional_entropy(tokens) == pytest.approx(of_transitions, abs=0.01)  # 0.002 is one standard deviation
    assert shannon_entropy(tokens) == pytest.approx(of_states, abs=0.01)
    assert joint_entropy(tokens) == pytest.approx(of_states + of_transitions, abs=0.02)


def test_the_definitions_written_out():
    np.testing.assert_allclose([entropy(DOCUMENTS) for entropy in ALL], by_definition(DOCUMENTS), rtol=1e-12)


def test_the_joint_is_that_of_first_tokens_and_the_conditional():
    first = np.concatenate([document[:-1] for document in DOCUMENTS])
    chain = shannon_entropy(first) + conditional_entropy(DOCUMENTS)
    assert joint_entropy(DOCUMENTS) == pytest.approx(chain, rel=1e-13)


# --- von Neumann ---


def test_embeddings_at_right_angles_give_the_shannon_entropy():
    tokens = np.concatenate(DOCUMENTS)
    lengths = np.linspace(0.1, 30, 50)  # k(v, v) = 1 whatever the length
    assert von_neumann_entropy(tokens, np.diag(lengths)) == pytest.approx(shannon_entropy(tokens), rel=1e-12)


def test_equal_embeddings_give_zero_and_two_kinds_that_of_the_kinds():
    tokens = RNG.integers(0, 6, 1000)
    assert von_neumann_entropy(tokens, np.ones((6, 4))) == pytest.approx(0.0, abs=1e-12)
    kinds = np.eye(4)[[0, 1, 0, 1, 1, 0]]
    assert von_neumann_entropy(tokens, kinds) == pytest.approx(shannon_entropy(np.argmax(kinds, 1)[tokens]), rel=1e-12)


def test_the_small_matrix_has_the_eigenvalues_of_the_kernel_of_all_tokens(monkeypatch):
    monkeypatch.setattr(token_entropy, "ROWS", 7)  # several blocks
    tokens, embeddings = RNG.integers(0, 30, 200), RNG.standard_normal((30, 5))
    x = embeddings[tokens] / np.linalg.norm(embeddings[tokens], axis=1, keepdims=True)
    eigenvalues = np.linalg.eigvalsh(x @ x.T / 200)
    eigenvalues = eigenvalues[eigenvalues > 1e-12]
    expected = -(eigenvalues * np.log(eigenvalues)).sum()
    assert von_neumann_entropy(tokens, embeddings.astype(np.float32)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "embeddings, said",
    [(np.eye(3), "token id 4"), (np.zeros((5, 2)), "zero"), (np.full((5, 2), np.nan), "not finite"), ([1.0], "row")],
)
def test_tokens_without_a_usable_embedding_are_named(embeddings, said):
    with pytest.raises(NumberError, match=said):
        von_neumann_entropy([0, 4], embeddings)


# --- chunks, and memory ---


def test_chunks_are_counted_as_the_whole(monkeypatch):
    whole = [entropy(DOCUMENTS) for entropy in ALL]
    monkeypatch.setattr(token_entropy, "BLOCK", 100)  # documents longer and shorter than a block
    ways = {
        "generator of documents": lambda: (document for document in DOCUMENTS),
        "generator of lists of documents": lambda: iter([DOCUMENTS[:2], DOCUMENTS[2:]]),
        "lists of numbers": lambda: [document.tolist() for document in DOCUMENTS],
        "a Series of documents": lambda: pd.Series(DOCUMENTS),
    }
    for name, give in ways.items():
        np.testing.assert_allclose([entropy(give()) for entropy in ALL], whole, rtol=1e-12, err_msg=name)
    counts = TokenCounts()
    for document in DOCUMENTS:
        counts.add(document)
    np.testing.assert_allclose([entropy(counts) for entropy in ALL], whole, rtol=1e-12)


def test_a_long_document_loses_no_pair_between_blocks(monkeypatch):
    tokens = RNG.integers(0, 20, 1234)
    rows = tokens[:1200].reshape(12, 100)
    whole, by_rows = TokenCounts(tokens).pairs.toarray(), TokenCounts(list(rows)).pairs.toarray()
    monkeypatch.setattr(token_entropy, "BLOCK", 64)
    np.testing.assert_array_equal(TokenCounts(tokens).pairs.toarray(), whole)
    np.testing.assert_array_equal(TokenCounts(rows).pairs.toarray(), by_rows)
    assert TokenCounts(rows).pairs.sum() == 12 * 99


def test_a_chunk_may_be_filled_again_by_who_yields_it():
    def chunks():
        buffer = np.empty(100, dtype=np.int64)
        for i in range(5):
            buffer[:] = i
            yield buffer

    assert shannon_entropy(chunks()) == pytest.approx(np.log(5))


def test_memory_map_of_a_tokenised_file(tmp_path):
    tokens = RNG.integers(0, 5000, 10_000).astype(np.uint16)
    tokens.tofile(tmp_path / "train.bin")
    mapped = np.memmap(tmp_path / "train.bin", dtype=np.uint16, mode="r")
    assert joint_entropy(mapped) == joint_entropy(tokens)


def test_counts_hold_what_the_docstring_says_for_a_large_vocabulary(monkeypatch):
    monkeypatch.setattr(token_entropy, "BLOCK", 2**15)
    V, rng = 250_000, np.random.default_rng(2)
    share = 1 / (np.arange(V) + 2.7)
    bounds = np.cumsum(share / share.sum())
    chunks = (np.searchsorted(bounds, rng.random(2**16)).clip(max=V - 1) for _ in range(8))
    counts = TokenCounts([[V - 1]]).add(chunks)
    P = counts.pairs.nnz
    assert 1e5 < P < 2**19
    assert counts.nbytes <= 8 * V + 12 * P + 4 * (V + 1)
    data = counts.pairs.data
    behind = data if data.base is None else data.base
    assert behind.nbytes <= 8 * (P + 2**16)  # SciPy may hold room for one block more
    assert TokenCounts([[V - 1]], pairs=False).nbytes == 8 * V


# --- what cannot be counted ---


@pytest.mark.parametrize(
    "tokens, said",
    [
        ("the cat", "tokenizer"),
        ([["the", "cat"]], "tokenizer"),
        ([0.5, 1.5], "whole numbers"),
        ([True, False], "whole numbers"),
        ([3, -1], "-1 is not a token id"),
        ([3, 2**40], "1099511627776 is not a token id"),
        (iter([1, 2, 3]), "single tokens"),
        (np.zeros((2, 2, 2), dtype=int), "3 dimensions"),
        (7, "array or a list"),
        ([], "there is no token"),
    ],
)
def test_what_are_no_tokens_is_said(tokens, said):
    with pytest.raises(NumberError, match=said):
        shannon_entropy(tokens)


def test_an_iterator_that_is_spent_and_documents_of_one_token():
    stream = iter(DOCUMENTS)
    shannon_entropy(stream)
    with pytest.raises(NumberError, match="read only once"):
        joint_entropy(stream)
    with pytest.raises(NumberError, match="no pair"):
        joint_entropy([[1], [2]])
    with pytest.raises(NumberError, match="pairs=True"):
        joint_entropy(TokenCounts([1, 2], pairs=False))


# --- the mixture ---


def test_the_mixture_is_the_softmax_in_the_kind_of_what_is_given():
    H = {"web": 9.0, "code": 8.0, "books": 9.0 + np.log(2)}
    expected = np.array([1, np.exp(-1), 2]) / (3 + np.exp(-1))
    np.testing.assert_allclose(entropy_mixture(np.array(list(H.values()))), expected, rtol=1e-12)
    as_dict, as_series = entropy_mixture(H), entropy_mixture(pd.Series(H, name="CE"))
    assert isinstance(as_dict, dict) and list(as_dict) == list(H) and isinstance(as_dict["web"], float)
    assert as_series.name == "CE" and list(as_series.index) == list(H)
    np.testing.assert_allclose(list(as_dict.values()), as_series, rtol=1e-15)
    np.testing.assert_allclose(entropy_mixture([1000.0, 1000.0]), 0.5)


@pytest.mark.parametrize("H", [[], 3.0, [[1.0, 2.0]], [1.0, np.nan], {"a": np.inf, "b": 1.0}])
def test_entropies_that_make_no_mixture(H):
    with pytest.raises(NumberError, match="H"):
        entropy_mixture(H)


@pytest.mark.parametrize("corpus", ["pile", "slimpajama"])
def test_published_joint_mixtures_are_made_of_the_shannon_and_conditional_ones(real_data, corpus):
    table = pd.read_csv(real_data(f"mix/mixtures/bimix_table_{corpus}.csv"), index_col="domain")
    entropies = np.log(table)  # up to a constant per column
    joint = entropy_mixture(entropies["SE"] + entropies["CE"])
    np.testing.assert_allclose(joint, table["JE"], atol=1e-4)
    assert np.abs(entropy_mixture(entropies["CE"]) - table["JE"]).max() > 0.01  # and of neither alone
