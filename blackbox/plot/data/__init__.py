"""The data layer of every picture: told rows in, arrays out; needs no plotting library.

All outcomes are in the user's own units. Any library can draw what these functions return.
"""

from blackbox.plot.data.columns import Column, Rows, inputs, outcomes, ranked
from blackbox.plot.data.curves import Curve, Point, XAxis, curves
from blackbox.plot.data.fronts import Front, fronts
from blackbox.plot.data.runs import LIMIT, Data, Run, axis_label, chosen, groups, single, thin

__all__ = [
    "LIMIT",
    "Column",
    "Curve",
    "Data",
    "Front",
    "Point",
    "Rows",
    "Run",
    "XAxis",
    "axis_label",
    "chosen",
    "curves",
    "fronts",
    "groups",
    "inputs",
    "outcomes",
    "ranked",
    "single",
    "thin",
]
