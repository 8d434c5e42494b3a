"""Is it any good? Scored payments against what was true, the past replayed, drift, and a report for people.

It judges models; it makes none of its own (the backtest asks :mod:`tocsin.learn` to). It does not know the service or
the desk: decisions come from the policy function both share."""

from tocsin.evaluate.backtest import backtest
from tocsin.evaluate.drift import drift
from tocsin.evaluate.report import page
from tocsin.evaluate.results import Results, find

__all__ = ["Results", "backtest", "drift", "find", "page"]
