"""The data-mixture study: its text, its model, its words, and the whole of it in miniature."""

from __future__ import annotations

import base64
import io
import itertools
import json
import math
import pickle
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import stats

import blackbox as bb
from blackbox.errors import EvaluationError, ProblemError
from studies.data_mixtures import corpus, reading, report, run
from studies.data_mixtures.measure import Measured, Run, measure
from studies.data_mixtures.problem import SIZES, TARGET, TINY, DataMixture, mixture
from studies.data_mixtures.results import (
    Candidate,
    Told,
    collect,
    from_studies,
    interval,
    make_plan,
    rank_correlation,
    two_means,
)
from studies.data_mixtures.size import CONTEXT, WINDOWS, Size

K = len(corpus.DOMAINS)
UNIFORM = np.full(K, 1 / K)


class TestCorpus:
    def test_at_least_five_domains_each_with_text_enough_for_a_training_run(self):
        longest = max(size.train_bytes for size in SIZES)
        assert len(corpus.DOMAINS) >= 5
        for name in corpus.DOMAINS:
            domain = corpus.load(name)
            assert len(domain.train) > longest, name
            assert len(domain.held_out) > 20_000, name
            assert re.search(r"\d+\.\d+", domain.source), "the source names a version"

    def test_what_the_target_reads_is_held_out_from_every_domain(self):
        assert math.isclose(sum(TARGET.values()), 1)
        assert len(corpus.load("source").train) == 0
        # More than the domain reads; all of it would take seconds.
        trained_on = {name for name, _ in itertools.islice(corpus._code(), 100)}
        packages = {name.split("/")[0] for name in trained_on}
        assert packages.isdisjoint(corpus.HELD_OUT_PACKAGES)
        held = {name for name, _ in corpus._source()}
        assert held
        assert held.isdisjoint(trained_on)

    @pytest.mark.parametrize("name", corpus.DOMAINS)
    def test_no_document_is_in_both_parts(self, name):
        documents = corpus._SOURCES[name][0]
        limits = corpus.TRAIN_BYTES, corpus.HELD_OUT_BYTES
        train, held_out = corpus._split(documents(), *limits)
        assert len(train) > 20
        assert len(held_out) > 2
        # The last of each part may be cut, so that it equals no whole document.
        assert set(train[:-1]).isdisjoint(held_out[:-1])
        assert b"".join(train) == corpus.load(name).train.tobytes()

    def test_split_drops_repeated_documents_and_keeps_to_its_limits(self):
        documents = [(str(i), f"document {i // 2}\n" * 10) for i in range(400)]
        train, held_out = corpus._split(documents, 3_000, 700)
        assert len(set(train)) == len(train)
        assert set(train).isdisjoint(held_out)
        assert sum(map(len, train)) == 3_000
        assert sum(map(len, held_out)) == 700
        # An eighth of what is distinct, while neither part is full.
        assert corpus._split(documents[:160], 10**6, 10**6)[1] == [
            text.encode() for _, text in documents[14:160:16]
        ]

    def test_the_same_text_is_read_every_time(self):
        for name in ("tables", "names"):
            first = corpus.load(name)
            corpus.load.cache_clear()
            assert corpus.load(name) is not first
            assert corpus.load(name).sha256 == first.sha256

    def test_bare_code_has_neither_docstrings_nor_comment_lines(self):
        text = (
            '"""Module."""\n\n\n\n\ndef f(x):\n    """Doc\n    # it."""\n    # why\n    return x\n'
        )
        assert corpus._bare_code(text) == "\n\ndef f(x):\n    return x\n"

    def test_a_package_that_is_missing_is_named_with_the_extra_that_brings_it(self):
        with pytest.raises(ImportError, match=r"'no_such_package'.*blackbox\[bayes\]"):
            corpus._package("no_such_package")


