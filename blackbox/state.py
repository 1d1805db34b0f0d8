"""Nested dicts of arrays, numbers and strings as bytes: no pickle, damage detected.

Layout: magic, CRC-32 of the rest, length of the header, a JSON header (the tree, with every array
replaced by its number), then the arrays' raw bytes one after another.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from blackbox.errors import StateError

State: TypeAlias = dict[str, Any]

_MAGIC = b"BBX1"
_HEAD = struct.Struct("<4sII")
_LENGTH = struct.Struct("<I")
_KINDS = "biufU"


def pack(tree: Mapping[str, Any]) -> bytes:
    """Bytes of a nested dict of arrays, numbers, strings, booleans, None and lists of these.

    Raises:
        StateError: a value or key of another type; the message gives its place in the tree.
    """
    buffers: list[bytes] = []
    specs: list[tuple[str, tuple[int, ...]]] = []
    header = json.dumps(
        {"tree": _encode(tree, "state", buffers, specs), "arrays": specs},
        allow_nan=False,
        separators=(",", ":"),
    ).encode()
    body = b"".join([header, *buffers])
    length = _LENGTH.pack(len(header))
    return b"".join([_MAGIC, _LENGTH.pack(zlib.crc32(body, zlib.crc32(length))), length, body])


def unpack(data: bytes) -> State:
    """The tree that ``pack`` made; arrays are writable copies, tuples come back as lists.

    Raises:
        StateError: not such bytes, truncated, or damaged.
    """
    if len(data) < _HEAD.size or data[:4] != _MAGIC:
        raise StateError("these bytes are not a blackbox state: the first four are not b'BBX1'")
    _, crc, length = _HEAD.unpack_from(data)
    body = memoryview(data)[_HEAD.size :]
    # Over the header's length too: damage there would cut the tree at another place.
    if zlib.crc32(body, zlib.crc32(_LENGTH.pack(length))) != crc:
        raise StateError("the state is truncated or damaged: its checksum does not match")
    header = json.loads(bytes(body[:length]))
    arrays: list[np.ndarray[Any, Any]] = []
    start = length
    for name, shape in header["arrays"]:
        dtype = np.dtype(name)
        if dtype.kind not in _KINDS:
            raise StateError(f"the state holds an array of forbidden type {name!r}")
        end = start + dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        arrays.append(np.frombuffer(body[start:end], dtype).reshape(shape).copy())
        start = end
    tree: State = _decode(header["tree"], arrays)
    return tree


def save(tree: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write a state to a file, whole or not at all (temporary file, fsync, rename, fsync)."""
    write_atomic(Path(path), pack(tree))


def load(path: str | os.PathLike[str]) -> State:
    """Read a state that ``save`` wrote.

    Raises:
        StateError: the file is foreign, truncated or damaged.
    """
    return unpack(Path(path).read_bytes())


def write_atomic(path: Path, data: bytes) -> None:
    """Replace a file so that after a crash it holds the old or the new bytes, never a mixture."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    if os.name == "posix":
        # The rename itself lives in the directory, which has to reach the disk too.
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def digest(state: Mapping[str, Any]) -> str:
    """A short text that differs where states do: for fingerprints of what is too long to store."""
    return hashlib.sha256(pack({key: state[key] for key in sorted(state)})).hexdigest()[:16]


def generator_state(rng: np.random.Generator) -> State:
    """The state of a generator as a plain dict."""
    state: State = dict(rng.bit_generator.state)
    return state


def restore_generator(rng: np.random.Generator, state: Mapping[str, Any]) -> None:
    """Set a generator to a state that ``generator_state`` gave.

    Raises:
        StateError: the state belongs to another kind of generator.
    """
    try:
        rng.bit_generator.state = dict(state)
    except (ValueError, KeyError, TypeError, OverflowError, IndexError) as error:
        kind = state.get("bit_generator") if isinstance(state, Mapping) else state
        raise StateError(
            f"state of a {kind!r} generator given to a "
            f"{type(rng.bit_generator).__name__}: build the optimizer as it was first built"
        ) from error


def _encode(
    value: Any, place: str, buffers: list[bytes], specs: list[tuple[str, tuple[int, ...]]]
) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else {"__float__": repr(value)}
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str) or key.startswith("__"):
                raise StateError(f"{place}: key {key!r} must be a string without leading '__'")
        return {k: _encode(v, f"{place}.{k}", buffers, specs) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(v, f"{place}[{i}]", buffers, specs) for i, v in enumerate(value)]
    if isinstance(value, np.ndarray):
        return _encode_array(value, place, buffers, specs)
    raise StateError(
        f"{place} is a {type(value).__name__}; give arrays, numbers, strings, lists or dicts"
    )


def _encode_array(
    array: np.ndarray[Any, Any],
    place: str,
    buffers: list[bytes],
    specs: list[tuple[str, tuple[int, ...]]],
) -> Any:
    if array.dtype.kind == "O":
        flat = [_encode(item, place, buffers, specs) for item in array.flat]
        return {"__objects__": flat, "shape": list(array.shape)}
    if array.dtype.kind not in _KINDS:
        raise StateError(f"{place} is an array of type {array.dtype}, which cannot be stored")
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    specs.append((little.dtype.str, array.shape))
    buffers.append(little.tobytes())
    return {"__array__": len(specs) - 1}


def _decode(value: Any, arrays: list[np.ndarray[Any, Any]]) -> Any:
    if isinstance(value, list):
        return [_decode(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if "__array__" in value:
        return arrays[value["__array__"]]
    if "__float__" in value:
        return float(value["__float__"])
    if "__objects__" in value:
        made = np.empty(len(value["__objects__"]), dtype=object)
        for i, item in enumerate(value["__objects__"]):
            made[i] = _decode(item, arrays)
        return made.reshape(value["shape"])
    return {key: _decode(item, arrays) for key, item in value.items()}
