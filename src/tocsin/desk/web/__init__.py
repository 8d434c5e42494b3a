"""The desk's pages: server-made HTML, keys, and new alerts as they ring. It shows what ``reads`` gives and does what
``actions`` do; it holds no rule of its own, knows no model, and needs no script for anything but keys and news."""

from tocsin.desk.web.desk import Desk
from tocsin.desk.web.site import routes

__all__ = ["Desk", "routes"]
