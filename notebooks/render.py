"""Make the notebooks from their scripts: ``python notebooks/render.py`` executes each and writes the .ipynb beside it.

It also draws README's picture.

The script (jupytext's percent format) is the source; the notebook is never edited by hand. The published runs are
needed: set BAYESSCALE_DATA, or be online.
"""

import os
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

import bayesscale as bs


def render(script: Path) -> None:
    os.environ["PYTHONWARNINGS"] = "ignore:IProgress not found"  # tqdm's, where ipywidgets is absent; it names paths
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"  # figures into the notebook, whatever is set
    notebook = jupytext.read(script)
    NotebookClient(notebook, timeout=600, kernel_name="python3", record_timing=False).execute()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
        "jupytext": {"formats": "ipynb,py:percent"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.metadata = {}
        cell.id = f"cell-{number}"  # a notebook that is made again differs only where its content does
    nbformat.validate(notebook)
    nbformat.write(notebook, script.with_suffix(".ipynb"))


def picture(path: Path) -> None:
    """Draw README's picture: what `bayesscale demo` draws."""
    post = bs.fit("chinchilla", bs.datasets.load("simulated-ladder"))
    axes = bs.plots.forecast(post, targets=post.predict(N=["7B", "70B"], D="1.4T").targets)
    axes.figure.savefig(path, dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    picture(Path(__file__).with_name("forecast.png"))
    for script in sorted(Path(__file__).parent.glob("[0-9]*.py")):
        render(script)
