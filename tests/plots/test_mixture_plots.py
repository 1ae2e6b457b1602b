"""The figures of a mixture show what the answer says."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import bayesscale as bs
from bayesscale.errors import LawError

AT = dict(S=1e4)


@pytest.fixture(scope="module")
def found(posteriors):
    return bs.optimal_mixture(posteriors("bimix"), at=AT, natural=dict(web=0.6, code=0.2, wiki=0.2))


def test_mixture(found):
    data = bs.plots.mixture_data(found, level=0.8)
    shares, gain = (data[data["panel"] == panel].set_index("name") for panel in ("proportion", "gain"))
    np.testing.assert_allclose(shares["best"], found.best)
    np.testing.assert_allclose(gain["median"], found.against(level=0.8)["median"])
    axes = bs.plots.mixture(found, level=0.8)
    assert len(axes) == 2
    assert [t.get_text() for t in axes[0].get_yticklabels()] == ["web", "code", "wiki"]
    dots = next(line for line in axes[0].lines if line.get_label() == "best")
    np.testing.assert_allclose(dots.get_xdata(), found.best)
    plt.close("all")
    alone = bs.plots.mixture_data(found, against="m3")
    assert not np.allclose(alone.query("panel == 'gain'")["median"], gain["median"])
    with pytest.raises(LawError, match=r"what bs.optimal_mixture\(...\) gives"):
        bs.plots.mixture(found.draws)


def test_proportion(posteriors):
    fits = posteriors("bimix")
    data = bs.plots.proportion_data(fits, at=AT, level=0.8, n=9)
    code = data[data["target"] == "code"]
    expected = fits["code"].predict(r=code["r"].to_numpy(), S=1e4, kind="mean").draws
    np.testing.assert_allclose(code["median"], np.median(expected, axis=0), rtol=1e-9)
    axes = bs.plots.proportion(fits, domains=["web", "wiki"], at=dict(S=2e4), n=9)
    assert [ax.get_title(loc="left") for ax in axes] == ["web", "wiki"]
    assert len(axes[0].collections[-1].get_offsets()) == 1  # the run nearest in steps
    plt.close("all")
    with pytest.raises(LawError, match="no target maths"):
        bs.plots.proportion(fits, domains=["maths"], at=AT)
