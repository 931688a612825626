// Which items spread this week?
// Items by how many more shares they had in the last days, counted back from the newest, than in as many before.
// param days: length of the two periods that are compared
// columns: itemId, title, category, shares, reshares, sharesBefore, growth
WITH 7 AS days
CALL () {
  MATCH (s:Share)
  WHERE s.occurredAt IS NOT NULL
  RETURN s.occurredAt AS newest ORDER BY newest DESC LIMIT 1
}
WITH newest - duration({days: days}) AS since, newest - duration({days: 2 * days}) AS before
MATCH (s:Share)
WHERE s.occurredAt >= before
MATCH (s)-[:OF_ITEM]->(i:Item)
WITH i, count(CASE WHEN s.occurredAt >= since THEN 1 END) AS shares,
     count(CASE WHEN s.occurredAt >= since AND s.depth > 0 THEN 1 END) AS reshares,
     count(CASE WHEN s.occurredAt < since THEN 1 END) AS sharesBefore
WHERE shares > 0
RETURN i.itemId AS itemId, i.title AS title, i.category AS category, shares, reshares, sharesBefore,
       shares - sharesBefore AS growth
ORDER BY growth DESC, shares DESC, itemId
LIMIT 20
