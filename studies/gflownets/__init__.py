"""Order-preserving and multi-objective GFlowNets at the settings of their papers."""
