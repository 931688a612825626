// nodes: every node by its own id, with what was said about it; forecasts and since when an event waits are of the clock
MATCH (n)
WHERE NOT (n:KithSchema OR n:KithJob OR n:KithKey OR n:KithSession OR n:KithSnapshot OR n:KithTouch
  OR n:KithSizeModel OR n:KithAlert)
RETURN labels(n) AS labels, CASE WHEN n:KithPending THEN n {.*, createdAt: null} ELSE properties(n) END AS properties

// relationships: every relationship by the ids of its ends
MATCH (a)-[r]->(b)
RETURN labels(a) AS startLabels, coalesce(a.userId, a.itemId, a.shareId, a.campaignId, a.name, a.modelVersion) AS start,
       type(r) AS type, properties(r) AS properties,
       labels(b) AS endLabels, coalesce(b.userId, b.itemId, b.shareId, b.campaignId, b.name, b.modelVersion) AS end
