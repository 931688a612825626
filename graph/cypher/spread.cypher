// report: how the newest shares of a window spread, by item, channel, campaign or day; looks at $scanned at most
CALL () {
  MATCH (s:Share)
  WHERE s.occurredAt >= datetime({epochMillis: $sinceMs}) AND s.occurredAt < datetime({epochMillis: $untilMs})
  WITH s ORDER BY s.occurredAt DESC LIMIT $scanned + 1
  RETURN collect(s) AS newest
}
WITH newest[..$scanned] AS looked, size(newest) > $scanned AS truncated
CALL (looked) {
  UNWIND looked AS s
  MATCH (s)-[:OF_ITEM]->(i:Item)
  WHERE ($itemId IS NULL OR i.itemId = $itemId)
    AND ($channel IS NULL OR s.channel = $channel)
    AND ($campaignId IS NULL OR s.campaignId = $campaignId)
  WITH s, CASE $by
            WHEN 'item' THEN i.itemId
            WHEN 'channel' THEN s.channel
            WHEN 'campaign' THEN s.campaignId
            ELSE toString(date(s.occurredAt))
          END AS key
  WITH key, collect(s) AS shares
  ORDER BY CASE WHEN $by = 'day' THEN key END DESC, size(shares) DESC, key
  RETURN count(*) AS groupCount, collect({key: key, shares: shares})[..$limit] AS groups
}
CALL (groups) {
  UNWIND range(0, size(groups) - 1) AS place
  UNWIND groups[place].shares AS s
  MATCH (s)<-[:RESHARE_OF]-(c:Share)<-[:SHARED]-(v:User)
  WITH v, collect([place, c.shareId]) AS caused
  CALL (v) {
    MATCH (v)-[:SHARED]->(own:Share)
    WITH own.rootShareId AS cascade,
         min([coalesce(own.occurredAt.epochMillis, 9223372036854775807), own.depth, own.shareId]) AS first
    RETURN collect(first[2]) AS firsts
  }
  UNWIND caused AS one
  WITH v, one[0] AS place
  WHERE one[1] IN firsts
  WITH place, count(DISTINCT v) AS joined
  RETURN collect([place, joined]) AS joinedAt
}
RETURN truncated, groupCount, COLLECT {
  UNWIND range(0, size(groups) - 1) AS place
  WITH groups[place].key AS key, groups[place].shares AS shares,
       coalesce(head([one IN joinedAt WHERE one[0] = place | one[1]]), 0) AS newSharers
  CALL (shares) {
    UNWIND shares AS s
    WITH s, head([(u:User)-[:SHARED]->(s) | u]) AS sharer, COUNT { (s)<-[:RESHARE_OF]-() } AS children,
         COUNT { (s)<-[:OPENED]-() } AS opened, NOT EXISTS { (s)-[:RESHARE_OF]->() } AS isRoot,
         s.occurredAt <= datetime({epochMillis: $completedMs}) AS isCompleted
    RETURN count(DISTINCT sharer) AS sharers, sum(children) AS reshares, sum(opened) AS opens,
           count(CASE WHEN isRoot THEN 1 END) AS roots,
           avg(CASE WHEN isRoot THEN s.cascadeSize END) AS amplification,
           count(CASE WHEN isCompleted THEN 1 END) AS completedParents,
           avg(CASE WHEN isCompleted THEN children END) AS reproductionNumber
  }
  CALL (shares) {
    UNWIND shares AS s
    MATCH (s)<-[:RESHARE_OF]-(c:Share)<-[:SHARED]-(v:User)
    WHERE NOT EXISTS { (v)-[:SHARED]->(s) }
    CALL (s, c, v) {
      MATCH (v)-[o:OPENED]->(s)
      WHERE o.occurredAt <= c.occurredAt AND NOT EXISTS { (s)-[:SENT_TO]->(v) }
      RETURN min(o.occurredAt.epochMillis) AS openedMs
    }
    WITH (c.occurredAt.epochMillis - coalesce(openedMs, s.occurredAt.epochMillis)) / 1000.0 AS delayS
    WHERE delayS >= 0
    RETURN count(delayS) AS timedReshares, percentileCont(delayS, 0.5) AS cycleTimeS
  }
  CALL (shares) {
    UNWIND shares AS s
    MATCH (s)-[credit:CONVERTED]->()
    RETURN count(DISTINCT credit.eventId) AS conversions
  }
  RETURN {
    key: key, shares: size(shares), roots: roots, reshares: reshares, sharers: sharers, newSharers: newSharers,
    opens: opens, conversions: conversions, completedParents: completedParents,
    censoredParents: size(shares) - completedParents, timedReshares: timedReshares,
    reproductionNumber: reproductionNumber, cycleTimeS: cycleTimeS, amplification: amplification
  }
} AS groups
