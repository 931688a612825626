"""The names of a pair's signals, in groups."""

from __future__ import annotations

CASCADE = ("place", "elapsed", "gap", "clock", "began", "busy", "concentrated")
SHARER = ("sharer_cascades", "sharer_degree")
FRIEND = (
    "friend_cascades",
    "friend_degree",
    "friend_small",
    "friend_early",
    "friend_late",
    "friend_per_tie",
)
RECENCY = ("friend_before", "friend_lately", "friend_just", "friend_idle", "friend_new")
COUNTS = ("after", "after_of_sharer", "after_of_friend", "before", "before_of_friend", "soon", "together")
LINKS = ("out", "into", "common", "adamic_adar", "jaccard", "ties", "ties_of_friend", "ties_of_sharers", "close")
DRAWN = ("drawn", "drawn_mean", "drawn_most", "drawn_any", "drawn_lately", "alike", "near", "nearest")
LEARNED = ("linear", "linear_mean", "vector_pair", "vector_taste")
GROUPS = {
    "cascade": CASCADE,
    "sharer": SHARER,
    "friend": FRIEND,
    "recency": RECENCY,
    "counts": COUNTS,
    "links": LINKS,
    "drawn": DRAWN,
    "learned": LEARNED,
}
"""Groups of signals that an ablation leaves out."""
NAMES = tuple(name for group in GROUPS.values() for name in group)
