"""People decide here: alerts, investigations, verdicts, freezes, blocks, and who may do what with them. ``model`` holds
the words and the legal moves, ``actions`` does them, ``reads`` shows them, ``access`` says who may. The desk does not
know how a score is made: a decision comes to it as data, and there is no model and no feature in it."""

from tocsin.desk.model import Actor, Direction, Outcome, Role

__all__ = ["Actor", "Direction", "Outcome", "Role"]
