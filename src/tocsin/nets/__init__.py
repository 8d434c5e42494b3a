"""The networks: torch modules and nothing else. Numbers go in as tensors and come out as tensors, and each module says
their shapes. It does not know files, labels, training, spec or kernel; serving runs what is exported from it, without it."""

from tocsin.nets.layered import Layered, LayeredSettings, Members, layered
from tocsin.nets.surprise import NextPayment

__all__ = ["Layered", "LayeredSettings", "Members", "NextPayment", "layered"]
