"""The conformance suite that every optimizer of this package passes, for yours too.

All rules at once, and one error that lists what broke::

    from blackbox.testing import check_optimizer, checks

    check_optimizer(MyOptimizer)

or one pytest test for each rule::

    @pytest.mark.parametrize("check", checks(MyOptimizer), ids=str)
    def test_conformance(check):
        check()

And ``StandIn``, a server that stands in for a language model.
"""

from blackbox.testing.conformance import Check, check_optimizer, checks
from blackbox.testing.harness import ConformanceError
from blackbox.testing.stand_in import StandIn

__all__ = ["Check", "ConformanceError", "StandIn", "check_optimizer", "checks"]
