"""The HTML map: what the file holds, and that its script finds its way about in it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from blackbox import plot
from blackbox.archives import CVTArchive, FrontArchive, GridArchive, UnstructuredArchive
from blackbox.batch import Batch
from blackbox.errors import BatchError, ProblemError
from blackbox.formulation import Maximize, Measure, Minimize, Problem
from blackbox.space import Categorical, Permutation, Real, Sequence, Space
from tests.plot.test_elites import Flat, drawn, filled, rows, study


class Page(HTMLParser):
    """The texts of a page by the id of their element."""

    def __init__(self, text):
        super().__init__()
        self.texts, self._open, self.links = {}, "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        self._open = known.get("id") or tag
        self.links += [v for k, v in attrs if k in ("src", "href")]

    def handle_endtag(self, tag):
        self._open = ""

    def handle_data(self, text):
        self.texts[self._open] = self.texts.get(self._open, "") + text


def page_of(archive, tmp_path, **options):
    path = plot.elite_map(archive, tmp_path / "map.html", **options)
    page = Page(path.read_text(encoding="utf-8"))
    return page, json.loads(page.texts["data"])


def run(page, script):
    """What a script prints with the page's model of its data."""
    if shutil.which("node") is None:
        pytest.skip("needs node")
    code = f"{page.texts['model']}\nconst map = new EliteMap({page.texts['data']});\n"
    code += f"console.log(JSON.stringify((() => {{ {script} }})()));"
    done = subprocess.run(["node", "-"], input=code, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_the_file_stands_alone(tmp_path):
    archive = filled(GridArchive(Flat(), (4, 3)))
    page, data = page_of(archive, tmp_path)
    assert page.links == []
    text = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert not re.search(r"https?:|@import|url\(", text)
    assert page.texts["h1"] == "Flat"
    assert data["layout"] == {"kind": "grid", "rows": 3, "columns": 4, "dims": [4, 3]}
    assert len(data["events"]["id"]) == len(archive)
    assert data["groups"][2] == ["Inputs", ["x[0]", "x[1]", "y[0]"]]
    # Every elite is in its cell with its numbers, to six digits.
    place = np.argsort(archive.elites["id"])
    row, column = divmod(np.array(data["events"]["slot"]), 4)
    np.testing.assert_array_equal((column * 3 + row), archive.cells[place])
    np.testing.assert_allclose(
        np.array(data["details"]["f"])[data["events"]["row"]], archive.elites["f"][place], rtol=1e-5
    )


class Nasty(Problem):
    """Names that a page must not run."""

    space = Space(
        Real("</script><b>", 0, 1),
        Categorical("c&c", ['"quoted"', "</script>"]),
        Permutation("p", ["a", "b"]),
        Sequence("s", "xyz", length=(1, 2)),
    )
    objectives = (Maximize("<img src=x onerror=alert(1)>"),)
    measures = (Measure("m\u2028<!--", 0, 1),)

    def evaluate_batch(self, batch):
        x = batch["</script><b>"]
        return {self.objectives[0].name: x, self.measures[0].name: x}


def test_names_are_texts_and_nothing_else(tmp_path):
    problem = Nasty()
    batch = problem.space.draw(20, np.random.default_rng(0))
    archive = GridArchive(problem, 5)
    archive.add(batch.with_columns(id=np.arange(20), **problem.measure(batch)))
    page, data = page_of(archive, tmp_path, title='</title><script>alert("1")</script>')
    text = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert "<img" not in text
    assert "alert(" not in text.replace("&quot;", '"').split("<h1>")[0].split("<title>")[0]
    assert text.count("<script") == 3
    assert page.texts["title"] == '</title><script>alert("1")</script>'
    assert data["measures"][0]["name"] == "m\u2028<!--"
    assert set(data["details"]["c&c"]) <= {'"quoted"', "</script>"}


def test_a_history_gives_the_true_map_at_each_time(tmp_path):
    problem = Flat(1)
    archive = GridArchive(problem, 2)
    told = rows(problem, [[0.1], [0.9], [0.2], [0.1]], [0.1, 0.5, 0.4, 0.2])
    archive.add(told)
    page, data = page_of(archive, tmp_path, history=told)
    assert data["events"]["id"] == [0, 1, 2]
    script = """
      const seen = [];
      const id = map.data.events.id;
      for (const t of [4, 0, 1, 2, 3, 1]) {
        seen.push([...map.at(t)].map(([slot, here]) => [slot, id[here[0]]]));
      }
      return seen;"""
    assert run(page, script) == [
        [[0, 2], [1, 1]], [], [[0, 0]], [[0, 0], [1, 1]], [[0, 2], [1, 1]], [[0, 0]],
    ]  # fmt: skip
    # Without it only the present elites are known.
    page, data = page_of(archive, tmp_path)
    assert data["events"]["id"] == [1, 2]
    assert run(page, "return [...map.at(2)]") == [[1, [0]]]


def test_inputs_of_replaced_elites_are_left_out_of_large_files(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["blackbox.plot.elite_map"], "_DETAILS", 3)
    problem = Flat(1)
    archive = GridArchive(problem, 2)
    told = rows(problem, [[0.1], [0.9], [0.2]], [0.1, 0.5, 0.4])
    archive.add(told)
    _, data = page_of(archive, tmp_path, history=told)
    assert data["events"]["row"] == [-1, 0, 1]
    assert data["details"]["x[0]"] == [0.9, 0.2]


def test_lineage_goes_back_as_far_as_it_is_known(tmp_path):
    problem = Flat(1)
    archive = GridArchive(problem, 4)
    archive.add(rows(problem, [[0.1], [0.4], [0.6], [0.9]], np.zeros(4)), [-1, 0, 1, 99])
    page, data = page_of(archive, tmp_path)
    assert sorted(data["parents"]) == [[1, 0], [2, 1], [3, 99]]
    assert run(page, "return [map.chain(2), map.chain(0), map.chain(3)]") == [
        [2, 1, 0], [0], [3, 99],
    ]  # fmt: skip
    # A ring, which only outside data could make, ends.
    assert run(page, "map.parent.set(0, 2); return map.chain(2)") == [2, 1, 0]


def test_a_way_about_in_nested_grids(tmp_path):
    archive = filled(GridArchive(Flat(4), (2, 3, 4, 5)), 60)
    page, data = page_of(archive, tmp_path)
    wide = data["layout"]["columns"]
    texts = run(page, f"return map.where({7 * wide + 5})")
    # Row 7 of 3 x 5 is the third of the second; column 5 of 2 x 4 the second of the second.
    assert texts == [
        ["m0", "0.5 to 1"], ["m1", "0.333333 to 0.666667"],
        ["m2", "0.25 to 0.5"], ["m3", "0.4 to 0.6"],
    ]  # fmt: skip
    assert run(page, "return [map.hit(0, 0), map.hit(1, 1), map.hit(0.99, 0)]") == [0, 119, 7]
    moves = "return [map.step(0, 1, 0), map.step(0, -1, 0), map.step(0, 0, 1), map.step(119, 1, 0)]"
    assert run(page, moves) == [1, 0, 8, 119]


def test_a_way_about_between_sites(tmp_path):
    centroids = [[0.5, 0.5], [0.9, 0.5], [0.5, 0.8], [0.1, 0.4]]
    archive = filled(CVTArchive(Flat(), centroids), 60)
    page, data = page_of(archive, tmp_path)
    assert data["layout"]["kind"] == "voronoi"
    assert len(data["layout"]["polygons"]) == 4
    assert run(page, "return [map.hit(0.52, 0.5), map.hit(1, 0.4), map.hit(0, 0)]") == [0, 1, 3]
    ways = [(1, 0, 1), (0, 1, 2), (-1, 0, 3), (0, -1, 0)]
    for dx, dy, expected in ways:
        assert run(page, f"return map.step(0, {dx}, {dy})") == expected


def test_elites_without_cells_are_points(tmp_path):
    archive = filled(UnstructuredArchive(Flat(3), 0.2))
    page, data = page_of(archive, tmp_path)
    assert data["layout"]["kind"] == "points"
    sites = np.array(data["layout"]["sites"])[data["events"]["slot"]]
    order = np.argsort(archive.elites["id"])
    np.testing.assert_allclose(sites, archive.measures[order, :2], atol=1e-5)
    best = run(page, "map.at(1e9); return map.data.events.id[map.top(map.best())]")
    assert best == archive.best["id"]


@pytest.mark.parametrize("first", [Maximize("f"), Minimize("f")])
def test_all_members_of_a_front_can_be_chosen(first, tmp_path):
    problem = Flat(2, (first, Minimize("g")))
    archive = filled(FrontArchive(problem, (2, 2), front=5))
    page, data = page_of(archive, tmp_path)
    assert data["fronts"]
    members = run(page, "return [...map.at(1e9)].map(([slot, here]) => here.length)")
    assert sum(members) == len(archive.cells)
    found = run(
        page,
        "map.at(1e9); const k = map.top(map.best());"
        "return [map.data.events.value[k], map.share(k)]",
    )
    elites = archive.elites["f"]
    best = elites.max() if first.sign > 0 else elites.min()
    assert found == [pytest.approx(best, rel=1e-5), 1]


# Just enough of a browser to press keys in; brushes take every stroke.
BROWSER = """
const strokes = new Proxy({}, { get: () => () => {}, set: () => true });
function node() {
  return { textContent: "", style: {}, children: [], on: {}, width: 0, height: 0,
    clientWidth: 640, appendChild(c) { this.children.push(c); },
    replaceChildren() { this.children = []; }, addEventListener(k, f) { this.on[k] = f; },
    getContext: () => strokes, getBoundingClientRect: () => ({ left: 0, top: 0 }) };
}
const nodes = { data: { textContent: TEXT } };
const document = { createElement: node, getElementById: id => nodes[id] ??= node() };
const window = { addEventListener() {} };
function text(n) { return n.textContent + n.children.map(text).join("|"); }
"""


def test_the_page_answers_keys_clicks_and_the_slider(tmp_path):
    if shutil.which("node") is None:
        pytest.skip("needs node")
    archive = GridArchive(Flat(), (2, 2))
    places = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]
    archive.add(rows(archive.problem, places, [0.25, 0.75, 0.5]), [-1, 0, 1])
    page, _ = page_of(archive, tmp_path)
    code = BROWSER.replace("TEXT", json.dumps(page.texts["data"]))
    code += page.texts["model"] + page.texts["view"]
    code += """
    const seen = [], look = () => seen.push(text(nodes.details)), map = nodes.map;
    const press = key => { map.on.keydown({ key, preventDefault() {} }); look(); };
    look();                       // the best elite is chosen at first
    press("ArrowLeft"); press("ArrowUp");
    map.on.click({ clientX: 600, clientY: 20 }); look();
    nodes.time.value = "1"; nodes.time.on.input(); look();
    press("Home");
    console.log(JSON.stringify([seen, nodes.now.textContent]));"""
    done = subprocess.run(["node", "-"], input=code, capture_output=True, text=True, check=True)
    seen, now = json.loads(done.stdout)
    heads = [text.split("|")[0] for text in seen]
    assert heads == ["Elite 1", "Elite 0", "An empty cell", "Elite 2", "An empty cell", "Elite 0"]
    assert "Objectives|f|0.75" in seen[0]
    assert "Lineage|elite 1: 0.75|elite 0: 0.25" in seen[3]
    assert "No parent is known." in seen[1]
    assert now == "1 evaluations, 1 cells"