class TestModel:
    texts = (
        np.frombuffer(b"the cat sat on the mat. " * 400, dtype=np.uint8),
        np.frombuffer(bytes(range(48, 58)) * 900, dtype=np.uint8),
    )
    even = np.array([0.5, 0.5])

    def bits(self, net, text):
        from studies.data_mixtures.model import bits_per_byte

        return bits_per_byte(net, text, 128)

    def test_untrained_it_knows_nothing_and_has_the_size_it_says(self):
        from studies.data_mixtures.model import GatedConvNet

        for size in (*SIZES, *TINY):
            net = GatedConvNet(size.width, seed=0)
            assert sum(p.numel() for p in net.parameters()) == size.params
        assert self.bits(net, self.texts[0]) == pytest.approx(math.log(256) / math.log(2), abs=1e-5)

    def test_training_lowers_the_loss_where_there_is_something_to_learn(self):
        from studies.data_mixtures.model import train

        net = train(self.texts, self.even, Size(16, 120), seed=0)
        noise = np.random.default_rng(0).integers(0, 256, 6_000).astype(np.uint8)
        assert self.bits(net, self.texts[0]) < 1
        assert self.bits(net, self.texts[1]) < 1
        assert self.bits(net, noise) == pytest.approx(8, abs=1e-6), "stored as it is"

    def test_a_model_learns_what_its_mixture_holds(self):
        from studies.data_mixtures.model import train

        only = train(self.texts, np.array([1.0, 0.0]), Size(8, 40), seed=0)
        assert self.bits(only, self.texts[0]) < 4 < self.bits(only, self.texts[1])

    def test_training_repeats_to_the_bit_whatever_the_global_generator_does(self):
        import torch

        from studies.data_mixtures.model import train

        losses = []
        for seed in (0, 0, 1):
            torch.manual_seed(len(losses))
            before = torch.random.get_rng_state()
            net = train(self.texts, self.even, Size(8, 20), seed)
            assert torch.equal(before, torch.random.get_rng_state())
            losses.append(self.bits(net, self.texts[0]))
        assert losses[0] == losses[1] != losses[2]

    def test_a_prediction_depends_on_the_past_alone(self):
        import torch

        from studies.data_mixtures.model import GatedConvNet

        net = GatedConvNet(8, seed=0)
        torch.nn.init.normal_(net.head.weight, generator=torch.Generator().manual_seed(0))
        x = torch.arange(40)[None] % 256
        changed = x.clone()
        changed[0, 20] = 99
        same = (net(x) == net(changed)).all(-1)[0].tolist()
        assert same == [True] * 20 + [False] * 9 + [True] * 11, "9 bytes are seen"

    def test_windows_follow_the_mixture_and_are_the_same_in_every_mixture(self):
        from studies.data_mixtures.model import schedule

        lengths, n = [1_000, 2_000, 500], 800
        first = np.array([0, 1_000, 3_000, 3_500])
        drawn = {}
        for mix in ([0.5, 0.3, 0.2], [0.25, 0.0, 0.75]):
            starts = schedule(np.array(mix), lengths, n, seed=3).numpy()
            domain = np.searchsorted(first, starts, side="right") - 1
            ends = first[domain + 1]
            assert np.all(starts + CONTEXT + 1 <= ends), "no window runs into the next domain"
            share = np.bincount(domain, minlength=3) / n
            np.testing.assert_allclose(share, mix, atol=5 / n)
            drawn[mix[0]] = [starts[domain == j] for j in range(3)]
        for j in (0, 2):
            a, b = drawn[0.5][j], drawn[0.25][j]
            both = min(len(a), len(b))
            np.testing.assert_array_equal(a[:both], b[:both])

    def test_one_thread_is_given_back(self):
        import torch

        from studies.data_mixtures.model import one_thread

        before = torch.get_num_threads()
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == before


