"""What the commands of the studies have in common."""

from __future__ import annotations

import argparse
from importlib import import_module

import pytest

from studies.command import at_least, cores


@pytest.mark.parametrize(
    "study", ["data_mixtures", "gflownets", "llambo", "map_elites", "offline_rl"]
)
def test_no_study_runs_in_no_process(study, capsys):
    run = import_module(f"studies.{study}.run")
    parse = run.parse if hasattr(run, "parse") else run._parser().parse_args
    with pytest.raises(SystemExit):
        parse(["--jobs", "0"])
    assert "--jobs: 0 is less than 1" in capsys.readouterr().err


def test_a_whole_number_is_read_and_anything_else_refused():
    number = at_least(3)
    assert number("3") == 3
    with pytest.raises(argparse.ArgumentTypeError, match="2 is less than 3"):
        number("2")
    with pytest.raises(ValueError, match="invalid literal"):  # argparse says that it is no number
        number("1.5")
    assert cores() >= 1
