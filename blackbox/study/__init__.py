"""The loop and its durable record."""

from blackbox.study.record import Record, open_study
from blackbox.study.study import Study

__all__ = ["Record", "Study", "open_study"]
