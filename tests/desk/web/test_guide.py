"""The guide says what the desk does: every key, every page, every kind of act, and pictures that are there."""

from __future__ import annotations

import re
from pathlib import Path

from tocsin.desk import actions
from tocsin.desk.web.gate import KEYS, PAGES

DOCS = Path(__file__).parents[3] / "docs"
GUIDE = (DOCS / "desk-guide.md").read_text()

# what the guide calls each act
WORDS = {
    "ask_to_lift_block": "somebody asks (`B`)",
    "assign": "**assign**",
    "dismiss_alert": "**dismissed**",
    "finalise": "A verdict in three keys",
    "finalise_as_mistake": "**mistake**",
    "freeze": "`Z` freezes",
    "join_alert": None,  # not offered by a page of its own: a freeze and `O` join alerts
    "judge_alerts": "A verdict on a new alert",
    "lift_block": "lifts it (`L`)",
    "note": "**note**",
    "open_investigation": "**open**",
    "refuse_to_lift": "keeps it (`Y`)",
    "release_alert": None,  # a held alert comes back by itself
    "reopen": "**reopen**",
    "take_alert": None,  # `N` does it
    "take_next": "**next**",
}


def test_every_act_is_told() -> None:
    acts = {
        name
        for name, one in vars(actions).items()
        if callable(one) and getattr(one, "__module__", "") == actions.__name__ and name.islower() and name[0] != "_"
    }
    assert acts == set(WORDS)
    for name, words in WORDS.items():
        assert words is None or words in GUIDE, name


def test_every_key_is_told() -> None:
    table = GUIDE.split("## All keys")[1].split("## ")[0]
    for keys, _does in KEYS:
        for key in keys:
            assert f"`{key}`" in table, key


def test_every_page_is_told() -> None:
    for path, _word, _roles in PAGES:
        assert f"`{path}`" in GUIDE


def test_every_picture_is_there_and_small() -> None:
    names = re.findall(r"pictures/[\w-]+\.png", GUIDE)
    assert len(names) >= 5
    for name in names:
        assert 5_000 < (DOCS / name).stat().st_size < 300_000, name
