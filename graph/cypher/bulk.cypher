// contents: what a store holds beside its schema, by label
MATCH (n) WHERE NOT n:KithSchema
RETURN labels(n)[0] AS label, count(*) AS nodes ORDER BY nodes DESC

// counts: how many nodes and relationships there are
CALL () { MATCH (n) RETURN count(n) AS nodes }
CALL () { MATCH ()-[r]->() RETURN count(r) AS relationships }
RETURN nodes, relationships

// complete_consent: users who agree to nothing, which the import tool cannot say
MATCH (u:User) WHERE u.consent IS NULL
CALL (u) { SET u.consent = [] } IN TRANSACTIONS OF 10000 ROWS
