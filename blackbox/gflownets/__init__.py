"""GFlowNets: samplers that build objects step by step, and the losses that train them (PyTorch)."""

from blackbox.errors import require

require("torch", "gfn")  # names the extra where PyTorch is not installed

from blackbox.gflownets.backbones import (  # noqa: E402
    Backbone,
    DetailedBalance,
    FlowMatching,
    SubTrajectoryBalance,
    TrajectoryBalance,
)
from blackbox.gflownets.exact import terminating  # noqa: E402
from blackbox.gflownets.sampler import Sampler  # noqa: E402
from blackbox.gflownets.walks import Walks  # noqa: E402

__all__ = [
    "Backbone",
    "DetailedBalance",
    "FlowMatching",
    "Sampler",
    "SubTrajectoryBalance",
    "TrajectoryBalance",
    "Walks",
    "terminating",
]
