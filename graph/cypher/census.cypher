// count: how much of everything there is, from the store's own counts
RETURN count { (:User) } AS users,
       count { (:Item) } AS items,
       count { ()-[:FRIEND]->() } AS friends,
       count { (:Event) } AS events,
       count { (:Share) } AS shares
