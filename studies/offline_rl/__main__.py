"""``python -m studies.offline_rl``."""

from studies.offline_rl.run import main

if __name__ == "__main__":
    raise SystemExit(main())
