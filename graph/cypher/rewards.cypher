// acts_on_lists: what users who still agree did with items of lists that they name; forged names do not count
UNWIND $user_ids AS userId
MATCH (u:User {userId: userId})
WHERE 'personalisation' IN u.consent
RETURN userId,
       COLLECT {
         MATCH (u)-[r:CLICKED|ADDED_TO_CART|PURCHASED]->(i:Item)
         WHERE r.recommendationId IS NOT NULL AND r.recommendationForged IS NULL
           AND (r.occurredAt IS NULL OR r.occurredAt >= datetime({epochMillis: $since_ms}))
         WITH r, i LIMIT $most_acts
         RETURN [r.recommendationId, i.itemId, type(r), coalesce(r.valueMinor, 0) - coalesce(r.refundedMinor, 0),
                 r.currency]
       } AS acts
