"""The report: one HTML file that opens with no server and no network."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from studies.data_mixtures.html import heading, page, paragraph, picture, table
from studies.gflownets import figures, grids
from studies.gflownets.experiments import OPTIMIZERS
from studies.gflownets.run import Results

_PACKAGES = ("numpy", "torch", "moocore", "rdkit", "matplotlib")


def write_report(path: Path, results: Results, seconds: float) -> None:
    """Write the page.

    Args:
        path: of the HTML file.
        results: of all experiments.
        seconds: wall time of this command so far.
    """
    parts = [
        heading("GFlowNets: samplers that keep an order", 1),
        paragraph(
            "A GFlowNet builds an object step by step and draws it in proportion to a reward. "
            "Order-preserving GFlowNets (OP-GFN) learn a reward from which of two candidates is "
            "better; preference-conditional ones (MOGFN-PC) from a weighted sum of objectives."
        ),
        paragraph("The numbers mean little." if results.scale.name == "tiny" else ""),
        *_grids(results),
        *_hypergrid(results),
        *_tables(results),
        *_strings(results),
        *_molecules(results),
        *_circumstances(results, seconds),
    ]
    path.write_text(page("GFlowNets", parts), encoding="utf-8")


def _grids(results: Results) -> list[str]:
    head = ["objectives", "method", "Pareto mass", "points", "L1", "IGD+", "hypervolume", "CPU s"]
    rows = []
    for names in results.scale.objectives:
        for method in grids.METHODS:
            runs = results.of("grid", names=names, method=method)
            of = runs[0]["front"]
            points = f"{_mean(runs, 'points', 1)} of {of}"
            numbers = [_mean(runs, "mass", 3), points, _mean(runs, "distance", 3)]
            ends = [_mean(runs, "igd", 4), _mean(runs, "volume", 4), _mean(runs, "cpu", 1)]
            rows.append([", ".join(names), method, *numbers, *ends])
    return [
        heading("Several objectives on a grid"),
        paragraph(
            f"{results.scale.side} x {results.scale.side} cells, {results.scale.grid_steps} "
            "gradient steps of 128 new samples. Every cell's objectives are known, and so is every "
            "law, from all states."
        ),
        picture(
            figures.laws(results),
            "The true Pareto front, and the laws that were learnt: mean over seeds, and over 32 "
            "preferences where there are any. Colours are logarithmic.",
        ),
        table(head, rows),
        paragraph(
            "Pareto mass: probability of a sample on the front. Points: of the front among 1 280 "
            "samples. L1: to the uniform law on the front. Hypervolume: of the samples, as a share "
            "of the front's."
        ),
    ]


def _hypergrid(results: Results) -> list[str]:
    side, dimension = results.scale.hypergrid
    runs = results.of("hypergrid")
    ends = np.array([run["trace"][-1][1] for run in runs])
    modes = min(run["modes"] for run in runs)
    return [
        heading("One reward on a hypergrid"),
        paragraph(
            f"Trajectory balance on {side}^{dimension} cells: after {runs[0]['trace'][-1][0]} "
            f"trajectories the L1 distance from the reward's law is {ends.mean():.3f} (worst seed "
            f"{ends.max():.3f}), and 2 000 samples hold {modes} of {runs[0]['of']} modes in every "
            "seed."
        ),
        picture(
            figures.hypergrid(results),
            "L1 distance while training, a line a seed; and the law learnt, modes ringed.",
        ),
    ]


def _tables(results: Results) -> list[str]:
    if not results.of("table"):
        return [paragraph("Tables: not run, for BLACKBOX_DATA is not set.")]
    head = ["table", "method", "best", "rank", "top 10", "top 100", "diversity", "CPU ms"]
    rows = []
    for name in results.scale.tables:
        for method in OPTIMIZERS:
            runs = results.of("table", table=name, method=method)
            found = [_mean(runs, "best", 4), _mean(runs, "full", 1), _mean(runs, "top10", 1)]
            rest = [_mean(runs, "top100", 1), _mean(runs, "diversity", 2), _mean(runs, "ms", 1)]
            rows.append([name, method, *found, *rest])
    return [
        heading("Tables that hold every answer, as black boxes"),
        picture(
            figures.tables(results),
            "Left: rank of the best candidate found, 1 is the best of all; median and range over "
            "seeds. Right: the log-reward learnt, up to a constant, of 1 000 candidates drawn at "
            "random, against their true rank.",
        ),
        table(head, rows),
        paragraph(
            "Rank: candidates of the table better than the best found. Top 10 and 100: how many "
            "of the table's best were evaluated. Diversity: mean Hamming distance of the 50 best."
        ),
    ]


def _strings(results: Results) -> list[str]:
    head = ["motifs", "hypervolume", "R2", "top-10 reward", "top-10 diversity", "CPU s"]
    rows = []
    for motifs in results.scale.motifs:
        runs = results.of("strings", motifs=motifs)
        first = [_mean(runs, "volume", 3), _mean(runs, "r2", 3), _mean(runs, "reward", 3)]
        rows.append([", ".join(motifs), *first, _mean(runs, "diversity", 2), _mean(runs, "cpu", 1)])
    shortest, longest = results.scale.length
    return [
        heading("Strings for any preference"),
        paragraph(
            f"MOGFN-PC on strings of {shortest} to {longest} letters that should hold motifs; "
            f"{results.scale.string_steps} gradient steps of {results.scale.string_batch} new "
            "strings, reward the weighted sum to the power of 48. Then 128 strings for each "
            "preference of a lattice."
        ),
        picture(
            figures.strings(results),
            "Eight strings for each preference. The weight of the first motif is the colour.",
        ),
        table(head, rows),
        paragraph(
            "Reward and diversity (mean edit distance) of the best ten for each preference, "
            "averaged over preferences. R2: to the ideal point 1."
        ),
    ]


def _molecules(results: Results) -> list[str]:
    if not results.of("molecules"):
        return [paragraph("Molecules: not run; they need BLACKBOX_DATA and the extra molecules.")]
    head = ["objectives", "method", "hypervolume", "front", "diversity", "failed", "CPU s"]
    rows, found = [], []
    for names in results.scale.fragments:
        for method in OPTIMIZERS:
            runs = results.of("molecules", names=names, method=method)
            ends = [{**run, "end": run["trace"][-1], "size": len(run["front"])} for run in runs]
            numbers = [_mean(ends, "end", 3), _mean(ends, "size", 1), _mean(ends, "diversity", 2)]
            rows.append(
                [
                    ", ".join(names),
                    method,
                    *numbers,
                    _mean(ends, "failed", 1),
                    _mean(ends, "cpu", 1),
                ]
            )
        run = results.of("molecules", names=names, method="OP-GFN")[0]
        order = np.argsort([-sum(scores) for scores in run["front"]])[:3]
        for i in order:
            values = ", ".join(f"{v:.3f}" for v in run["front"][i])
            found.append([", ".join(names), run["smiles"][i], values])
    return [
        heading("Molecules of fragments"),
        paragraph(f"{results.scale.molecules} evaluations by RDKit, in batches of 10."),
        picture(figures.molecules(results), "Hypervolume: median and range over seeds."),
        table(head, rows),
        table(["objectives", "of OP-GFN's front", "values"], found, words=True),
        paragraph("Diversity: 1 - mean Tanimoto similarity of Morgan fingerprints, in the front."),
    ]


def _circumstances(results: Results, seconds: float) -> list[str]:
    rows = [["scale", results.scale.name], ["seeds", str(results.scale.seeds)]]
    rows += [[name, _version(name)] for name in _PACKAGES]
    rows.append(["Python", f"{platform.python_version()}, {platform.system()}"])
    rows.append(["cores", str(os.cpu_count())])
    rows.append(["seconds", f"{seconds:.0f}"])
    return [heading("Circumstances"), table(["what", "value"], rows, words=True)]


def _mean(runs: Sequence[dict[str, Any]], key: str, digits: int) -> str:
    return f"{np.mean([run[key] for run in runs]):.{digits}f}"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
