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
from blackbox.plot.data.columns import Column, Rows, inputs, measures, outcomes, ranked
from blackbox.plot.data.curves import Curve, Point, XAxis, curves
from blackbox.plot.data.elites import (
    Archive,
    ArchiveData,
    EliteMap,
    Niches,
    by_method,
    map_of,
    niches,
    profiles,
    projected,
)
from blackbox.plot.data.fronts import Front, fronts
from blackbox.plot.data.growth import (
    Growth,
    Trace,
    TracedData,
    archive_of,
    growth,
    growth_curves,
    map_at,
    trace,
)
from blackbox.plot.data.runs import LIMIT, Data, Run, axis_label, chosen, groups, single, thin
from blackbox.plot.data.sensitivity import Importance, importances
from blackbox.plot.data.validation import LeaveOneOut, leave_one_out

__all__ = [
    "BANDS",
    "LIMIT",
    "Archive",
    "ArchiveData",
    "Column",
    "Curve",
    "Data",
    "EliteMap",
    "Front",
    "Growth",
    "Importance",
    "LeaveOneOut",
    "Map",
    "Niches",
    "Point",
    "Posterior",
    "Rows",
    "Run",
    "Slice",
    "Source",
    "Trace",
    "TracedData",
    "Worth",
    "XAxis",
    "acquisition",
    "archive_of",
    "axis_label",
    "by_method",
    "chosen",
    "curves",
    "fronts",
    "groups",
    "growth",
    "growth_curves",
    "importances",
    "inputs",
    "leave_one_out",
    "map_at",
    "map_of",
    "measures",
    "niches",
    "outcomes",
    "posterior",
    "profiles",
    "projected",
    "ranked",
    "recommended",
    "single",
    "thin",
    "trace",
]
