"""What shells and manuals make of the command: completion, the page for `man`."""

import importlib.util
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from click.shell_completion import ShellComplete

import s3s4
from commandline import COMMAND
from s3s4._command.main import commands

ROOT = Path(__file__).resolve().parent.parent


def offers(arguments, typed):
    completion = ShellComplete(commands, {}, "s3s4", "_S3S4_COMPLETE")
    return completion.get_completions(arguments, typed)


@pytest.mark.parametrize(
    ("arguments", "typed", "expected"),
    [
        ([], "do", ["doctor"]),
        (["apply"], "softm", ["softmax", "softmin"]),
        (["apply"], "SoftM", ["softmax", "softmin"]),
        (["apply"], "", list(s3s4.activations)),
        (["plot", "s4"], "gelu", ["gelu", "gelu_tanh"]),
        (["plot"], "", list(s3s4.activations)),
        (["apply", "s4", "in.npy", "out.npy", "--wrt"], "", ["x", "k"]),
        (["apply", "S4", "in.npy", "out.npy", "--wrt"], "k", ["k"]),
        (["apply", "softmax", "in.npy", "out.npy", "--wrt"], "", ["x"]),
        (["apply", "s4", "in.npy", "out.npy", "--format"], "t", ["text", "text.gz"]),
        (["apply", "s4", "in.npy", "out.npy", "--dtype"], "float1", ["float16"]),
        (["apply"], "--col", ["--columns"]),
    ],
)
def test_what_is_offered(arguments, typed, expected):
    offered = ShellComplete(commands, {}, "s3s4", "_S3S4_COMPLETE").get_completions(
        arguments, typed
    )
    assert [one.value for one in offered] == expected
    assert {one.type for one in offered} == {"plain"}


@pytest.mark.parametrize("arguments", [["apply", "s4"], ["apply", "s4", "in.npy"], ["plot", "-o"]])
def test_files_are_the_shells_to_offer(arguments):
    offered = offers(arguments, "i")
    assert [(one.value, one.type) for one in offered] == [("i", "file")]


# What a shell does at a TAB after `s3s4 apply softm`.
SHELLS = {
    "bash": """
        eval "$(_S3S4_COMPLETE=bash_source s3s4)"
        complete -p s3s4
        COMP_WORDS=(s3s4 apply softm) COMP_CWORD=2
        _s3s4_completion s3s4 softm apply
        printf '%s\\n' "${COMPREPLY[@]}"
    """,
    "zsh": """
        autoload -Uz compinit && compinit -u -D
        compadd() { print -l -- "${(@P)@[-1]}" }
        _describe() { print -l -- "${(@P)3}" }
        eval "$(_S3S4_COMPLETE=zsh_source s3s4)"
        print -- "$_comps[s3s4]"
        words=(s3s4 apply softm) CURRENT=3
        _s3s4_completion
    """,
    "fish": """
        _S3S4_COMPLETE=fish_source s3s4 | source
        complete -C 's3s4 apply softm'
    """,
}


@pytest.mark.slow
@pytest.mark.parametrize("shell", SHELLS)
def test_in_the_shell(own_folder, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    command = own_folder / "s3s4"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m s3s4 "$@"\n')
    command.chmod(0o755)
    path = f"{own_folder}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "HOME": str(own_folder)}
    options = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [shell, *options, "-c", SHELLS[shell]], env=environment, capture_output=True, timeout=120
    )
    assert {"softmax", "softmin"} <= set(done.stdout.decode().split()), done.stderr.decode()
    assert "softplus" not in done.stdout.decode()


@pytest.fixture(scope="module")
def manual():
    spec = importlib.util.spec_from_file_location("manual", ROOT / "docs" / "manual.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_manual_says_what_the_help_says(manual):
    text = "\n".join(manual.page())
    for name, command in commands.commands.items():
        assert f'.SH "{name.upper()}"' in text
        for option in command.params:
            if isinstance(option, click.Option):
                assert manual.roff(option.opts[0]) in text
    for name in s3s4.activations:
        assert name in text


def test_the_manual_survives_what_troff_would_obey(manual):
    assert manual.roff(".npy") == "\\&.npy"
    assert manual.roff("'a") == "\\&'a"
    assert manual.roff("a\\b -x") == "a\\eb \\-x"
    assert list(manual.paragraphs("a\nb\n\n\b\n.c\n d\n\ne")) == [
        *(".PP", "a b", ".PP", ".nf", "\\&.c", " d", ".fi", ".PP", "e")
    ]


@pytest.mark.slow
def test_troff_has_nothing_to_say(manual, own_folder):
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    manual.main("s3s4.1")
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tascii", "s3s4.1"], capture_output=True, check=True
    )
    assert done.stderr == b""
    assert b"--columns NAME,..." in re.sub(b".\x08", b"", done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    ["--help", "apply -h", "apply s4 in.npy out.npy", "apply s5 a b", "info", "plot s4"],
)
def test_a_dumb_terminal_gets_no_control_codes(own_folder, arguments):
    np.save("in.npy", np.zeros(3))
    ours, theirs = pty.openpty()
    command = [*COMMAND, *arguments.split()]
    subprocess.run(command, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "dumb"})
    os.write(theirs, b"|")
    os.close(theirs)
    shown = b""
    while not shown.endswith(b"|"):
        shown += os.read(ours, 10_000)
    os.close(ours)
    assert b"\x1b" not in shown
    assert shown.count(b"\r") == shown.count(b"\r\n") == shown.count(b"\n")
