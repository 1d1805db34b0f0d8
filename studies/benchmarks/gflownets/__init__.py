"""The benchmark of GFlowNets: laws on grids, and optimization of tables that hold every answer."""
