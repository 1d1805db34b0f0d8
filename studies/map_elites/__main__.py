"""``python -m studies.map_elites``."""

from studies.map_elites.run import main

if __name__ == "__main__":
    raise SystemExit(main())
