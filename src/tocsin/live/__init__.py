"""A transaction in, a decision out: the door, the waiting room, the scoring thread that owns the memory, the answer;
and beside it a picture, a sound or a text in, a class out. It does not know how models are learned, who may do what at the desk, or where its settings come from."""

from tocsin.live.cards import Cards
from tocsin.live.http import routes
from tocsin.live.limits import Limits
from tocsin.live.memory import Memory
from tocsin.live.predict import Predictor
from tocsin.live.service import Service

__all__ = ["Cards", "Limits", "Memory", "Predictor", "Service", "routes"]
