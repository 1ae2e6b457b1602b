"""Make the notebooks from their scripts: ``python notebooks/render.py`` executes each and writes the .ipynb beside it.

The script (jupytext's percent format) is the source; the notebook is never edited by hand. The published runs are
needed: set BAYESSCALE_DATA, or be online.
"""

import os
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient


def render(script: Path) -> None:
    os.environ["PYTHONWARNINGS"] = "ignore:IProgress not found"  # tqdm's, where ipywidgets is absent; it names paths
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


if __name__ == "__main__":
    for script in sorted(Path(__file__).parent.glob("[0-9]*.py")):
        render(script)
