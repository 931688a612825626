// page: items by id, from an id on, as lists see them
MATCH (i:Item)
WHERE i.itemId > $after
WITH i ORDER BY i.itemId LIMIT $limit
RETURN collect([i.itemId, NOT coalesce(i.available = false OR i.stock <= 0, false), i.kind, i.category, i.brand,
                i.priceMinor, i.currency, i.minAge, i.createdAt.epochSeconds]) AS facts

// changes: items written since a time, the server's clock, and how many items there are
CALL () {
  MATCH (i:Item)
  RETURN count(i) AS items
}
RETURN items, datetime().epochMillis AS ms,
       COLLECT {
         MATCH (i:Item)
         WHERE i.ingestedAt >= datetime({epochMillis: $since_ms})
         WITH i LIMIT $limit
         RETURN [i.itemId, NOT coalesce(i.available = false OR i.stock <= 0, false), i.kind, i.category, i.brand,
                 i.priceMinor, i.currency, i.minAge, i.createdAt.epochSeconds]
       } AS facts

// attributes_of: what those of the items are described by that are there
UNWIND $item_ids AS itemId
MATCH (i:Item {itemId: itemId})
RETURN collect([i.itemId,
                [name IN keys(i)
                 WHERE NOT (name ENDS WITH '_a' OR name ENDS WITH '_b' OR name IN ['embedding', 'itemId', 'ix'])
                 | [name, i[name]]]]) AS described

// facts_of: those of the items that are there, as lists see them
UNWIND $item_ids AS itemId
MATCH (i:Item {itemId: itemId})
RETURN collect([i.itemId, NOT coalesce(i.available = false OR i.stock <= 0, false), i.kind, i.category, i.brand,
                i.priceMinor, i.currency, i.minAge, i.createdAt.epochSeconds]) AS facts
