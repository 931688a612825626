"""Which of a sharer's friends joins the running cascade later: P(u->v) learned from cascades, offline and measured."""
