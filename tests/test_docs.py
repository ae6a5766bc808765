"""README and docs say what is so: commands exist, links lead somewhere, tables are as printed."""

import functools
import importlib.util
import json
import operator
import re
import shlex
import shutil
from pathlib import Path

import matplotlib
import pytest

from digits.cli import main
from digits.datasets import split_files
from digits.project import params_file
from tests.conftest import call, part

ROOT = Path(__file__).parents[1]
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted(
    [*(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")),
     *(ROOT / "docs").glob("*.md")]
)}  # fmt: skip
COMMANDS = {name: main.load_command(name) for name in main.COMMANDS.split()}
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def shown():
    """Every command line of the pages: those after `$ `, and those in backquotes."""
    for page, text in PAGES.items():
        lines = [line[2:] for block in BLOCK.findall(text) for line in block.splitlines()
                 if line.startswith("$ ")]  # fmt: skip
        lines += re.findall(r"`((?:digits|dvc|make|python -m) [^`]+)`", text)
        yield from ((page, line) for line in lines)


LINES = sorted(set(shown()))


@pytest.mark.parametrize(("page", "line"), [pair for pair in LINES if "digits " in pair[1]])
def test_every_digits_command_has_that_verb_and_those_options(page, line):
    """A verb that does not exist, or an option that its verb does not have, is an old page."""
    for words in re.findall(r"(?:^|\$\()digits ([a-z][^)]*)", line):
        verb, *rest = shlex.split(words, comments=True)
        options = {name for parameter in COMMANDS[verb].params for name in parameter.opts}
        given = {word.partition("=")[0] for word in rest if word.startswith("--")}
        assert given <= options | {"--help"}, (page, line)


def test_every_make_target_and_every_module_exists():
    """`make TARGET` is a rule of the Makefile, and `python -m MODULE` finds a module."""
    rules = (ROOT / "Makefile").read_text()
    for page, line in LINES:
        command, *words = line.split()
        if command == "make":
            assert re.search(rf"^{words[0]}:", rules, re.MULTILINE), (page, line)
        if command == "python":
            assert importlib.util.find_spec(words[1]), (page, line)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    """Pictures and links within the repository, and paths of files in backquotes."""
    folder = (ROOT / page).parent
    for path in re.findall(r"\]\((?!http)([^)#]+)\)", PAGES[page]):
        assert (folder / path).exists(), path
    for path in re.findall(r"`((?:tests|digits|stages)/[\w/]+\.\w+)`", PAGES[page]):
        assert (ROOT / path).is_file(), path


def test_every_changed_value_exists():
    """The keys after -S are keys of params.yaml."""
    values = params_file.read_yaml(ROOT / "params.yaml")
    for text in PAGES.values():
        for key in re.findall(r"-S ([a-z_.]+)=", text):
            *sections, name = key.split(".")
            assert name in functools.reduce(operator.getitem, sections, values), key


def test_every_command_is_on_a_page():
    """No verb is left out."""
    named = {verb for _, line in LINES for verb in re.findall(r"digits ([a-z]+)", line)}
    assert set(COMMANDS) <= named


def test_the_readme_is_short():
    """At most 120 lines, and no paragraph of more than four at 100 characters a line."""
    readme = PAGES["README.md"]
    assert len(readme.splitlines()) <= 120
    assert max(map(len, readme.splitlines())) <= 400


def marked(page, name):
    """The text between the comments `name` and `/name`."""
    pattern = rf"<!-- {name} -->\n(.*?)<!-- /{name} -->"
    return re.search(pattern, PAGES[page], re.DOTALL).group(1).strip()


def test_the_table_is_what_digits_report_wrote():
    """The numbers are those of metrics/report.md, letter for letter."""
    assert marked("docs/results.md", "report") == (ROOT / "metrics/report.md").read_text().strip()


def test_the_picture_of_the_pipeline_is_what_dvc_draws():
    """The graph is the output of `dvc dag`."""
    lines = call(ROOT, "dvc", "dag").stdout.rstrip().splitlines()
    shown = marked("docs/getting-started.md", "dag").splitlines()[1:-1]

    assert [line.strip() for line in shown] == [line.strip() for line in lines]


def test_every_room_is_in_the_architecture():
    """The table names each folder of the package, and no other."""
    rows = re.findall(r"^\| `(\w+)` \|", PAGES["docs/architecture.md"], re.MULTILINE)
    rooms = {path.parent.name for path in (ROOT / "digits").glob("*/__init__.py")}

    assert set(rows) == rooms | {"stages", "library"}


def test_the_python_of_the_library_page_runs(versions, capsys):
    """Its blocks run one after another, where there are a champion, a model, and images."""
    shutil.copytree("model-2", "models/digits")
    Path("scans").mkdir()
    for image in ("photo.jpg", "scans/a.jpg", "scans/b.jpg"):
        shutil.copy(ROOT / "docs/page.jpg", image)
    namespace = {}
    for block in re.findall(r"(?ms)^```python\n(.*?)^```", PAGES["docs/library.md"]):
        exec(block, namespace)

    printed = capsys.readouterr().out
    assert printed.count("digits-2 2 ") == 1
    assert printed.count("scans/") == 2
    assert "image: not an image" in printed


def test_the_notebook_runs(versions, official, monkeypatch, capsys):
    """Its cells run one after another where there are a champion and validation images."""
    split_files.save(part(official, 0, 500), Path("data/splits/validation.npz"))
    Path("docs").mkdir()
    monkeypatch.chdir("docs")
    matplotlib.use("agg")
    namespace = {}
    for cell in json.loads((ROOT / "docs/mistakes.ipynb").read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), namespace)

    printed = capsys.readouterr().out
    assert printed.startswith("digits-2 - version 2, champion\n")
    assert f"of the {len(namespace['wrong'])} mistakes are among them" in printed


def test_the_answers_to_twenty_questions_are_files():
    """Each question of docs/architecture.md has one file, which exists."""
    rows = marked("docs/architecture.md", "questions").splitlines()[2:]
    answers = [re.findall(r"`([\w/]+\.py)`", row.rsplit("|", 2)[1]) for row in rows]

    assert len(rows) == 20
    assert all(len(answer) == 1 and (ROOT / answer[0]).is_file() for answer in answers)