class TestProblem:
    def test_it_is_declared_well_and_its_cost_is_one_at_the_target(self):
        problem = DataMixture()
        problem.check()
        assert len(problem.sizes) == 3
        batch = bb.Batch({"params": np.array([*problem.sizes])})
        cost = problem.costs(batch)
        assert cost[-1] == 1
        assert np.all(np.diff(cost) > 0)
        assert 0.01 < cost[0] < 0.1
        assert problem.target.train_bytes == problem.target.steps * WINDOWS * CONTEXT

    def test_an_evaluation_repeats_in_another_copy_and_differs_under_another_seed(self):
        row = {"mix": UNIFORM, "params": TINY[0].params}
        problem = DataMixture(TINY)
        loss = problem.evaluate(row)["loss"]
        assert 3 < loss < 8
        assert pickle.loads(pickle.dumps(problem)).evaluate(row)["loss"] == loss
        assert DataMixture(TINY, seed=1).evaluate(row)["loss"] != loss

    def test_studies_of_other_seeds_sizes_or_text_are_not_confused(self):
        marks = {
            DataMixture(TINY).fingerprint(),
            DataMixture(TINY, seed=1).fingerprint(),
            DataMixture(SIZES).fingerprint(),
        }
        assert len(marks) == 3
        assert DataMixture(TINY).fingerprint() in marks
        texts = DataMixture(TINY).spec()["training"]["texts"]
        assert set(texts) == {*corpus.DOMAINS, *TARGET}

    def test_mixtures_by_name_follow_the_order_of_the_domains(self):
        mix = mixture({"manual": 0.25, "code": 0.75})
        assert dict(zip(corpus.DOMAINS, mix, strict=True))["manual"] == 0.25
        assert mix.sum() == 1


class TestNumbersAndWords:
    def test_intervals_are_those_of_scipy(self):
        rng = np.random.default_rng(0)
        a, b = rng.normal(0, 1, 6), rng.normal(1, 3, 9)
        mean, half = interval(np.append(a, np.nan))
        low, high = stats.t.interval(0.95, 5, loc=a.mean(), scale=stats.sem(a))
        assert (mean - half, mean + half) == pytest.approx((low, high))
        difference, half = two_means(a, b)
        expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval()
        assert (difference - half, difference + half) == pytest.approx(tuple(expected))

    def test_one_value_has_no_interval_and_none_has_no_mean(self):
        assert interval(np.array([2.0, np.nan])) == (2.0, math.inf)
        assert math.isnan(interval(np.array([np.nan]))[0])
        assert two_means(np.array([1.0]), np.array([2.0, 3.0])) == (-1.5, math.inf)
        assert math.isnan(rank_correlation(np.array([1.0, 2.0, np.nan]), np.arange(3.0)))
        assert rank_correlation(np.array([1.0, 2.0, 9.0]), np.array([3.0, 4.0, 5.0])) == 1

    @pytest.mark.parametrize(
        ("difference", "half", "says"),
        [
            (0.1, 0.02, "A is lower than B by 0.100"),
            (-0.1, 0.02, "A is higher than B by 0.100"),
            (0.01, 0.02, "A is not distinguishable from B"),
            (0.01, math.inf, "A cannot be told from B"),
        ],
    )
    def test_a_difference_is_claimed_only_outside_its_interval(self, difference, half, says):
        assert reading.compare(difference, half, "A", "B").startswith(says)

    def test_gain_is_measured_seed_by_seed(self):
        luck = np.array([0.0, 0.3, -0.2, 0.5])
        a = Candidate("a", UNIFORM, 3.0, 3.0 + luck)
        b = Candidate("b", UNIFORM, np.nan, 3.1 + luck)
        assert reading.gain(a, b) == pytest.approx((0.1, 0.0), abs=1e-9)

    def test_a_mixture_in_words_begins_with_its_largest_share(self):
        words = reading.describe(mixture({"tables": 0.25, "code": 0.746, "names": 0.004}))
        assert words == "75 % code, 25 % tables"


class TestMeasure:
    def test_a_run_that_was_stopped_goes_on_after_its_last_whole_line(self, tmp_path):
        problem, path = DataMixture(TINY), tmp_path / "measured.jsonl"
        runs = [Run.of(UNIFORM, TINY[0].params, seed) for seed in (5, 6)]
        with ThreadPoolExecutor(1) as executor:
            first = measure(problem, runs, executor, path)
            lines = path.read_text().splitlines(keepends=True)
            path.write_text(lines[0] + lines[1][:30])
            again = measure(problem, runs, executor, path)
        assert [again[r].loss for r in runs] == [first[r].loss for r in runs]
        assert first[runs[0]].loss != first[runs[1]].loss
        after = path.read_text().splitlines(keepends=True)
        assert after[0] == lines[0]
        assert len([json.loads(line) for line in after]) == 2

    def test_results_of_another_problem_are_not_taken(self, tmp_path):
        path, wanted = tmp_path / "measured.jsonl", [Run.of(UNIFORM, TINY[0].params, 0)]
        line = {"problem": "other", "mix": wanted[0].mix, "params": TINY[0].params, "seed": 0}
        path.write_text(json.dumps(line | {"loss": 1.0, "seconds": 1.0, "reason": ""}) + "\n")
        with ThreadPoolExecutor(1) as executor:
            assert measure(DataMixture(TINY), wanted, executor, path)[wanted[0]].loss > 3

    def test_a_failed_run_is_a_nan_with_its_reason_and_is_tried_again_next_time(self, tmp_path):
        problem, path = DataMixture(TINY), tmp_path / "measured.jsonl"
        wrong = Run.of(UNIFORM, 123, 0)  # no such size
        with ThreadPoolExecutor(1) as executor:
            for lines in (1, 2):
                result = measure(problem, [wrong], executor, path)[wrong]
                assert math.isnan(result.loss)
                assert "KeyError" in result.reason
                assert len(path.read_text().splitlines()) == lines


