"""``python -m studies.gflownets``: the study of GFlowNets."""

from studies.gflownets.run import main

if __name__ == "__main__":
    raise SystemExit(main())
