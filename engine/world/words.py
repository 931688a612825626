"""The words of a generated world, and the readable names, titles and descriptions made of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CATEGORIES = {
    "coffee": ("grinder", "kettle", "moka pot", "espresso cup", "bean jar", "milk frother"),
    "tea": ("teapot", "tea tin", "strainer", "matcha whisk", "infuser mug", "tasting set"),
    "running": ("running shoe", "training vest", "hydration belt", "headlamp", "running sock", "windbreaker"),
    "cycling": ("bike light", "pannier", "saddle", "frame bag", "chain tool", "cycling glove"),
    "climbing": ("chalk bag", "harness", "climbing shoe", "rope bag", "finger board", "quickdraw set"),
    "camping": ("tent", "sleeping mat", "camp stove", "lantern", "hammock", "cool box"),
    "gardening": ("pruner", "planter", "seed box", "watering can", "trowel", "compost bin"),
    "kitchen": ("chef knife", "skillet", "cutting board", "mixing bowl", "spice rack", "stock pot"),
    "baking": ("loaf tin", "rolling pin", "proofing basket", "cake stand", "piping set", "baking mat"),
    "audio": ("headphone", "speaker", "turntable", "microphone", "earbud case", "record crate"),
    "photography": ("tripod", "camera strap", "lens pouch", "photo album", "ring light", "film case"),
    "gaming": ("controller", "board game", "dice set", "headset", "puzzle", "card sleeve pack"),
    "books": ("field guide", "novel", "atlas", "cookbook", "sketchbook", "reading lamp"),
    "art": ("brush set", "watercolour box", "easel", "ink set", "canvas pad", "pottery kit"),
    "music": ("ukulele", "guitar stand", "metronome", "drum pad", "harmonica", "music stand"),
    "fashion": ("scarf", "overshirt", "tote", "beanie", "linen dress", "belt"),
    "beauty": ("face cream", "soap bar", "hair oil", "hand balm", "bath salt", "shaving kit"),
    "home": ("throw", "cushion", "floor lamp", "vase", "wall clock", "storage basket"),
    "pets": ("dog lead", "cat tree", "feeding bowl", "pet bed", "grooming brush", "treat jar"),
    "kids": ("wooden train", "plush bear", "balance bike", "building set", "night light", "picture book"),
}
"""Category -> nouns."""
BRANDS = (
    "Aldermoor", "Brightwell", "Calder & Finch", "Dunmere", "Eastlight", "Fernhollow", "Glasswing", "Harrow Lane",
    "Ivywood", "Juniper Row", "Kestrel", "Lowtide", "Marrow & Pine", "Northbank", "Oakhaven", "Pebblebrook",
    "Quillon", "Rookery", "Saltmarsh", "Thistledown", "Umberfield", "Vesper", "Wrenfield", "Yarrow",
)  # fmt: skip
ADJECTIVES = (
    "everyday", "compact", "handmade", "folding", "lightweight", "classic", "quiet", "bright", "weatherproof", "soft",
    "sturdy", "slim", "travel", "studio", "heirloom", "minimal",
)  # fmt: skip
MATERIALS = (
    "oak", "steel", "linen", "recycled wool", "bamboo", "cork", "stoneware", "waxed canvas", "brass", "cotton",
    "walnut", "enamel",
)  # fmt: skip
USES = (
    "slow mornings", "small flats", "long weekends", "the daily commute", "sharing with friends", "rainy days",
    "beginners", "people who know what they like", "gifts", "evenings at home",
)  # fmt: skip
CONTENT_KINDS = ("A beginner's guide to the", "Five ways to use a", "How we made the", "Caring for your")
FIRST_NAMES = (
    "Ada", "Ben", "Chloe", "Davi", "Elif", "Femi", "Greta", "Hugo", "Ines", "Jonas", "Kemi", "Lena", "Milo", "Noor",
    "Oskar", "Priya", "Quinn", "Rosa", "Sami", "Tara", "Uma", "Viktor", "Wanda", "Yusuf",
)  # fmt: skip
LAST_LETTERS = "ABCDEFGHIJKLMNOPRSTVWZ"
CITIES = ("Lisbon", "Leeds", "Lyon", "Graz", "Ghent", "Turin", "Porto", "Malmö", "Gdańsk", "Seville")
AGE_GROUPS = ("18-24", "25-34", "35-44", "45-54", "55+")


def _text(parts: list[str]) -> NDArray[np.object_]:
    return np.array(parts, dtype=object)


def describe_items(
    category: NDArray[np.int64], brand: NDArray[np.int64], is_content: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Return (title, description), each (I,) of str."""
    count, names = len(category), list(CATEGORIES)
    noun, adjective, material, use, kind = (
        rng.integers(0, size, count) for size in (6, len(ADJECTIVES), len(MATERIALS), len(USES), len(CONTENT_KINDS))
    )
    titles, texts = [], []
    for i in range(count):
        about = names[category[i]]
        thing = f"{ADJECTIVES[adjective[i]]} {MATERIALS[material[i]]} {CATEGORIES[about][noun[i]]}"
        maker = BRANDS[brand[i]]
        if is_content[i]:
            titles.append(f"{CONTENT_KINDS[kind[i]]} {maker} {thing}")
            texts.append(f"From the {about} desk: what to look for in a {thing}, written for {USES[use[i]]}.")
        else:
            titles.append(f"{maker} {thing}")
            texts.append(f"A {thing} by {maker}, made for {USES[use[i]]}. Part of our {about} collection.")
    return _text(titles), _text(texts)


def name_people(count: int, rng: np.random.Generator) -> NDArray[np.object_]:
    """Return (count,) display names such as "Ada K."; many people share one."""
    first, last = rng.integers(0, len(FIRST_NAMES), count), rng.integers(0, len(LAST_LETTERS), count)
    return _text([f"{FIRST_NAMES[f]} {LAST_LETTERS[k]}." for f, k in zip(first, last, strict=True)])
