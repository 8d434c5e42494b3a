"""Tocsin learns by example, watches what comes in, and rings for a person who can act."""


def __getattr__(name: str) -> str:
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version  # slower to load than all that many a command needs

    return version("tocsin")
