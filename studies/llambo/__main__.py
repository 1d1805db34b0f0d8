"""``python -m studies.llambo``."""

from studies.llambo.run import main

if __name__ == "__main__":
    raise SystemExit(main())
