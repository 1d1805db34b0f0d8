"""GFlowNets behind ask and tell, over any discrete space."""

from blackbox.errors import require

require("torch", "gfn")  # names the extra where PyTorch is not installed

from blackbox.optimizers.gflownets.active import ActiveGFN  # noqa: E402
from blackbox.optimizers.gflownets.gflownet import GFlowNet  # noqa: E402
from blackbox.optimizers.gflownets.order_preserving import OrderPreservingGFN  # noqa: E402
from blackbox.optimizers.gflownets.policy import Policy  # noqa: E402
from blackbox.optimizers.gflownets.preference import PreferenceGFN  # noqa: E402

__all__ = ["ActiveGFN", "GFlowNet", "OrderPreservingGFN", "Policy", "PreferenceGFN"]