class Cheapest(bb.Optimizer):
    """Buys small models first, as an optimizer of several fidelities does."""

    supports = bb.Supports(fidelity=True)

    def _ask(self, n):
        sizes = [*self.problem.sizes]
        params = [sizes[-1] if (self.asked + i) % 4 == 3 else sizes[0] for i in range(n)]
        return self.problem.space.draw(n, self.rng).with_columns(params=np.array(params))

    def _tell(self, batch):
        pass

    def _state(self):
        return {}

    def _load_state(self, state):
        pass


class TestRun:
    def test_optimizers_are_found_by_name_and_wrong_names_are_refused(self):
        problem = DataMixture(TINY)
        assert isinstance(run.optimizer("Random", problem, 0), bb.Random)
        for wrong in ("Nope", "Batch", "metrics.hypervolume", ""):
            with pytest.raises(ProblemError, match="--optimizers"):
                run.optimizer(wrong, problem, 0)

    @pytest.mark.parametrize("wrong", ["--max-cost 0", "--repeats -1", "--jobs 0", "--workers 1.5"])
    def test_counts_on_the_command_line_are_checked(self, wrong, capsys):
        with pytest.raises(SystemExit):
            run.parse(wrong.split())
        assert wrong.split()[0] in capsys.readouterr().err

    def test_an_optimizer_of_several_fidelities_drops_in(self, monkeypatch, tmp_path):
        monkeypatch.setattr(bb, "Cheapest", Cheapest, raising=False)
        options = run.parse(["--tiny", "--max-cost", "3", "--out", str(tmp_path)])
        told = run.run_study(options, "Cheapest", 0)
        spent = told.history["cost"]
        assert set(told.history["params"]) == {TINY[0].params, TINY[2].params}
        assert options.max_cost - 1 < spent.sum() <= options.max_cost
        assert len(spent) > options.max_cost, "small models are cheap"
        costs, best = told.best_so_far(TINY[2].params)
        assert np.isinf(best[0])
        assert best[-1] == told.history["loss"][told.history["params"] == TINY[2].params].min()
        assert costs[-1] == pytest.approx(spent.sum())

    def test_a_study_that_was_stopped_comes_out_the_same(self, tmp_path):
        whole = run.parse(["--tiny", "--max-cost", "4", "--out", str(tmp_path / "whole")])
        broken = run.parse(["--tiny", "--max-cost", "2", "--out", str(tmp_path / "broken")])
        rest = run.parse(["--tiny", "--max-cost", "4", "--out", str(tmp_path / "broken")])
        expected = run.run_study(whole, "Random", 0).history
        run.run_study(broken, "Random", 0)
        resumed = run.run_study(rest, "Random", 0).history
        for column in ("id", "mix", "loss"):
            np.testing.assert_array_equal(resumed[column], expected[column])

    def test_studies_with_failures_still_end_in_a_report_that_names_them(self, tmp_path):
        problem = DataMixture(TINY)
        target = problem.target.params
        history = bb.Batch(
            {
                "id": np.arange(3),
                "mix": np.random.default_rng(0).dirichlet(np.ones(K), 3),
                "params": np.full(3, target),
                "loss": np.array([np.nan, 5.0, 4.5]),
                "ok": np.array([False, True, True]),
                "cost": np.ones(3),
            }
        )
        trace = 'Traceback\n  File "model.py"\nValueError: <boom>'
        told = [
            Told("Random", 0, history, {0: trace}, 1.0),
            Told("Random", 1, history[:1], {0: trace}, 1.0),
        ]
        plan = make_plan(told, repeats=2, ladder=4)
        known = from_studies(problem, told)
        measured = {r: Measured(4.0, 0.1) for r in plan.runs(problem) if r not in known}
        measured[next(iter(measured))] = Measured(math.nan, 0.0, "MemoryError()")
        results = collect(problem, told, plan, measured, known)
        assert [t.label for t in results.told] == ["Random, seed 0"]
        assert results.best.seen == 4.5
        np.testing.assert_array_equal(results.best.mix, history["mix"][2])
        np.testing.assert_array_equal(results.ladder[target], [5.0, 4.5])
        np.testing.assert_array_equal(results.points("Random")[1], [5.0, 4.5])
        report.write_report(tmp_path / "report.html", results, run.parse(["--tiny"]), seconds=1.0)
        page = (tmp_path / "report.html").read_text(encoding="utf-8")
        for text in ("ValueError: &lt;boom&gt;", "MemoryError()", "<td>failed</td>"):
            assert text in page
        assert "<td>None" not in page
        assert ">nan" not in page
        with pytest.raises(EvaluationError, match="boom"):
            collect(problem, told[1:], make_plan(told[1:], 2, 4), measured, known)