@pytest.mark.parametrize(
    "archive",
    [
        GridArchive(Flat(), 3),
        CVTArchive(Flat(1), 3),
        UnstructuredArchive(Flat()),
        FrontArchive(Flat(2, (Maximize("f"), Minimize("g"))), 3),
        GridArchive(Flat(2, ()), 3),
    ],
    ids=lambda a: type(a).__name__,
)
def test_an_empty_archive_is_an_empty_map(archive, tmp_path):
    page, data = page_of(archive, tmp_path)
    assert data["events"]["id"] == []
    assert data["total"] == 0
    assert run(page, "map.at(5); return map.best()") is None


def test_rows_from_outside_were_there_from_the_start(tmp_path):
    archive = GridArchive(Flat(1), 2)
    archive.add(rows(archive.problem, [[0.1]], [0.5]).with_columns(id=[-1]))
    page, data = page_of(archive, tmp_path)
    assert data["events"]["time"] == [0]
    assert run(page, "return [...map.at(0)]") == [[0, [0]]]


def test_maps_that_cannot_be_written(tmp_path):
    archive = filled(GridArchive(Flat(), 3))
    with pytest.raises(BatchError, match="give a study or a Batch"):
        plot.elite_map(archive, tmp_path / "a.html", history=3)
    with pytest.raises(ProblemError, match="with a history"):
        plot.elite_map(archive, tmp_path / "a.html", history=drawn(archive.problem), value="m0")
    with pytest.raises(ProblemError, match="no value 'z'"):
        plot.elite_map(archive, tmp_path / "a.html", value="z")
    with pytest.raises(ProblemError, match="title=3 must be a str"):
        plot.elite_map(archive, tmp_path / "a.html", title=3)
    with pytest.raises(ProblemError, match="path=3; give the path of a file"):
        plot.elite_map(archive, 3)
    with pytest.raises(BatchError, match="a int is no archive"):
        plot.elite_map(3, tmp_path / "a.html")
    assert list(tmp_path.iterdir()) == []


def test_a_study_serves_as_history(tmp_path):
    one = study(Flat(), archive=GridArchive(Flat(), 3))
    _, data = page_of(one.optimizer.archive, tmp_path, history=one)
    assert data["total"] == 200
    assert isinstance(one.history, Batch)
