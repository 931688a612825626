// promoted: the item that a plan is for
MATCH (i:Item {itemId: $item_id})
RETURN i.itemId AS itemId, i.minAge AS minAge

// items_of_category: items of a category by id, so many at most
MATCH (i:Item {category: $category})
WITH i ORDER BY i.itemId LIMIT $most
RETURN collect(i.itemId) AS items, max(toIntegerOrNull(i.minAge)) AS minAge

// agreeing: of these users those who may take part in campaigns
UNWIND $ids AS id
MATCH (u:User {userId: id})
WHERE 'sharing' IN u.consent AND 'personalisation' IN u.consent
RETURN u.userId AS userId

// people: the users of a page who may take part in campaigns, with what their cost and their place are made of, as columns
MATCH (u:User)
WHERE u.userId > $after
WITH u ORDER BY u.userId LIMIT $page
WITH collect(u) AS looked
WITH looked, [u IN looked WHERE 'sharing' IN u.consent AND 'personalisation' IN u.consent] AS agreeing
RETURN looked[-1].userId AS last, size(looked) AS looked, [u IN agreeing | u.userId] AS ids,
       CASE WHEN $cost IS NULL THEN [] ELSE [u IN agreeing | u[$cost]] END AS costs,
       CASE WHEN $place IS NULL THEN [] ELSE [u IN agreeing | toStringOrNull(u[$place])] END AS places,
       CASE WHEN $with_friends THEN [u IN agreeing | COUNT { (u)-[:FRIEND]-() }] ELSE [] END AS friends,
       CASE WHEN $with_age THEN [u IN agreeing | toStringOrNull(u.birthDate)] ELSE [] END AS born

// reached: who shared an item or acted on it, a view alone does not count; so many at most
MATCH (i:Item {itemId: $item_id})
CALL (i) {
  MATCH (i)<-[:LIKED|COMMENTED|SAVED|ADDED_TO_CART|PURCHASED|RATED|HIDDEN]-(u:User)
  RETURN u
  UNION
  MATCH (i)<-[:OF_ITEM]-(:Share)<-[:SHARED]-(u:User)
  RETURN u
}
WITH u LIMIT $most
RETURN collect(u.userId) AS ids
