"""`digits` lists its commands, and explains in one line why there is nothing to show."""

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from digits.cli import main
from digits.cli.recipe import REFUSED

OTHER_FILES = {"__init__", "__main__", "main", "options"}  # of digits/cli


def run(*arguments):
    """Run `digits` with `arguments`; its exit status."""
    with pytest.raises(SystemExit) as end:
        main.main([str(a) for a in arguments])
    return end.value.code or 0


def refusal(capsys, *arguments):
    """Run `digits`, which has to refuse `arguments` in one line with status 2; that line."""
    capsys.readouterr()
    assert run(*arguments) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    return printed.err


def test_help_names_every_command(capsys):
    """`digits --help` lists every command with a sentence; each has a file of its name."""
    assert run("--help") == 0
    listed = re.findall(r"^  (\w+)  +\S.*[^.]\.$", capsys.readouterr().out, re.MULTILINE)

    files = {path.stem for path in Path(main.__file__).parent.glob("*.py")} - OTHER_FILES
    assert set(listed) == files


def test_help_imports_no_package_but_click():
    """Of those that are installed; so it is quick."""
    code = "import sys; from digits.cli.main import main\n"
    code += "try: main()\nfinally: print(*{name.partition('.')[0] for name in sys.modules})"
    shown = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True)
    imported = set(shown.stdout.splitlines()[-1].split())
    installed = importlib.metadata.packages_distributions().keys() - {"_distutils_hack"}
    assert imported & installed == {"click", "digits"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["results"], "no model was trained here yet; `dvc repro` trains one as models/digits"),
        (["versions"], "the registered model 'digits' has no version yet; `dvc repro` registers"),
        (["rollback", "--reason", "x"], "model 'digits' has no champion to go back from; nothing"),
        (["rollback"], "Missing option '--reason' (see `digits rollback --help`)"),
        (["history", "--at", "noon"], "--at: 'noon' is not a time. Use 2026-11-20T12:00 (UTC) or"),
        (["history", "--accept", "x"], "alias log of digits is whole; there is nothing to accept"),
        (["send"], "no tracking server to send to; set MLFLOW_TRACKING_URI to its address"),
        (["feedback"], "no feedback yet; `digits serve` has a page that collects it"),
        (["verify", "models/digits", "--rebuild", "1"], "takes neither MODEL nor --json"),
        (["predict", "a.png", "--json", "--csv"], "exclude each other"),
        (
            ["compare", "x" * 300, "champion"],
            "is no file, no folder, no git revision and no experiment, and the reg",
        ),
        (["promote", "3"], "Missing option '--reason' (see `digits promote --help`)"),
        (["verson"], "No such command 'verson'. Did you mean 'versions'? (see `digits --help`)"),
        (["pull", "--too", "x"], "No such option '--too'. Did you mean '--to'?"),
        (["completion"], "Missing argument 'SHELL'. Choose from: bash, zsh, fish (see"),
        (["report", "--recipes", "mlp,rnn"], "params.yaml has no recipe 'rnn'; it has cnn, "),
    ],
)
def test_one_line_says_why_a_command_cannot_run(workspace, capsys, arguments, words):
    """Nothing trained, registered or configured, or contradictory options: status 2."""
    assert words in refusal(capsys, *arguments)


def test_a_recipe_is_printed_as_options_of_dvc(workspace, values, capsys):
    """One line, without quotes and without blanks in a value, because a shell splits $(...)."""
    values["recipes"] = {"wide": {"model.mlp.hidden": [64, 32], "train.device": "cpu"}}
    (workspace / "params.yaml").write_text(yaml.safe_dump(values))

    assert run("recipe", "wide") == 0
    assert capsys.readouterr().out == "-S model.mlp.hidden=[64,32] -S train.device=cpu\n"
    assert run("recipe", "wild") == 2
    output, errors = capsys.readouterr()
    assert output == f"{REFUSED}\n"  # for DVC, which would run without the recipe
    assert errors == "digits: params.yaml has no recipe 'wild'; it has wide\n"


def test_without_versions_there_is_nothing_to_prune_and_no_history(workspace, capsys):
    """That is no error."""
    assert (run("prune"), run("history")) == (0, 0)
    output = capsys.readouterr().out

    assert "nothing to remove: digits has 0 version(s), 10 are kept" in output
    assert "digits has no record yet; it begins with the first change of an alias" in output


def test_the_version_is_printed(capsys):
    """It is that of the installed package."""
    assert run("--version") == 0
    assert capsys.readouterr().out == f"digits {importlib.metadata.version('digits')}\n"


@pytest.mark.parametrize("words", ["digits versions", "digits pull --to"])
def test_a_shell_completes_commands_and_options(words):
    """Bash completes the last word from all but its last letter, and MLflow is not imported."""
    typed, last = words[:-1], words.split()[-1]
    script = f"source <(digits completion bash); COMP_WORDS=({typed}); "
    script += "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _digits_completion digits; "
    script += 'echo "${COMPREPLY[@]}"'
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        env=os.environ | {"PATH": path, "PYTHONPROFILEIMPORTTIME": "1"},
        capture_output=True,
        text=True,
    )
    assert last in done.stdout.split(), done.stderr
    assert "click" in done.stderr
    assert "mlflow" not in done.stderr


def test_help_fits_into_a_narrow_terminal(monkeypatch, capsys):
    """No line of any command's help is wider than 40 columns, and none has a color."""
    monkeypatch.setenv("COLUMNS", "40")
    for command in ([], *([name] for name in main.COMMANDS.split())):
        assert run(*command, "--help") == 0
    output = capsys.readouterr().out

    assert max(map(len, output.splitlines())) <= 40
    assert "\x1b" not in output


@pytest.mark.parametrize("command", ["--help", "versions"])
def test_a_reader_that_leaves_ends_the_command_quietly(versions, command):
    """`digits ... | head -1` prints no traceback; the exit status is that of `git log`."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "digits.cli", command]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)

    assert (done.returncode, done.stderr) == (141, b"")


def test_outside_of_a_project_one_line_says_so(tmp_path, monkeypatch, capsys):
    """In a folder without dvc.yaml the message says where to go."""
    monkeypatch.chdir(tmp_path)

    assert "run this in a checkout of the project" in refusal(capsys, "results")


EARLY = """
import sys
from digits import cli
class Interrupt:
    def find_spec(self, name, *_):
        if name == "click":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt())
cli.start()
"""


def test_ctrl_c_while_modules_are_imported_is_one_line():
    """As at any other moment."""
    done = subprocess.run([sys.executable, "-c", EARLY], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "digits: interrupted\n")
