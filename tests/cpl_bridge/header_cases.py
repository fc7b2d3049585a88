"""Random property lists, saved and read back by whichever CPL the interpreter has.

Run as a script with a seed and a file name: writes the file and prints what it reads back.
"""

from __future__ import annotations

import random
import string
import struct
import sys

WORDS = ("ESO", "QC", "PRO", "DET", "INS", "OBS", "A", "LINE", "RES", "X1", "SNR", "LONGWORD")
TEXT = string.ascii_letters + string.digits + " '/&=()\"#%é\t"


def _name(rng: random.Random) -> str:
    kind = rng.randrange(4)
    if kind == 0:
        return "".join(rng.choices(string.ascii_uppercase + "-_", k=rng.randint(2, 8)))
    if kind == 1:
        return rng.choice(("CRPIX", "CRVAL", "CTYPE", "CDELT", "PC", "CD")) + rng.choice("123")
    head = "ESO " if kind == 2 else ""
    return head + " ".join(rng.choices(WORDS, k=rng.randint(2, 5)))


def _double(rng: random.Random) -> float:
    while True:
        (value,) = struct.unpack("<d", rng.randbytes(8))
        if rng.random() < 0.5:
            value = rng.uniform(-1, 1) * 10.0 ** rng.randint(-8, 18)
        if value - value == 0.0:
            return value


def _value(rng: random.Random):
    kind = rng.randrange(6)
    if kind == 0:
        return rng.random() < 0.5
    if kind == 1:
        return rng.randint(-(2 ** rng.randint(1, 62)), 2 ** rng.randint(1, 62))
    if kind in (2, 3):
        return round(_double(rng), rng.randint(0, 12)) if kind == 2 else _double(rng)
    return "".join(rng.choices(TEXT, k=rng.randint(0, 90)))


def random_items(rng: random.Random, count: int) -> list[tuple]:
    """Make (name, value, comment) triples with names that occur once."""
    items: dict[str, tuple] = {}
    while len(items) < count:
        name = _name(rng)
        comment = "".join(rng.choices(TEXT, k=rng.choice((0, 5, 30, 80))))
        items[name] = (name, _value(rng), comment)
    return list(items.values())


def parameter_texts(cpl, rng: random.Random, count: int) -> list[str]:
    """Write random floats as recipe parameters and return what the header says."""
    parameters = cpl.ui.ParameterList()
    for i in range(count):
        parameters.append(cpl.ui.ParameterValue(f"p{i}", "", "", _double(rng)))
    header = cpl.core.PropertyList()
    frame = cpl.ui.Frame(sys.argv[2], "TAG", cpl.ui.Frame.FrameGroup.PRODUCT)
    raw = cpl.ui.Frame(sys.argv[2], "RAW", cpl.ui.Frame.FrameGroup.RAW)
    header.setup_product_header(frame, cpl.ui.FrameSet([raw]), parameters, "r", "p", "d")
    keys = [f"ESO PRO REC1 PARAM{i + 1} VALUE" for i in range(count)]
    return [f"{header[key].value} {header[key].comment}" for key in keys]


def main() -> None:
    """Save, load and print."""
    from soxs_recipes.cpl_bridge import cpl

    rng = random.Random(int(sys.argv[1]))
    properties = cpl.core.PropertyList()
    for name, value, comment in random_items(rng, 300):
        properties.append(cpl.core.Property(name, value, comment))
    properties.save(sys.argv[2], cpl.core.io.CREATE)
    for prop in cpl.core.PropertyList.load(sys.argv[2], 0):
        if prop.name != "DATE":
            print(ascii((prop.name, int(prop.type), prop.value, prop.comment)))
    for text in parameter_texts(cpl, rng, 500):
        print(text)


if __name__ == "__main__":
    main()
