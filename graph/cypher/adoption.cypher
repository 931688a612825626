// known_users: how many of these users there are
UNWIND $ids AS id
MATCH (u:User {userId: id})
RETURN count(u) AS known

// known_items: how many of these items there are
UNWIND $ids AS id
MATCH (i:Item {itemId: id})
RETURN count(i) AS known
