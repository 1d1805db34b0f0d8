"""``python -m studies.data_mixtures``."""

from studies.data_mixtures.run import main

if __name__ == "__main__":
    raise SystemExit(main())
