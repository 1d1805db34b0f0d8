"""The data layer of every picture: told rows in, arrays out; needs no plotting library.

All outcomes are in the user's own units. Any library can draw what these functions return.
"""

from blackbox.plot.data.beliefs import (
    BANDS,
    Map,
    Posterior,
    Slice,
    Source,
    Worth,
    acquisition,
    posterior,
    recommended,
)
from blackbox.plot.data.columns import Column, Rows, inputs, outcomes, ranked
from blackbox.plot.data.curves import Curve, Point, XAxis, curves
from blackbox.plot.data.fronts import Front, fronts
from blackbox.plot.data.runs import LIMIT, Data, Run, axis_label, chosen, groups, single, thin
from blackbox.plot.data.sensitivity import Importance, importances
from blackbox.plot.data.validation import LeaveOneOut, leave_one_out

__all__ = [
    "BANDS",
    "LIMIT",
    "Column",
    "Curve",
    "Data",
    "Front",
    "Importance",
    "LeaveOneOut",
    "Map",
    "Point",
    "Posterior",
    "Rows",
    "Run",
    "Slice",
    "Source",
    "Worth",
    "XAxis",
    "acquisition",
    "axis_label",
    "chosen",
    "curves",
    "fronts",
    "groups",
    "importances",
    "inputs",
    "leave_one_out",
    "outcomes",
    "posterior",
    "ranked",
    "recommended",
    "single",
    "thin",
]