@pytest.mark.slow
def test_the_whole_study_in_miniature(tmp_path, capfd):
    """Three optimizers, real training, a report; and the same command again trains nothing."""
    arguments = ["--tiny", "--out", str(tmp_path)]
    assert run.main(arguments) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")

    studies = {name: bb.open_study(tmp_path / f"{name}-0") for name in ("bayes", "random")}
    for study in studies.values():
        history = study.history
        assert len(history) == 8
        assert history["ok"].all()
        assert set(history["params"]) == {DataMixture(TINY).target.params}
        np.testing.assert_allclose(history["mix"].sum(axis=1), 1)
        assert np.ptp(history["loss"]) > 0.01
        for loss in history["loss"]:
            assert f"<td>{loss:.4f}</td>" in page
    ours = bb.open_study(tmp_path / "multifidelitybayes-0").history
    assert ours["cost"].sum() <= 8 + 1e-9
    assert len(set(ours["params"])) > 1, "smaller models are bought too"
    assert "Forecasts of the target" in page

    lines = [json.loads(line) for line in (tmp_path / "measured.jsonl").read_text().splitlines()]
    equal = [x["loss"] for x in lines if np.allclose(x["mix"], 1 / K) and x["seed"] >= 1_000]
    assert len(equal) == 2
    assert reading.plus_minus(*interval(np.array(equal))) in page

    assert_pictures(page, at_least=7)
    for word in ("not compared", "Failures", "None.", "fresh seeds", "sha256", "botorch", "seeds"):
        assert word in page, word
    assert not re.search(r"(?:src|href|url)\s*[=(]\s*['\"]?(?!data:)\w", page), "self-contained"
    assert "http" not in page

    capfd.readouterr()
    assert run.main(arguments) == 0
    assert len((tmp_path / "measured.jsonl").read_text().splitlines()) == len(lines)
    for name, study in studies.items():
        again = bb.open_study(tmp_path / f"{name}-0").history
        np.testing.assert_array_equal(again["loss"], study.history["loss"])
    again = bb.open_study(tmp_path / "multifidelitybayes-0").history
    np.testing.assert_array_equal(again["loss"], ours["loss"])
    assert "resumed at cost 8.0" in capfd.readouterr().out

    assert run.main([*arguments, "--optimizers", "Nope"]) == 1
    assert "blackbox has no such optimizer" in capfd.readouterr().err


def assert_pictures(page: str, at_least: int) -> None:
    """Every picture decodes and shows something."""
    from matplotlib.image import imread

    data = re.findall(r"src='data:image/png;base64,([^']+)'", page)
    assert len(data) >= at_least
    for text in data:
        pixels = imread(io.BytesIO(base64.b64decode(text)), format="png")
        assert pixels.shape[1] > 1_000
        dark = (pixels[..., :3].min(axis=-1) < 0.8).mean()
        assert 0.003 < dark < 0.6
