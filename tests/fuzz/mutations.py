"""Damage to bytes, drawn from a `Random`; and checksums put right again, so that readers go on."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from collections.abc import Callable
from random import Random

HEADER = 64  # bytes in which most damage is done: that is where sizes are
_NUMBERS = (
    0,
    1,
    2,
    127,
    128,
    255,
    256,
    2**15 - 1,
    2**15,
    2**16 - 1,
    2**16,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
)
_WIDE = (*_NUMBERS, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
_WORDS = (b"0", b"-1", b"1", b"00", b"99999", b"2147483648", b"99999999999999999999", b"1e9", b"nan", b"")
_DIGITS = re.compile(rb"[0-9]+")


def damage(random: Random, content: bytes, other: bytes = b"") -> bytes:
    """`content` after one to four of `MUTATIONS`; `other` is what may be spliced in."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        content = random.choice(MUTATIONS)(random, content, other)
    return content


def _place(random: Random, content: bytes) -> int:
    """A position: mostly near the beginning, sometimes near the end, where archives keep their list."""
    last = max(len(content) - 1, 0)
    where = random.random()
    if where < 0.5:
        return random.randint(0, min(HEADER, last))
    return random.randint(max(0, last - HEADER), last) if where < 0.65 else random.randint(0, last)


def flip_bit(random: Random, content: bytes, other: bytes) -> bytes:
    if not content:
        return content
    changed = bytearray(content)
    changed[_place(random, content)] ^= 1 << random.randrange(8)
    return bytes(changed)


def set_byte(random: Random, content: bytes, other: bytes) -> bytes:
    if not content:
        return content
    changed = bytearray(content)
    changed[_place(random, content)] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
    return bytes(changed)


def set_number(random: Random, content: bytes, other: bytes) -> bytes:
    """A field of 2, 4 or 8 bytes, in either order, becomes zero, huge or negative."""
    order = random.choice("<>")
    field = random.choice(
        (
            struct.pack(f"{order}H", random.choice(_NUMBERS) & 0xFFFF),
            struct.pack(f"{order}I", random.choice(_NUMBERS)),
            struct.pack(f"{order}Q", random.choice(_WIDE)),
        )
    )
    start = _place(random, content)
    return content[:start] + field + content[start + len(field) :]


def set_word(random: Random, content: bytes, other: bytes) -> bytes:
    """A number written as text becomes another: shapes in NumPy's headers, sizes in tar and PPM."""
    found = list(_DIGITS.finditer(content, 0, 2048))
    if not found:
        return set_byte(random, content, other)
    chosen = random.choice(found)
    word = random.choice(_WORDS)
    if random.random() < 0.5:  # of the same length, so that nothing else moves
        word = word.rjust(len(chosen[0]), b"0")[: len(chosen[0])]
    return content[: chosen.start()] + word + content[chosen.end() :]


def truncate(random: Random, content: bytes, other: bytes) -> bytes:
    return content[: _place(random, content)]


def remove(random: Random, content: bytes, other: bytes) -> bytes:
    start = _place(random, content)
    return content[:start] + content[start + random.randint(1, 32) :]


def insert(random: Random, content: bytes, other: bytes) -> bytes:
    start = _place(random, content)
    size = random.choice((1, 4, 16, 600))
    return content[:start] + random.choice((bytes(size), random.randbytes(size))) + content[start:]


def duplicate(random: Random, content: bytes, other: bytes) -> bytes:
    start = _place(random, content)
    piece = content[start : start + random.choice((4, 16, 64, 512))]
    return content[:start] + piece * random.choice((2, 3, 50)) + content[start + len(piece) :]


def swap(random: Random, content: bytes, other: bytes) -> bytes:
    first, second = sorted((_place(random, content), _place(random, content)))
    size = min(random.choice((1, 4, 16)), second - first)
    moved = content[second : second + size] + content[first + size : second] + content[first : first + size]
    return content[:first] + moved + content[second + size :]


def splice(random: Random, content: bytes, other: bytes) -> bytes:
    """The beginning of one file and the end of another."""
    return content[: _place(random, content)] + other[_place(random, other) :]


def append(random: Random, content: bytes, other: bytes) -> bytes:
    return content + random.choice((bytes(7), random.randbytes(9), content, other))


Mutation = Callable[[Random, bytes, bytes], bytes]
MUTATIONS: tuple[Mutation, ...] = (
    flip_bit,
    set_byte,
    set_number,
    set_number,
    set_word,
    truncate,
    remove,
    insert,
    duplicate,
    swap,
    splice,
    append,
)


def damage_png(random: Random, content: bytes) -> bytes:
    """Chunks damaged, dropped or doubled, with checksums that are right; sometimes the pixels, unpacked."""
    chunks = []
    start = 8
    while start + 12 <= len(content):
        (size,) = struct.unpack_from(">I", content, start)
        chunks.append((content[start + 4 : start + 8], content[start + 8 : start + 8 + size]))
        start += 12 + size
    place = random.choice((0, random.randrange(len(chunks))))
    name, inside = chunks[place]
    what = random.random()
    if what < 0.1:
        chunks.insert(place, (name, inside))
    elif what < 0.2:
        del chunks[place]
    elif what < 0.3:
        chunks.insert(
            1, (random.choice((b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"eXIf", b"acTL", b"gAMA")), inside)
        )
    elif name == b"IDAT" and what < 0.7:
        chunks[place] = (name, zlib.compress(damage(random, zlib.decompress(inside), inside)))
    else:
        chunks[place] = (name, damage(random, inside, name))
    return content[:8] + b"".join(
        struct.pack(">I", len(inside)) + name + inside + struct.pack(">I", zlib.crc32(name + inside))
        for name, inside in chunks
    )


def damage_gzip(random: Random, content: bytes) -> bytes:
    """What is packed is damaged, and packed again."""
    inside = gzip.decompress(content)
    return gzip.compress(damage(random, inside, content), mtime=0)


def damage_tar(random: Random, content: bytes) -> bytes:
    """Headers damaged, each with a checksum that is right."""
    changed = bytearray(damage(random, content, content))
    for start in range(0, len(changed) - 511, 512):
        if changed[start + 257 : start + 262] == b"ustar":
            changed[start + 148 : start + 156] = b" " * 8
            changed[start + 148 : start + 155] = b"%06o\0" % sum(changed[start : start + 512])
    return bytes(changed)
