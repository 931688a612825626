// From share to purchase
// Shares of the last days, counted back from the newest: how many recipients opened them and bought the item later.
// param days: how many days back
// columns: category, shares, sent, opened, bought, openedPercent, boughtPercent
WITH 30 AS days
CALL () {
  MATCH (s:Share)
  WHERE s.occurredAt IS NOT NULL
  RETURN s.occurredAt AS newest ORDER BY newest DESC LIMIT 1
}
MATCH (s:Share)
WHERE s.occurredAt >= newest - duration({days: days})
MATCH (s)-[:OF_ITEM]->(i:Item)
CALL (s, i) {
  MATCH (s)-[:SENT_TO]->(u:User)
  RETURN count(u) AS sent,
         count(CASE WHEN EXISTS { (u)-[:OPENED]->(s) } THEN 1 END) AS opened,
         count(CASE WHEN EXISTS {
           MATCH (u)-[p:PURCHASED]->(i)
           WHERE p.occurredAt >= s.occurredAt
         } THEN 1 END) AS bought
}
WITH i.category AS category, count(s) AS shares, sum(sent) AS sent, sum(opened) AS opened, sum(bought) AS bought
RETURN category, shares, sent, opened, bought,
       CASE WHEN sent > 0 THEN round(100.0 * opened / sent, 1) END AS openedPercent,
       CASE WHEN sent > 0 THEN round(100.0 * bought / sent, 1) END AS boughtPercent
ORDER BY sent DESC, category
