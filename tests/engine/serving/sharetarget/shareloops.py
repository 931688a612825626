"""The same questions answered by plain loops over tuples, written from the definitions and not from the code."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import pairwise

HOUR, DAY = 3_600.0, 86_400.0


def near(age: float | None) -> float:
    return 0.0 if age is None else 1.0 / (1.0 + math.log2(1.0 + age / 60.0))


def half(age: float, hours: float) -> float:
    return 2.0 ** (-age / (hours * HOUR))


def part(a: float, b: float) -> float:
    return a / b if b > 0 else 0.0


class Loops:
    """Everything about one question (u, i, t) of rows (sender, item, recipient, time, opened at or None)."""

    def __init__(self, rows, u, i, t, seen, limits=(500, 200, 50, 200)):
        own_limit, partner_limit, circle_limit, item_limit = limits
        rows = sorted(rows, key=lambda r: (r[3], r[0], r[1], r[2]))
        past = [r for r in rows if r[3] < seen]
        self.u, self.i, self.t, self.seen = u, i, t, seen
        self.own = [r for r in past if u in (r[0], r[2])][-own_limit:]
        met = []
        for r in reversed(self.own):
            other = r[2] if r[0] == u else r[0]
            if other != u and other not in met:
                met.append(other)
        self.partners = sorted(met[:partner_limit])
        self.circle = {p: [r for r in past if p in (r[0], r[2])][-circle_limit:] for p in self.partners}
        self.of_item = [r for r in past if r[1] == i][-item_limit:]

    def excerpt(self):
        """All rows that may be read."""
        return {*self.own, *self.of_item, *(r for rows in self.circle.values() for r in rows)}

    def age(self, r):
        return max(self.t - r[3], 1)

    def sent_to(self, v):
        return [r for r in self.own if r[0] == self.u and r[2] == v]

    def got_from(self, v):
        return [r for r in self.own if r[2] == self.u and r[0] == v]

    def youngest(self, rows):
        return min((self.age(r) for r in rows), default=None)

    def signals(self, v, ties=None):
        found = {}
        for make in (
            self.sent,
            self.received,
            self.walks,
            self.item,
            self.share,
            self.order,
            self.receiver,
            self.clock,
        ):
            found |= make(v)
        return found | self.formula(v, ties or {})

    def sent(self, v):
        mine, every = self.sent_to(v), [r for r in self.own if r[0] == self.u]
        found = {
            "sent": math.log1p(len(mine)),
            "sent_part": part(len(mine), len(every)),
            "sent_items": math.log1p(len({r[1] for r in mine})),
            "sent_opened": part(sum(r[4] is not None and r[4] < self.seen for r in mine), len(mine)),
            "sent_last": near(self.youngest(mine)),
        }
        for name, hours in (("1h", 1), ("6h", 6), ("1d", 24), ("3d", 72), ("10d", 240)):
            fresh = sum(half(self.age(r), hours) for r in mine)
            found[f"sent_{name}"] = math.log1p(fresh)
            found[f"sent_part_{name}"] = part(fresh, sum(half(self.age(r), hours) for r in every))
        return found

    def received(self, v):
        mine, every = self.got_from(v), [r for r in self.own if r[0] != self.u]
        found = {
            "received": math.log1p(len(mine)),
            "received_part": part(len(mine), len(every)),
            "received_last": near(self.youngest(mine)),
            "both_ways": math.log1p(min(len(mine), len(self.sent_to(v)))),
        }
        for name, hours in (("6h", 6), ("1d", 24), ("3d", 72)):
            fresh = sum(half(self.age(r), hours) for r in mine)
            found[f"received_{name}"] = math.log1p(fresh)
            found[f"received_part_{name}"] = part(fresh, sum(half(self.age(r), hours) for r in every))
        return found

    def walks(self, v):
        common = adar = adar_events = 0.0
        walk = defaultdict(float)
        closeness = {
            way: {
                p: sum(half(self.age(r), 72) for r in (self.sent_to(p) if way == "to" else self.got_from(p)))
                for p in self.partners
            }
            for way in ("to", "from")
        }
        for p, rows in self.circle.items():
            others = [r[2] if r[0] == p else r[0] for r in rows]
            if v in others:
                weight = 1.0 / math.log(2.0 + len(set(others)))
                common += 1
                adar += weight
                adar_events += weight * math.log1p(others.count(v))
            for second in ("to", "from"):
                steps = [r for r in rows if (r[0] == p) == (second == "to")]
                steps = [r for r in steps if self.u not in (r[0], r[2])]
                whole = sum(half(self.age(r), 72) for r in steps)
                mine = sum(half(self.age(r), 72) for r in steps if v in (r[0], r[2]) and v != p)
                for first in ("to", "from"):
                    start = part(closeness[first][p], sum(closeness[first].values()))
                    walk[f"walk_{first}_{second}"] += start * part(mine, whole)
        return {
            "common": math.log1p(common),
            "adamic_adar": math.log1p(adar),
            "adamic_adar_events": math.log1p(adar_events),
            **{f"walk_{a}_{b}": math.sqrt(walk[f"walk_{a}_{b}"]) for a in ("to", "from") for b in ("to", "from")},
        }

    def item(self, v):
        got = [r for r in self.of_item if r[2] == v and r[0] != self.u]
        gave = [r for r in self.of_item if r[0] == v]
        source = [r[0] for r in self.of_item if r[2] == self.u]
        return {
            "item_received": math.log1p(len(got)),
            "item_received_last": near(self.youngest(got)),
            "item_shared": math.log1p(len(gave)),
            "item_shared_last": near(self.youngest(gave)),
            "item_events": math.log1p(len(self.of_item)),
            "item_from_v": float(bool(source) and source[-1] == v),
            "item_from_somebody": float(bool(source)),
        }

    def share(self, v):
        out = [r for r in self.own if r[0] == self.u]
        here, earlier = [r for r in out if r[1] == self.i], [r for r in out if r[1] != self.i]
        came = {r[2] for r in here}
        by_item = defaultdict(list)
        for r in earlier:
            by_item[r[1]].append(r)
        together = defaultdict(float)
        for rows in by_item.values():
            alike = sum(r[2] in came for r in rows) / math.sqrt(len(rows) * max(len(here), 1))
            for r in rows:
                together[r[2]] += alike * half(self.age(r), 72)
        last = out[-1] if out else None
        follows = [b for a, b in pairwise(out) if last and a[2] == last[2] and b[2] != a[2]]
        burst = [r for r in out if r[2] == v and self.age(r) <= self.age(last) + 600] if last else []
        mine = sum(rows_of == v for rows_of in (r[2] for r in follows))
        return {
            "came": float(v in came),
            "came_all": math.log1p(len(here)),
            "came_last": near(self.youngest(here)),
            "came_with": math.log1p(together[v]),
            "came_with_part": part(together[v], sum(together.values())),
            "shares_apart": math.log1p(len(by_item)),
            "after_last": mine / (1 + len(follows)),
            "was_last": float(last is not None and last[2] == v),
            "in_burst": math.log1p(len(burst)),
            **self.attendance(v, by_item, len(here)),
            "sent_once": len({r[1] for r in self.sent_to(v)}) / (1 + len({r[1] for r in out})),
        }

    def attendance(self, v, by_item, came):
        shares = sorted(by_item.values(), key=self.own_place, reverse=True)
        there = [back for back, rows in enumerate(shares) if any(r[2] == v for r in rows)]
        places = [k for rows in shares for k, r in enumerate(rows) if r[2] == v]
        return {
            **{
                f"attended_{last}": part(sum(back < last for back in there), min(len(shares), last))
                for last in (1, 3, 10)
            },
            "missed": 1.0 / (1.0 + there[0]) if there else 0.0,
            "comes_now": part(sum(math.exp(-abs(math.log1p(k) - math.log1p(came))) for k in places), len(places)),
            "comes_first": part(sum(k == 0 for k in places), len(places)),
        }

    def order(self, v):
        out = [r for r in self.own if r[0] == self.u]
        here, by_item = [r for r in out if r[1] == self.i], defaultdict(list)
        for r in out:
            if r[1] != self.i:
                by_item[r[1]].append(r)
        shares = sorted(by_item.values(), key=self.own_place, reverse=True)[:10]
        came, since = {r[2] for r in here}, max((self.age(r) for r in here), default=0)
        of_v = defaultdict(float)
        whole = left = left_weight = most = 0.0
        for back, rows in enumerate(shares):
            both = [r for r in rows if r[2] in came]
            alike = len(both) / math.sqrt(len(rows) * max(len(here), 1))
            weights = [(alike + 0.05) * half(self.age(r), 72) for r in rows]
            whole += sum(weights) / len(rows)
            left, left_weight = left + alike * (len(rows) - len(both)), left_weight + alike
            most = max(most, alike)
            for at, (r, weight) in enumerate(zip(rows, weights, strict=True)):
                if r[2] != v:
                    continue
                is_next = 1.0 / (1.0 + sum(s[3] < r[3] and s[2] not in came for s in rows))
                offset = r[3] - rows[0][3]
                of_v["last"] += is_next * (back == 0)
                of_v["all"] += is_next
                of_v["alike"] += weight * is_next
                of_v["weight"] += weight
                of_v["pace"] += weight * math.exp(-abs(math.log1p(offset) - math.log1p(since)))
                of_v["due"] += weight * (offset >= since)
                of_v["overtaken"] += weight * part(sum(s[2] in came for s in rows[at + 1 :]), len(both))
        return {
            "next_last": of_v["last"],
            "next_all": part(of_v["all"], len(shares)),
            "next_alike": part(of_v["alike"], whole),
            "there": part(of_v["weight"], whole),
            "next_if": part(of_v["alike"], of_v["weight"]),
            **{name: part(of_v[name], of_v["weight"]) for name in ("pace", "due", "overtaken")},
            "alike_share": most,
            "awaited": math.log1p(part(left, left_weight)),
            "since_first": math.log1p(since / 60),
        }

    def own_place(self, rows):
        """Place of the newest of some rows among u's own."""
        return max(place for place, r in enumerate(self.own) if any(r is each for each in rows))

    def receiver(self, v):
        rows = self.circle.get(v, [])
        got, gave = [r for r in rows if r[0] != v], [r for r in rows if r[0] == v]
        found = {
            "v_received": math.log1p(len(got)),
            "v_sent": math.log1p(len(gave)),
            "v_from_u": part(sum(r[0] == self.u for r in got), len(got)),
            "v_to_u": part(sum(r[2] == self.u for r in gave), len(gave)),
            "v_senders": math.log1p(len({r[0] for r in got})),
            "v_last": near(self.youngest(rows)),
            "v_last_received": near(self.youngest(got)),
            "v_last_sent": near(self.youngest(gave)),
        }
        for name, hours in (("1h", 1), ("6h", 6), ("1d", 24), ("3d", 72)):
            whole = sum(half(self.age(r), hours) for r in got)
            found[f"v_received_{name}"] = math.log1p(whole)
            found[f"v_from_u_{name}"] = part(sum(half(self.age(r), hours) for r in got if r[0] == self.u), whole)
        return found

    def clock(self, v):
        def meet(rows):
            gaps = [abs(r[3] % DAY - self.t % DAY) for r in rows]
            total = sum(math.exp(-0.5 * (min(gap, DAY - gap) / (1.5 * HOUR)) ** 2) for gap in gaps)
            return total / (1.0 + len(rows))

        hour = 2 * math.pi * (self.t % DAY) / DAY
        return {
            "hour_pair": meet(self.sent_to(v) + self.got_from(v)),
            "hour_v": meet(self.circle.get(v, [])),
            "u_last": near(self.youngest(self.own)),
            "u_sent": math.log1p(sum(r[0] == self.u for r in self.own)),
            "u_received": math.log1p(sum(r[0] != self.u for r in self.own)),
            "u_partners": math.log1p(len(self.partners)),
            "behind": math.log1p((self.t - self.seen) / HOUR),
            "hour_sin": math.sin(hour),
            "hour_cos": math.cos(hour),
        }

    def formula(self, v, ties):
        def between(a, b):
            return ties.get((min(a, b), max(a, b)), 0.0)

        def all_ties(a):
            return [strength for pair, strength in ties.items() if a in pair]

        sharers = {r[0] for r in self.of_item} | {self.u}
        if v in self.circle:
            events = self.circle[v]
            passed = sum((r[2] if r[0] == v else r[0]) in sharers for r in events)
            d_v, n_v = len(events), len({r[2] if r[0] == v else r[0] for r in events})
        else:
            through = [(p, r) for p, rows in self.circle.items() for r in rows if v in (r[0], r[2])]
            passed, d_v, n_v = sum(p in sharers for p, _ in through), len(through), 0
        met = sum((r[2] if r[0] == p else r[0]) == v for p, rows in self.circle.items() for r in rows)
        d_v = max(d_v, met) + sum(all_ties(v))
        n_v += len(all_ties(v))
        d_u = len(self.own) + sum(all_ties(self.u))
        n_u = len(self.partners) + len(all_ties(self.u))
        tie = between(self.u, v) + len(self.sent_to(v)) + len(self.got_from(v))
        acts = sum(r[4] is not None and r[4] < self.seen for r in self.sent_to(v))
        return {
            "friendship": math.log1p(between(self.u, v)),
            "passed": part(passed + sum(between(v, k) for k in sharers), d_v),
            "tie_receiver": part(tie, max(d_v, tie)),
            "tie_sender": part(tie, d_u),
            "acts_receiver": math.log1p(part(acts, n_v)),
            "acts_sender": math.log1p(part(acts, n_u)),
        }
