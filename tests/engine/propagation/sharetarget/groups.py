"""A small world of chats: each user shares with a few friends of their own, again and again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

START = pd.Timestamp("2024-03-01")


def events(days: float = 6.0, count: int = 3_000, seed: int = 0, users: int = 60) -> pd.DataFrame:
    """Return shares: u sends to u + 1 most, to u + 2 sometimes, to anybody seldom; nobody comes twice for one share."""
    rng = np.random.default_rng(seed)
    inviter = rng.integers(0, users, count)
    step = rng.choice([1, 2, 7, 20], count, p=[0.6, 0.25, 0.1, 0.05])
    seconds = np.sort(rng.integers(0, int(days * 86_400), count))
    frame = pd.DataFrame(
        {
            "inviter": inviter,
            "item": rng.integers(0, 400, count),
            "voter": (inviter + step) % users,
            "timestamp": (START + pd.to_timedelta(seconds, unit="s")).strftime("%Y-%m-%d %H:%M:%S"),
        }
    )
    return frame.drop_duplicates(["inviter", "item", "voter"])


def write_folder(folder: Path, test_days: float = 1.0) -> tuple[Path, Path]:
    """Write train.csv and test.csv and return (folder, test file)."""
    frame = events()
    border = (START + pd.to_timedelta(6.0 - test_days, unit="D")).strftime("%Y-%m-%d %H:%M:%S")
    frame[frame.timestamp < border].to_csv(folder / "train.csv", index=False)
    frame[frame.timestamp >= border].to_csv(folder / "test.csv", index=False)
    return folder, folder / "test.csv"
